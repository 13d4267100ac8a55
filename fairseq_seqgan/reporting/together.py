"""Which runs may stand in one report, and which are seeds of one system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..support.errors import InputError

if TYPE_CHECKING:
    from .runs import Run, System

_OF_A_ROW = ("label", "kind", "control")  # of run.json: the seeds of a system share them
_SHARED = ("oracle (sha256)", "vocabulary", "data", "held-out split", "held-out sequences", "score")


def _shared(run: Run) -> tuple:
    """Return what all runs of a report have in common; without an oracle, the held-out data too."""
    about = run.about.get("oracle"), run.about["vocab_size"], run.about.get("data")
    held = ("heldout_split", "heldout_sequences")
    real = (run.metrics.get(key) if about[0] is None else None for key in held)
    return *about, *real, run.score


def check_together(runs: list[Run]) -> None:
    """Refuse runs that must not stand in one table.

    Raises:
        InputError: names both folders, and what differs.
    """
    first = runs[0]
    for run in runs:
        if ("oracle" in run.about) != ("oracle" in first.about):
            pair = (first, run) if "oracle" in first.about else (run, first)
            raise InputError(
                f"{pair[0].folder} has an oracle, {pair[1].folder} has none; they cannot be "
                "compared"
            )
        for what, own, other in zip(_SHARED, _shared(run), _shared(first), strict=True):
            if own != other:
                raise InputError(
                    f"{first.folder} and {run.folder} have different values of {what}: "
                    f"{other} and {own}; they cannot be compared"
                )
    seen: dict[tuple, Run] = {}
    for run in runs:
        other = seen.setdefault((run.system, run.about["seed"]), run)
        if other is not run:
            raise InputError(
                f"{other.folder} and {run.folder}: both are '{run.about['label']}', seed "
                f"{run.about['seed']}"
            )
    rows: dict[System, Run] = {}
    for run in runs:
        other = rows.setdefault(run.system, run)
        for name in _OF_A_ROW:
            own, stated = run.about.get(name), other.about.get(name)
            if own != stated:
                raise InputError(
                    f"{other.folder} and {run.folder}: seeds of one system with different "
                    f"'{name}': {stated} and {own}"
                )
        if run.samples != other.samples:
            raise InputError(
                f"{other.folder} and {run.folder}: seeds of one system with {other.samples} "
                f"and {run.samples} samples; --num-samples can make them equal"
            )
