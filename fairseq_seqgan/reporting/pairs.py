"""Each seed of a system against the same seed of the reference.

Most trainings of one seed share their start. In the difference of two such trainings it drops out,
so their test is a paired one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..metrics.significance import Paired, paired
from .aggregate import Row
from .frontier import plane

_NO_MODELS = ("oracle", "real")  # their seeds have no start


@dataclass(frozen=True)
class Pairs:
    """A row against the reference, over the seeds that both have."""

    row: Row
    seeds: tuple[int, ...]
    differences: dict[str, tuple[float, ...]]  # by metric: by seed, the row's less the reference's

    @property
    def tests(self) -> dict[str, Paired | None]:
        """By metric, the test of whether the mean difference is 0."""
        return {name: paired(values) for name, values in self.differences.items()}


def compare(rows: list[Row], reference: Row | None, order: int | None = None) -> list[Pairs]:
    """Return the pairs of every other model's row with *reference*, where they share two seeds.

    Args:
        order: of BLEU, without an oracle; None: the largest that was measured.
    """
    quality, coverage, *others = metrics(rows, order)
    if reference is None or coverage not in reference.metrics:
        return []
    models = [row for row in rows if row.kind not in _NO_MODELS and coverage in row.metrics]
    names = (quality, coverage, *others)
    found = [_pair(row, reference, names) for row in models if row is not reference]
    return [pairs for pairs in found if len(pairs.seeds) > 1]


def metrics(rows: list[Row], order: int | None = None) -> tuple[str, ...]:
    """Return what is compared: quality, coverage, and how well a judge knows the samples."""
    shown = plane(rows, order)
    return shown.y, shown.x, "judge_auc"


def _pair(row: Row, reference: Row, names: Sequence[str]) -> Pairs:
    seeds = tuple(seed for seed in row.seeds if seed in reference.seeds)
    differences = {}
    for name in names:
        if name in row.metrics and name in reference.metrics:
            ours, theirs = (
                dict(zip(each.seeds, each.metrics[name].values, strict=True))
                for each in (row, reference)
            )
            differences[name] = tuple(ours[seed] - theirs[seed] for seed in seeds)
    return Pairs(row, seeds, differences)
