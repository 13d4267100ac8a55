"""``table.md``: the paper's numbers of a task beside ours, over the seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from common.files import read_json
from common.shared import escaping, run_folder
from common.systems import SELECTIONS, System
from tabulate import tabulate

from .commands import REAL
from .task import Metric, Task

NONE = "–"
markdown, markdown_code = escaping.markdown, escaping.markdown_code
# Shown behind the paper's metrics, where the runs have them: key in metrics.json, title, factor.
OTHERS = (
    ("backward_bleu{order}_corpus", "backward BLEU-{order}, corpus", 1),
    ("self_bleu", "self-BLEU", 1),
    ("nll", "held-out NLL", 1),
    ("copied_samples", "copied samples (%)", 100),
)


@dataclass
class Row:
    """One row: its ``run.json`` (of the first seed), every seed's ``metrics.json``, the seeds."""

    about: dict[str, Any]
    metrics: list[dict[str, Any]]
    seeds: list[int]

    def values(self, key: str) -> list[float] | None:
        """Return a metric of every seed; None if one has none."""
        values = [found[key] for found in self.metrics if found.get(key) is not None]
        return None if len(values) < len(self.metrics) else [float(value) for value in values]

    def shown(self, key: str, factor: int = 1) -> str:
        """Return a metric as text, with the standard deviation over seeds if there are several."""
        values = self.values(key)
        if values is None:
            return NONE
        decimals = 2 if factor == 100 or key.startswith("mse") else 3
        text = f"{factor * mean(values):.{decimals}f}"
        return text if len(values) == 1 else f"{text} ± {factor * stdev(values):.{decimals}f}"


def read_rows(runs: Path) -> list[Row]:
    """Return the rows of all finished runs, in the order of the recipe; others follow, by name."""
    found: dict[tuple, Row] = {}
    for folder in sorted(runs.iterdir()):
        if not (folder / run_folder.RUN).is_file():  # interrupted before anything was drawn
            continue
        about = read_json(folder / run_folder.RUN)
        if about.get("finished") is True:
            about.setdefault("temperature", 1.0)
            key = about["system"], about["selection"], about["temperature"]
            row = found.setdefault(key, Row(about, [], []))
            row.metrics.append(read_json(folder / run_folder.METRICS))
            row.seeds.append(about["seed"])
    order = {key: row.about.get("position", math.inf) for key, row in found.items()}
    return [found[key] for key in sorted(found, key=lambda key: (order[key], key))]


class Table:
    """A table of the paper and the rows of an experiment.

    Args:
        task: whose table it is.
        systems: of the recipe, by name.
        rows: in their order.
    """

    def __init__(self, task: Task, systems: dict[str, System], rows: list[Row]) -> None:
        self.task, self.rows = task, rows
        self.start = systems["seqgan"].start if "seqgan" in systems else None

    def paper_name(self, row: Row) -> str | None:
        """Return which of the paper's rows *row* is: MLE's is the checkpoint SeqGAN starts from."""
        name, selection = row.about["system"], row.about["selection"]
        if row.about["kind"] == REAL:
            return REAL
        if row.about["temperature"] != 1.0 or name not in ("mle", "seqgan"):
            return None
        wanted = SELECTIONS["last"]
        if self.start is not None and name == self.start.system:
            wanted = SELECTIONS[self.start.checkpoint]
        return name if selection == wanted else None

    def results(self) -> str:
        """Return the table, in Markdown."""
        metrics = self.task.metrics
        others = self._others()
        headers = ["", "checkpoint"]
        for metric in metrics:
            headers += [f"**the paper's {metric.title}**", *metric.ours.values()]
        headers += [title for _, title, _ in others]
        lines = [self._line(row, others) for row in self.rows]
        align = ["left"] * 2 + ["right"] * (len(headers) - 2)
        return tabulate(lines, headers, tablefmt="pipe", colalign=align, disable_numparse=True)

    def markdown(self, differs: Iterable[str]) -> str:
        """Return the table, which of our definitions is nearest, and what *differs*."""
        nearest = [text for metric in self.task.metrics if (text := self._nearest(metric))]
        parts = [
            f"# The paper's {self.task.table} beside ours",
            self.results(),
            "BLEU's references are all sequences of the test split. The row of real data scores "
            "those of the valid split. NLL is in nats per token. What the metrics mean: "
            "docs/metrics.md.",
            *nearest,
            "## What differs",
            "\n".join(f"- {text}" for text in (*self.task.differs, *map(markdown, differs))),
            *self._signatures(),
        ]
        return "\n\n".join(parts) + "\n"

    def _others(self) -> list[tuple[str, str, int]]:
        """Return those of OTHERS that a row has."""
        titles = [metric.title for metric in self.task.metrics]
        orders = [t.removeprefix("BLEU-") for t in titles if t.startswith("BLEU-")]
        others = [
            (key.format(order=order), title.format(order=order), factor)
            for key, title, factor in OTHERS
            for order in (orders if "{order}" in key else [""])
        ]
        return [other for other in others if any(row.values(other[0]) for row in self.rows)]

    def _line(self, row: Row, others: list[tuple[str, str, int]]) -> list[str]:
        name = self.paper_name(row)
        best = row.about["selection"] == SELECTIONS["best"]
        modelled = row.values("nll") is not None
        line = [markdown(row.about["label"])]
        line += [("best held-out" if best else "last") if modelled else NONE]
        for metric in self.task.metrics:
            paper = metric.paper.get(name) if name else None
            line += [NONE if paper is None else f"**{paper:g}**"]
            line += [row.shown(key) for key in metric.ours]
        return line + [row.shown(key, factor) for key, _, factor in others]

    def _nearest(self, metric: Metric) -> str | None:
        """Return a sentence on which definition of ours gives a number near the paper's."""
        for name in (REAL, "mle"):
            row = next((row for row in self.rows if self.paper_name(row) == name), None)
            if row is None or name not in metric.paper:
                continue
            found = {
                title: mean(values)
                for key, title in metric.ours.items()
                if (values := row.values(key)) is not None
            }
            if len(found) > 1:
                paper, label = metric.paper[name], markdown(row.about["label"])
                best = min(found, key=lambda title: abs(found[title] - paper))
                numbers = ", ".join(f"{title}: {value:.3f}" for title, value in found.items())
                return (
                    f"Nearest to the paper's {metric.title} of {paper:g} for {label} "
                    f"is **{best}** ({numbers}). The paper may still mean another one."
                )
        return None

    def _signatures(self) -> list[str]:
        found = {
            str(value)
            for row in self.rows
            for metrics in row.metrics
            for key, value in metrics.items()
            if key.endswith("signature")
        }
        lines = "\n".join(f"- {markdown_code(signature)}" for signature in sorted(found))
        return ["## How BLEU was computed", lines] if found else []
