"""Learning curves: every training's validations on one of two axes, the seeds taken together.

Pre-training (MLE, scheduled sampling) is drawn over epochs, what follows it over updates of G, or
over rounds; it begins with the validation of the checkpoint that it started from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..support.errors import InputError
from .aggregate import Row
from .run_folder import BEST, FINE_TUNING, LAST, PHASES, PRETRAINING, RUN, SELECTIONS
from .runs import Run
from .training_log import Record, best

UPDATES, ROUNDS = "updates", "rounds"
AXES = {UPDATES: "updates of G", ROUNDS: "rounds"}


@dataclass
class Curve:
    """One line of the picture; X points that all S seeds have."""

    label: str
    name: str  # of the system
    kind: str
    x: np.ndarray  # (X,) epochs, updates of G, or rounds
    mean: dict[str, np.ndarray]  # by metric: (X,) nats per token
    sd: dict[str, np.ndarray] | None  # by metric: (X,); None of a single seed


@dataclass
class Curves:
    """All lines, and where pre-training ends."""

    pretraining: list[Curve]
    fine_tuning: list[Curve]
    ends: list[float]  # epochs of the checkpoints that fine-tuning started from, rising
    axis: str  # of fine-tuning
    metrics: tuple[str, ...] = ("nll_oracle", "nll")  # every line has them


def make_curves(rows: list[Row], axis: str) -> Curves:
    """Return the curves of the rows at temperature 1 that hold a training's log, one of a system.

    Raises:
        InputError: a run's ``training`` is malformed; the message names it.
    """
    found = Curves([], [], [], axis)
    if rows and "oracle" not in rows[0].runs[0].about:
        found.metrics = ("nll",)
    ends = set()
    for row in rows:
        runs = [run for run in row.runs if run.curve]
        if not runs or _logged(rows, row.system.name) is not row:
            continue
        if phase(runs[0]) == PRETRAINING:
            points = [[(r["epoch"], r) for r in run.curve] for run in runs]
            found.pretraining.append(_join(row, points, found.metrics))
            continue
        ends |= {begin["epoch"] for run in runs if (begin := start(run, rows))}
        points = [fine_tuned(run, rows, axis) for run in runs]
        found.fine_tuning.append(_join(row, points, found.metrics))
    found.ends = sorted(ends)
    return found


def _logged(rows: list[Row], name: str | None) -> Row | None:
    """Return the row of the system *name* that has its training's log: the last update's, or else
    the one selected on validation."""
    own = [row for row in rows if row.system.name == name and row.system.temperature == 1.0]
    own = [row for row in own if any(run.curve for run in row.runs)]
    return next((row for row in own if row.system.selection == LAST), own[0] if own else None)


def phase(run: Run) -> str:
    """Return whether *run*, which has a curve, is pre-training or fine-tuning.

    Raises:
        InputError: its ``training`` says neither.
    """
    found = run.about["training"].get("phase")
    if found not in PHASES:
        raise _malformed(run, f"phase is {found!r}, not '{PRETRAINING}' or '{FINE_TUNING}'")
    return found


def fine_tuned(run: Run, rows: list[Row], axis: str) -> list[tuple[float, Record]]:
    """Return the validations of a fine-tuning with their place on *axis*, its start at 0.

    Raises:
        InputError: the run's ``training`` is malformed.
    """
    begin = start(run, rows)
    return ([(0.0, begin)] if begin else []) + _fine_tuning(run, axis)


def start(run: Run, rows: list[Row]) -> Record | None:
    """Return the validation of the checkpoint that *run* started from, if it is in the report."""
    named = run.about["training"].get("start")
    if named is None:
        return None
    if not isinstance(named, dict) or named.get("selection") not in SELECTIONS:
        raise _malformed(run, f"start is {named!r}, not a system and its selection")
    row = _logged(rows, named.get("system"))
    same = [r for r in row.runs if r.about["seed"] == run.about["seed"] and r.curve] if row else []
    if not same:
        return None
    return {LAST: same[0].curve[-1], BEST: best(same[0].curve)}[named["selection"]]


def _fine_tuning(run: Run, axis: str) -> list[tuple[float, Record]]:
    """Return the validations after the first update of G, each with its place on *axis*.

    An adversarial training's epoch is a round once D is pre-trained; others count their updates.
    """
    pretrain, g_steps = _pretrain_d_steps(run), run.about["training"].get("g_steps")
    _check_count(run, "g_steps", g_steps, 1)
    points = []
    for record in run.curve:
        if pretrain is None:
            updates = record.get("num_updates", 0.0)
        else:
            updates = (record["epoch"] - pretrain) * g_steps
        if updates > 0:
            points.append((updates if axis == UPDATES else updates / g_steps, record))
    return points


def _pretrain_d_steps(run: Run) -> int | None:
    """Return the epochs in which D is pre-trained; None: the training is not adversarial."""
    found = run.about["training"].get("pretrain_d_steps")
    if found is not None:
        _check_count(run, "pretrain_d_steps", found, 0)
    return found


def _check_count(run: Run, name: str, value: object, least: int) -> None:
    if not (isinstance(value, int) and value >= least):
        raise _malformed(run, f"{name} is {value!r}, not a whole number from {least} on")


def heldout_aucs(run: Run) -> tuple[float, float] | None:
    """Return D's AUC on held-out data before the first update of G and after the last one.

    Returns:
        None where no D was trained.
    """
    name, pretrain = "d_auc_heldout", _pretrain_d_steps(run) or 0
    known = [record for record in run.curve if name in record]
    before = [record[name] for record in known if record["epoch"] <= pretrain]
    return (before[-1], known[-1][name]) if before else None


def _join(row: Row, seeds: list[list[tuple[float, Record]]], metrics: tuple[str, ...]) -> Curve:
    """Take the seeds together where all of them have a point and every metric."""
    tables = [
        {x: record for x, record in points if all(name in record for name in metrics)}
        for points in seeds
    ]
    xs = sorted(set.intersection(*(set(table) for table in tables)))
    values = {m: np.array([[t[x][m] for x in xs] for t in tables]) for m in metrics}
    sd = {m: v.std(axis=0, ddof=1) for m, v in values.items()} if len(tables) > 1 else None
    mean = {m: v.mean(axis=0) for m, v in values.items()}
    return Curve(row.label, row.system.name, row.kind, np.array(xs), mean, sd)


def _malformed(run: Run, what: str) -> InputError:
    return InputError(f"{run.folder / RUN}: training: {what}")
