"""Draws the pictures of docs/what-goes-wrong.md: python docs/make_pictures.py.

The numbers are those that the experiments have published.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that no install is needed

from matplotlib.axes import Axes

from fairseq_seqgan.reporting.style import GRID, colours, figure, png, styled

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
RESULTS = ROOT / "examples" / "synthetic" / "results"
AUCS = "d_auc_heldout_before_and_after"


def read(preset: str) -> dict[str, Any]:
    """Return the published numbers of a *preset* of examples/synthetic."""
    return json.loads((RESULTS / preset / "report.json").read_text(encoding="utf-8"))


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


def _finish(axes: Axes) -> None:
    axes.grid(color=GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def main() -> None:
    """Write both pictures."""
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # it tells of every font
    PICTURES.mkdir(exist_ok=True)
    for name, content in (("collapse", collapse()), ("stronger_d", stronger_d())):
        (PICTURES / f"{name}.png").write_bytes(content)


if __name__ == "__main__":
    main()
