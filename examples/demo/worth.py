"""The second part of the demo: what D is worth on a small oracle, and sampling with its help."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from common.console import ExperimentError
from common.files import read_json, write_json
from common.recipe import Recipe
from common.steps import Steps
from common.systems import System, Variant, variants
from tabulate import tabulate

from .one_seed import OneSeed

COLUMNS = ("nll", "nll_oracle", "entropy", "judge_auc")
HEADERS = ("", "held-out NLL", "NLL_oracle", "entropy", "judge's AUC")

Row = dict[str, Any]


class Worth(OneSeed):
    """Its preset is worth.yaml."""

    def load(self, preset: Path) -> tuple[Recipe, list[System]]:
        """Return the recipe of the YAML file *preset* and its systems.

        Raises:
            ExperimentError: see the base class, or the row that D is compared with is missing.
        """
        recipe, systems = super().load(preset)
        _plain(preset, variants(systems))
        return recipe, systems

    def results(self, steps: Steps, seeds: list[int]) -> str:
        """Write ``report.json``; return the closing table."""
        commands, seed = steps.commands, seeds[0]
        rows, shown = [], variants(list(commands.systems.values()))
        for variant in shown:
            found = read_json(steps.folder(variant, seed) / "metrics.json")
            if variant.guide > 1:
                # What is sampled is near G with D, not G.
                found |= {"nll": found["nll_with_d"], "entropy": found["entropy_with_d"]}
            how = {"guide": variant.guide, "temperature": variant.temperature}
            rows.append({"label": variant.label, **how, **found})
        entropy = read_json(commands.data / "stats.json")["splits"]["test"]["nll_oracle"]
        write_json(
            steps.work.dest / "report.json",
            {"seed": seed, "units": "nats per token", "oracle": entropy, "rows": rows}
            | {"seconds": steps.work.state["seconds"]},
        )
        plain = rows[shown.index(_plain(steps.work.dest, shown))]
        return f"{table(rows, entropy)}\n\n{explain(rows, plain)}"

    def closing(self, args: argparse.Namespace) -> str:
        """Return where everything is."""
        return f"Everything of this table is in {args.dest}/"


def _plain(where: Path, rows: list[Variant]) -> Variant:
    """Return the row of the checkpoint that sampling with D begins with; else the first one.

    Raises:
        ExperimentError: it has no row; the message begins with *where*.
    """
    start = next((row.system.start for row in rows if row.guide > 1), None)
    if start is None:
        return rows[0]
    for row in rows:
        named = (row.system.name, row.checkpoint) == (start.system, start.checkpoint)
        if named and row.temperature == 1.0 and row.guide == 1:
            return row
    name = f"{start.system}/{start.checkpoint}"
    raise ExperimentError(f"{where}: systems: there is no row {name}, from which D's row begins")


def table(rows: list[Row], entropy: float) -> str:
    """Return the results as text; the oracle's own three numbers are its *entropy*."""
    lines = [["the oracle itself", entropy, entropy, entropy, None]]
    lines += [[row["label"], *(row.get(column) for column in COLUMNS)] for row in rows]
    formats = ("", ".3f", ".3f", ".3f", ".2f")
    return tabulate(lines, HEADERS, floatfmt=formats, missingval="-")


def explain(rows: list[Row], plain: Row) -> str:
    """Return the lines under the table: what the columns are, and what D was worth.

    Args:
        plain: the one among *rows* that sampling with D begins with.
    """
    guided = next((row for row in rows if row["guide"] > 1), None)
    if guided is None:
        return "Nothing was drawn with D's help."
    gain, error = guided["d_gain"], guided["d_gain_stderr"]
    lines = [
        "Nats per token; the NLL of MLE with D is a bound. Judge's AUC: the probability that "
        "another discriminator, which\n  no system was trained against, scores real text above a "
        "sample; 0.5: it cannot tell them apart.",
        f"D's gain over MLE: {gain:.2f} +- {error:.2f} nats per sequence on held-out data.",
    ]
    if gain <= 1.96 * error:
        return "\n".join([*lines, "0 is within its error: here D has nothing to teach."])
    if guided["judge_auc"] < plain["judge_auc"]:
        lines.append(
            f"So D knows what MLE does not: keeping one of {guided['guide']} samples by D's "
            f"judgement makes the held-out NLL\n  {plain['nll'] - guided['nll']:.3f} lower, and "
            f"takes the judge from {plain['judge_auc']:.2f} to {guided['judge_auc']:.2f}."
        )
    cooler = next((row for row in rows if row["temperature"] < 1 and row["guide"] == 1), None)
    if cooler is not None and cooler["nll_oracle"] < plain["nll_oracle"]:
        lower = plain["nll_oracle"] - cooler["nll_oracle"]
        lines.append(
            f"A lower temperature makes NLL_oracle {lower:.3f} lower, and changes the held-out NLL "
            f"by {cooler['nll'] - plain['nll']:+.3f}:\n  it draws what is likely more often, and "
            "the rest of the data less."
        )
    return "\n".join(lines)
