"""What ``fairseq-seqgan evaluate`` found, as tables and as JSON."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tabulate import tabulate

from ..metrics.base import Metric, Score
from ..support.errors import InputError

Json = dict[str, str | float | int | None]


class Measured(NamedTuple):
    """A metric and what it found."""

    metric: Metric
    score: Score
    heldout: Score | None  # the same of the held-out data, if the metric has it


@dataclass
class Evaluation:
    """The numbers, and what they were measured on."""

    samples: Path | None  # None: the samples are real data
    samples_split: str | None  # the split that they are, if they are
    data: Path
    num_samples: int
    split: str  # the held-out split
    heldout_sequences: int
    training_sequences: int
    policy: Json = field(default_factory=dict)  # how the model was measured, if there is one
    measured: list[Measured] = field(default_factory=list)

    @property
    def per_sample(self) -> dict[str, np.ndarray]:
        """Return a score of each sample (S,), by the metric's name."""
        scores = {found.metric.name: found.score.per_sample for found in self.measured}
        return {name: values for name, values in scores.items() if values is not None}

    def as_json(self) -> Json:
        """Return a flat object: NLLs in nats per token, shares in 0 ... 1, None for undefined.

        Raises:
            InputError: two metrics state the same key.
        """
        source: Json = (
            {"samples_split": self.samples_split}
            if self.samples is None
            else {"samples_file": str(self.samples)}
        )
        found = source | {
            "samples": self.num_samples,
            "data": str(self.data),
            "heldout_split": self.split,
            "heldout_sequences": self.heldout_sequences,
            "training_sequences": self.training_sequences,
            **self.policy,
        }
        for metric, score, heldout in self.measured:
            own = _keys(metric, score)
            if heldout is not None:
                own |= _keys(metric, heldout, "heldout_")
            for key, value in own.items():
                if found.setdefault(key, value) != value:
                    raise InputError(f"metric '{metric.name}': the key '{key}' has a value already")
        return found

    def as_text(self) -> str:
        """Return the tables of what was measured."""
        source = self.samples or f"split '{self.samples_split}'"
        parts = [f"{source}, against {self.data} (held-out split: {self.split})"]
        tables: dict[str, list[Measured]] = {}
        for found in self.measured:
            tables.setdefault(found.metric.table, []).append(found)
        variety = tables.pop("variety", [])
        parts += [_LAYOUTS.get(title, _any_table)(title, found) for title, found in tables.items()]
        return "\n\n".join([*parts, self._variety_table(variety)])

    def _variety_table(self, measured: list[Measured]) -> str:
        """Return the table in which held-out data stand beside the samples."""
        rows = [["sequences", f"{self.num_samples:,}", f"{self.heldout_sequences:,}"]]
        rows += [
            [_row_title(metric), _show(metric, score), _show(metric, heldout)]
            for metric, score, heldout in sorted(measured, key=lambda found: -found.metric.rank)
        ]
        for _, score, heldout in measured:
            both = (score.counts, heldout.counts if heldout else {})
            for title in {**both[0], **both[1]}:
                rows.append([title, *(_count(counts.get(title)) for counts in both)])
        headers = ["variety", "samples", self.split]
        align = ("left", "right", "right")
        return tabulate(rows, headers, colalign=align, disable_numparse=True)


def _keys(metric: Metric, score: Score, prefix: str = "") -> Json:
    """Return what *score* is in the JSON."""
    found: Json = {f"{prefix}{metric.name}": score.value}
    if score.stderr is not None:
        found[f"{prefix}{metric.name}_stderr"] = score.stderr
    found |= {f"{prefix}{key}": value for key, value in score.details.items()}
    if score.signature:
        found[f"{prefix}{metric.signature_key}"] = score.signature
    return {key: _json_value(value) for key, value in found.items()}


def _json_value(value: Any) -> str | float | int | None:
    """Return *value* as JSON has it: a metric of one's own may return a number of numpy's."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if _undefined(value) else value


def _likelihood_table(title: str, measured: list[Measured]) -> str:
    rows = [
        [_row_title(metric), *map(_four_decimals, (score.value, score.stderr)), score.over]
        for metric, score, _ in measured
    ]
    align = ("left", "right", "right", "left")
    headers = [title, "mean", "± s.e.", "over"]
    return tabulate(rows, headers, colalign=align, disable_numparse=True)


def _bleu_table(title: str, measured: list[Measured]) -> str:
    """Return the table in which both kinds of BLEU stand in one row."""
    rows: dict[str, list] = {}
    for metric, score, _ in measured:
        rows.setdefault(_row_title(metric), []).append(score)
    lines = [
        [name, *(score.value for score in scores), scores[0].over] for name, scores in rows.items()
    ]
    headers = [title, "corpus", "mean of sentences", "sequences"]
    return tabulate(lines, headers, floatfmt=("", ".4f", ".4f", ""))


def _pitch_table(title: str, measured: list[Measured]) -> str:
    rows = [[_row_title(metric), f"{score.value:.3f}"] for metric, score, _ in measured]
    for _, score, _ in measured:
        rows += [[name, _count(number)] for name, number in score.counts.items()]
    return tabulate(rows, [title, "value"], colalign=("left", "right"), disable_numparse=True)


def _any_table(title: str, measured: list[Measured]) -> str:
    """Return the table of metrics that have no layout of their own."""
    rows = []
    for metric, score, heldout in measured:
        stderr = "" if score.stderr is None else _number_or_dash(metric, score.stderr)
        named = f"{_row_title(metric)} ({metric.unit})" if metric.unit else _row_title(metric)
        rows.append([named, _show(metric, score), stderr, _show(metric, heldout), score.over])
        rows += [[name, _count(number)] for name, number in score.counts.items()]
    headers = [title, "value", "± s.e.", "held-out", "over"]
    align = ("left", "right", "right", "right", "left")
    return tabulate(rows, headers, colalign=align, disable_numparse=True)


_LAYOUTS: dict[str, Callable[[str, list[Measured]], str]] = {
    "nats per token": _likelihood_table,
    "BLEU, 0 ... 1": _bleu_table,
    "mean squared error, keys": _pitch_table,
}


def _row_title(metric: Metric) -> str:
    return metric.row_title or metric.title or metric.name


def _undefined(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _show(metric: Metric, score: Score | None) -> str:
    """Return a count as it is, and any other number with the metric's scale and decimals."""
    if score is None or _undefined(score.value):
        return "-"
    if isinstance(score.value, int):
        return f"{score.value:,}"
    return _number(metric, score.value)


def _four_decimals(value: float | None) -> str:
    return "" if value is None else "-" if _undefined(value) else f"{value:.4f}"


def _number_or_dash(metric: Metric, value: float) -> str:
    return "-" if _undefined(value) else _number(metric, value)


def _number(metric: Metric, value: float) -> str:
    percent = "%" if metric.scale == 100 else ""
    return f"{metric.scale * value:.{metric.row_decimals}f}{percent}"


def _count(number: int | None) -> str:
    return "-" if number is None else f"{number:,}"
