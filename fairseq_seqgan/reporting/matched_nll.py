"""The difference of two systems' NLL_oracle at equal held-out NLL.

Fine-tuning moves a model away from the MLE checkpoint that it starts from: NLL_oracle falls, and
the held-out NLL rises. How far both move depends on the learning rate and on when the training
stops. So two trainings are compared at the same held-out NLL: the highest one that both have
reached. Between two validations, NLL_oracle is interpolated linearly. Example: a system goes from
(held-out NLL 7.70, NLL_oracle 9.05) to (7.80, 8.73); at 7.75 its NLL_oracle is 8.89.

Sampling from MLE at lower temperatures gives such a path too. Where a training's held-out NLL never
rises above that of its start, its last NLL_oracle counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from ..metrics.significance import Paired, paired
from . import learning_curves
from .aggregate import Row, find
from .run_folder import FINE_TUNING, LAST
from .runs import System

Path = list[tuple[float, float]]  # (held-out NLL, NLL_oracle), nats per token, from the start on


@dataclass(frozen=True)
class Comparison:
    """A system against another one, over the seeds that both have."""

    system: Row
    label: str  # of the other system
    name: str
    seeds: tuple[int, ...]
    prices: tuple[float, ...]  # by seed: by how much the held-out NLL is above the start's
    differences: tuple[float, ...]  # by seed: the system's NLL_oracle less the other's
    test: Paired | None  # of the differences; None of a single seed
    aucs: tuple[
        tuple[float, float], ...
    ] = ()  # by seed: D's held-out AUC before and after G is trained


def compare(rows: list[Row], reference: Row | None) -> list[Comparison]:
    """Return the comparisons of *reference* with every other fine-tuned system and the sweep.

    Empty where there is no oracle, no reference, or no log of one of them.

    Raises:
        InputError: a run's ``training`` is malformed; the message names it.
    """
    if reference is None:
        return []
    found = [
        _compare_trained(reference, row, rows)
        for row in rows
        if row is not reference and find(rows, row.system.name) is row
    ]
    start = _start(reference, rows)
    if start is not None:
        label, name = f"{start.label} at lower temperatures", f"{start.system.name}_temperatures"
        # The sweep is measured on the test split and many samples, so the reference's end is too.
        ours = _path([start, reference])
        found.append(_compare(reference, label, name, ours, _swept(start, rows)))
    return [comparison for comparison in found if comparison.seeds]


def compare_with_controls(rows: list[Row]) -> list[Comparison]:
    """Return the comparison of every system whose runs name a control with that control.

    Raises:
        InputError: a run's ``training`` is malformed; the message names it.
    """
    found = []
    for row in rows:
        name = row.runs[0].about.get("control")
        control = None if name is None else find(rows, name)
        if control is not None and find(rows, row.system.name) is row:
            compared = _compare_trained(row, control, rows)
            runs = [run for run in row.runs if run.about["seed"] in compared.seeds]
            aucs = [auc for run in runs if (auc := learning_curves.heldout_aucs(run))]
            found.append(replace(compared, aucs=tuple(aucs)))
    return [comparison for comparison in found if comparison.seeds]


def _compare_trained(ours: Row, theirs: Row, rows: list[Row]) -> Comparison:
    paths = (_trained(row, rows) for row in (ours, theirs))
    return _compare(ours, theirs.label, theirs.system.name, *paths)


def _compare(
    row: Row, label: str, name: str, ours: dict[int, Path], theirs: dict[int, Path]
) -> Comparison:
    seeds, prices, differences = [], [], []
    for seed in sorted(ours.keys() & theirs.keys()):
        pair = ours[seed], theirs[seed]
        level = min(max(nll for nll, _ in path) for path in pair)
        start = max(path[0][0] for path in pair)
        if level >= start:  # not where one begins further away than the other one ever gets
            first, second = (_value(path, level) for path in pair)
            seeds.append(seed)
            prices.append(level - start)
            differences.append(first - second)
    return Comparison(
        row, label, name, tuple(seeds), tuple(prices), tuple(differences), paired(differences)
    )


def _value(path: Path, level: float) -> float:
    """Return the NLL_oracle that *path* has for a held-out NLL of *level*."""
    rose = max(nll for nll, _ in path) > path[0][0]
    return at(path, level) if rose else path[-1][1]


def at(path: Path, level: float) -> float:
    """Return the NLL_oracle where *path* first rises to the held-out NLL *level*, which it does."""
    for (nll, value), (next_nll, next_value) in pairwise(path):
        if nll <= level <= next_nll and nll < next_nll:
            return value + (next_value - value) * (level - nll) / (next_nll - nll)
    raise ValueError(f"the path does not reach {level}")


def _trained(row: Row, rows: list[Row]) -> dict[int, Path]:
    """Return by seed the path of a fine-tuning whose start is in the report."""
    found = {}
    for run in row.runs:
        if (
            run.curve
            and learning_curves.phase(run) == FINE_TUNING
            and learning_curves.start(run, rows)
        ):
            points = learning_curves.fine_tuned(run, rows, learning_curves.UPDATES)
            path = [
                (record["nll"], record["nll_oracle"])
                for _, record in points
                if "nll" in record and "nll_oracle" in record
            ]
            if len(path) == len(points) > 1:
                found[run.about["seed"]] = path
    return found


def _start(reference: Row, rows: list[Row]) -> Row | None:
    """Return the row of the checkpoint that *reference* started from."""
    start = reference.runs[0].about.get("training", {}).get("start")
    if not isinstance(start, dict):
        return None
    wanted = System(str(start.get("system")), str(start.get("selection", LAST)), 1.0)
    return next((row for row in rows if row.system == wanted), None)


def _swept(start: Row, rows: list[Row]) -> dict[int, Path]:
    """Return by seed the path from *start* through its lower temperatures."""
    same = [
        row
        for row in rows
        if row.system._replace(temperature=1.0) == start.system and row.system.temperature <= 1
    ]
    return _path(sorted(same, key=lambda row: -row.system.temperature))


def _path(rows: list[Row]) -> dict[int, Path]:
    """Return by seed the path through *rows* as they are in the table; of seeds that all have."""
    if len(rows) < 2 or not all({"nll", "nll_oracle"} <= row.metrics.keys() for row in rows):
        return {}
    paths: dict[int, Path] = {}
    for row in rows:
        values = zip(*(row.metrics[name].values for name in ("nll", "nll_oracle")), strict=True)
        for seed, value in zip(row.seeds, values, strict=True):
            paths.setdefault(seed, []).append(value)
    return {seed: path for seed, path in paths.items() if len(path) == len(rows)}
