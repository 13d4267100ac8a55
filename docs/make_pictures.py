"""Draws pictures of README.md and docs/what-goes-wrong.md: python docs/make_pictures.py.

The numbers are those that the experiments have published.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that no install is needed

from matplotlib.axes import Axes

from fairseq_seqgan.reporting.style import GRID, INK, colours, figure, png, styled

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
EXAMPLES = ROOT / "examples"
AUCS = "d_auc_heldout_before_and_after"


def read(preset: str, experiment: str = "synthetic") -> dict[str, Any]:
    """Return the published numbers of a *preset* of an *experiment* in examples/."""
    path = EXAMPLES / experiment / "results" / preset / "report.json"
    return json.loads(path.read_text(encoding="utf-8"))


def worth() -> bytes:
    """Return quality, and how well a judge knows the samples, against coverage, on the tunes."""
    groups = {
        "MLE": _sweep("worth", "mle"),
        "MLE with D, K = 64": _sweep("worth", "guided_k64"),
        "MLE with two Ds, K = 64": _sweep("two_discriminators", "guided_k64"),
    }
    with styled():
        picture = figure(10, 4.4)
        picture.get_layout_engine().set(wspace=0.06)
        sides = picture.subplots(1, 2)
        colour = colours(groups) | {"MLE": INK}
        for axes, metric in zip(sides, ("bleu4_corpus", "judge_auc"), strict=True):
            for label, rows in groups.items():
                _with_temperatures(axes, rows, metric, color=colour[label], label=label)
            _finish(axes)
            axes.set_xlabel("coverage: backward BLEU-4")
            axes.margins(0.1)
        sides[0].set(ylabel="quality: BLEU-4", title="higher is better")
        sides[1].set(ylabel="an independent judge's AUC", title="lower is better")
        handles, labels = sides[0].get_legend_handles_labels()
        picture.legend(handles, labels, loc="outside lower center", frameon=False, ncols=3)
        return png(picture)


def collapse() -> bytes:
    """Return self-BLEU and NLL_oracle of ``few_updates``, a point for each system and seed."""
    rows = [row for row in read("few_updates")["rows"] if row["temperature"] == 1.0]
    rows = [row for row in rows if row["selection"] == "last" and "self_bleu" in row]
    with styled():
        picture = figure(7.5, 4.6)
        axes = picture.subplots()
        colour = colours(row["system"] for row in rows)
        for row in rows:
            values = row["nll_oracle"]["values"], row["self_bleu"]["values"]
            axes.scatter(*values, color=colour[row["system"]], label=row["label"], s=36)
        axes.set(xlabel="NLL_oracle of the samples (nats per token)", ylabel="self-BLEU-4")
        _finish(axes)
        axes.legend(frameon=False, fontsize=9)
        return png(picture)


def stronger_d() -> bytes:
    """Return how D's held-out AUC and the held-out NLL move in the settings of ``candidates``."""
    pairs = read("candidates")["against_own_control"]
    names = {row["system"]: row["label"] for row in read("candidates")["rows"]}
    with styled():
        picture = figure(7.5, 5.4)
        axes = picture.subplots()
        colour = colours(pair["system"] for pair in pairs)
        for pair in pairs:
            shown = colour[pair["system"]]
            moves = zip(
                pair["nll_above_start"], pair["d_auc_heldout_before_and_after"], strict=True
            )
            for nll, (before, after) in moves:
                line = {"arrowstyle": "->", "color": shown, "lw": 1.4}
                axes.annotate("", (nll, after), (0, before), arrowprops=line)
                axes.plot(nll, after, marker="o", ms=4, color=shown)
            axes.plot([], [], color=shown, label=names.get(pair["system"], pair["system"]))
        axes.set(
            xlabel="held-out NLL above the start's (nats per token)", ylabel="D's held-out AUC"
        )
        axes.margins(0.05)
        axes.update_datalim([(0, before) for p in pairs for before, _ in p[AUCS]])
        axes.autoscale_view()
        _finish(axes)
        picture.legend(loc="outside lower center", frameon=False, ncols=2, fontsize=9)
        return png(picture)


def _sweep(preset: str, system: str) -> list[dict[str, Any]]:
    """Return the rows of a *system* of the tunes at its temperatures, the highest first."""
    rows = [row for row in read(preset, "nottingham")["rows"] if row["system"] == system]
    best = {row["selection"] for row in rows} - {"last"} or {"last"}
    rows = [row for row in rows if row["selection"] in best and row["temperature"] != 0.95]
    return sorted(rows, key=lambda row: -row["temperature"])


def _with_temperatures(axes: Axes, rows: list[dict], metric: str, color: str, label: str) -> None:
    """Draw a *metric* of *rows* against coverage, with bars of ± one deviation over seeds."""
    across = [row["backward_bleu4_corpus"] for row in rows]
    up = [row[metric] for row in rows]
    means = [[each["mean"] for each in values] for values in (across, up)]
    bars = {name: [each["sd"] for each in v] for name, v in (("xerr", across), ("yerr", up))}
    style = {"marker": "o", "ms": 5, "lw": 1.4, "elinewidth": 0.8, "capsize": 2}
    axes.errorbar(*means, **bars, **style, color=color, label=label)
    for row, x, y in zip(rows, *means, strict=True):
        if label == "MLE" or metric == "judge_auc":
            text = {"text": f"T = {row['temperature']:g}", "fontsize": 8, "color": color}
            away = {"textcoords": "offset points", "va": "top"}
            if metric == "judge_auc":
                axes.annotate(xy=(x, y), xytext=(6, -5), **away, **text)
            else:
                axes.annotate(xy=(x, y), xytext=(-6, -5), ha="right", **away, **text)


def _finish(axes: Axes) -> None:
    axes.grid(color=GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def main() -> None:
    """Write all pictures."""
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # it tells of every font
    PICTURES.mkdir(exist_ok=True)
    for draw in (worth, collapse, stronger_d):
        (PICTURES / f"{draw.__name__}.png").write_bytes(draw())


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()  # refuses all options
    main()
