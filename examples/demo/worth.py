"""The second part of the demo: what D is worth on a small oracle, and sampling with its help."""

from __future__ import annotations

import argparse
from typing import Any

from common.files import read_json, write_json
from common.steps import Steps
from common.systems import variants
from tabulate import tabulate

from .one_seed import OneSeed

COLUMNS = ("nll", "nll_oracle", "entropy", "judge_auc")
HEADERS = ("", "held-out NLL", "NLL_oracle", "entropy", "judge's AUC")

Row = dict[str, Any]


class Worth(OneSeed):
    """Its preset is worth.yaml."""

    def results(self, steps: Steps, seeds: list[int]) -> str:
        """Write ``report.json``; return the closing table."""
        commands, seed = steps.commands, seeds[0]
        rows = []
        for variant in variants(list(commands.systems.values())):
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
        return f"{table(rows, entropy)}\n\n{explain(rows)}"

    def closing(self, args: argparse.Namespace) -> str:
        """Return where everything is."""
        return f"Everything of this table is in {args.dest}/"


def table(rows: list[Row], entropy: float) -> str:
    """Return the results as text; the oracle's own three numbers are its *entropy*."""
    lines = [["the oracle itself", entropy, entropy, entropy, None]]
    lines += [[row["label"], *(row.get(column) for column in COLUMNS)] for row in rows]
    formats = ("", ".3f", ".3f", ".3f", ".2f")
    return tabulate(lines, HEADERS, floatfmt=formats, missingval="-")


def explain(rows: list[Row]) -> str:
    """Return the lines under the table: what the columns are, and what D was worth."""
    plain = rows[0]
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
