"""The rows of the report: the seeds of every system together, and a test against a reference.

Shapes: S seeds, M samples of each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..metrics.significance import Welch, welch
from ..support.errors import InputError
from . import columns
from .run_folder import KINDS, LAST
from .runs import Collection, Run, System

# The sha256 of the oracle.npz that preprocess/oracle.py makes of the authors' parameter file, and
# what the paper's Table 1 states for it, in nats per token.
AUTHORS_ORACLE = "df5c76c827925faece23bec60906243445b92c64b246379aaaa83bc43540e9e5"
TABLE_1 = {
    "random_unigram": 10.310,
    "mle": 9.038,
    "scheduled_sampling": 8.985,
    "pg_bleu": 8.946,
    "seqgan": 8.736,
}


class Summary(NamedTuple):
    """A number over the S seeds of a system."""

    mean: float
    sd: float | None  # sample standard deviation (S - 1); None of a single seed
    values: tuple[float, ...]  # of every seed, in their order


@dataclass
class Row:
    """One system: its seeds together."""

    system: System
    runs: list[Run]  # by seed
    metrics: dict[str, Summary]  # by column, those that every run has
    details: dict[str, Summary]  # what else of these metrics the JSON holds, by key
    over_samples: Welch | None = None  # against the reference: over all S x M scores
    over_seeds: Welch | None = None  # against the reference: over the S means

    @property
    def kind(self) -> str:
        """Oracle, baseline, system or control."""
        return self.runs[0].about["kind"]

    @property
    def label(self) -> str:
        """What the user reads; the seeds share it."""
        return self.runs[0].about["label"]

    @property
    def seeds(self) -> list[int]:
        """The seeds, rising."""
        return [run.about["seed"] for run in self.runs]

    @property
    def samples(self) -> int:
        """M, the samples of every seed."""
        return self.runs[0].samples

    @property
    def paper(self) -> float | None:
        """The NLL_oracle of the paper's Table 1, where it can be compared with."""
        plain = self.system.selection == LAST and self.system.temperature == 1.0
        same = self.runs[0].about.get("oracle") == AUTHORS_ORACLE
        return TABLE_1.get(self.system.name) if plain and same else None


def make_rows(collection: Collection, reference: str) -> list[Row]:
    """Return the rows, in the order of their runs' ``position``, tested against *reference*.

    Args:
        reference: the system whose last-update row every other one is tested against; without such
            a row no test is made.

    Raises:
        InputError: a metric is no number.
    """
    groups: dict[System, list[Run]] = {}
    for run in collection.runs:
        groups.setdefault(run.system, []).append(run)
    rows = [_make_row(system, runs) for system, runs in groups.items()]
    rows.sort(key=_order)
    against = find(rows, reference)
    if against is not None:
        for row in rows:
            if row is not against:
                scores, others = _scores(row), _scores(against)
                if scores is not None and others is not None:
                    row.over_samples = welch(scores, others)
                means = (r.metrics[collection.score].values for r in (row, against))
                row.over_seeds = welch(*means)
    return rows


def find(rows: list[Row], name: str) -> Row | None:
    """Return the last-update row of the system *name* at temperature 1, if there is one."""
    return next((row for row in rows if row.system == System(name, LAST, 1.0)), None)


def _make_row(system: System, runs: list[Run]) -> Row:
    runs = sorted(runs, key=lambda run: run.about["seed"])
    stated = {name for run in runs for name in run.metrics}
    shown = columns.order(stated | {"nll", "entropy"})  # the oracle states them otherwise
    summaries = _summaries(runs, shown)
    further = [key for name in summaries for key in columns.column(name).reported]
    return Row(system, runs, summaries, _summaries(runs, further))


def _summaries(runs: list[Run], names: Iterable[str]) -> dict[str, Summary]:
    """Return those numbers among *names* that every run has."""
    found = {}
    for name in names:
        stated = [_number(run, name) for run in runs]
        values = [value for value in stated if value is not None]
        if len(values) == len(runs):
            sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
            found[name] = Summary(float(np.mean(values)), sd, tuple(values))
    return found


def _number(run: Run, name: str) -> float | None:
    try:
        return run.metric(name)
    except (TypeError, ValueError) as error:
        raise InputError(f"{run.folder}: {name} is no number ({error})") from error


def _order(row: Row) -> tuple:
    """Sort as the runs say, else by kind and name."""
    about = row.runs[0].about
    return about.get("position", len(KINDS) * 1000), KINDS.index(row.kind), row.system


def _scores(row: Row) -> np.ndarray | None:
    """Return the scores of all seeds (S * M,); None if those of one were not published."""
    scores = [run.scores for run in row.runs if run.scores is not None]
    return np.concatenate(scores) if len(scores) == len(row.runs) else None


def oracle_entropy(rows: list[Row]) -> float | None:
    """Return the oracle's entropy in nats per token, estimated from its samples.

    From the oracle's own row; without one, from the held-out data that the runs were measured on.
    """
    for row in rows:
        if row.kind == "oracle":
            return row.metrics["nll_oracle"].mean
    values = [run.metrics.get("oracle_nll") for row in rows for run in row.runs]
    return next((float(value) for value in values if value is not None), None)
