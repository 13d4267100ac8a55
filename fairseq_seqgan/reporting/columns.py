"""The columns of the report: those metrics of the registry that have one."""

from __future__ import annotations

from collections.abc import Iterable

from ..metrics.base import METRICS, Metric, find


def order(names: Iterable[str]) -> list[str]:
    """Return those of *names* that are columns, in the order in which they are shown."""
    found = [metric for metric in known(names) if metric.column]
    return [metric.name for metric in found]


def known(names: Iterable[str]) -> list[Metric]:
    """Return the registered metrics among *names*, in the order in which they are shown."""
    found = [metric for name in sorted(set(names)) if (metric := find(name))]
    ranks = {name: place for place, name in enumerate(METRICS)}
    return sorted(found, key=lambda metric: (metric.order, ranks[metric.family]))


def column(name: str) -> Metric:
    """Return the metric *name*, which is registered."""
    metric = find(name)
    assert metric is not None, name
    return metric


def notes(names: Iterable[str]) -> list[str]:
    """Return what is to be said of the columns *names*, each sentence once."""
    return list(dict.fromkeys(filter(None, (column(name).note for name in names))))
