"""``teaching.md``: how much of what D is worth a generator has taken over, over the seeds."""

from __future__ import annotations

from statistics import mean, stdev

from common.systems import System
from tabulate import tabulate

from .table import NONE, Row

HEADERS = ("", "held-out NLL", "better than MLE (nats per sequence)", "share of D's gain (%)")


def taught(systems: dict[str, System]) -> bool:
    """Return whether a training begins with the D of another one, so that there is a share."""
    return any(system.discriminator_from is not None for system in systems.values())


def markdown(rows: list[Row]) -> str | None:
    """Return the table; None before MLE and the system with D are measured on the same seeds."""
    start = next((row for row in rows if row.about["system"] == "mle"), None)
    guided = next((row for row in rows if row.values("d_gain")), None)
    if start is None or guided is None or start.seeds != guided.seeds:
        return None
    gains, per_token = _of(guided, "d_gain"), _of(guided, "d_gain_per_token")
    if not all(gains):  # D knows nothing, so there is nothing to take over
        return None
    tokens = [gain / part for gain, part in zip(gains, per_token, strict=True)]
    untaught = _of(start, "nll")
    lines = []
    for row in rows:
        if row is guided:
            bound = _shown(_of(row, "nll_with_d"), 4)
            lines.append([row.about["label"], bound, _shown(gains, 3), "100"])
        elif (nll := row.values("nll")) and row.seeds == guided.seeds:
            pairs = zip(untaught, nll, tokens, strict=True)
            better = [(before - after) * length for before, after, length in pairs]
            share = [100 * b / gain for b, gain in zip(better, gains, strict=True)]
            lines.append([row.about["label"], _shown(nll, 4)])
            lines[-1] += [NONE, NONE] if row is start else [_shown(better, 3), _shown(share, 1)]
    seeds = len(gains)
    return (
        "# What G takes over of what D knows\n\n"
        + tabulate(lines, HEADERS, tablefmt="pipe", disable_numparse=True)
        + f"\n\nThe test split; {seeds} seed{'s' if seeds > 1 else ''}"
        + (", mean ± standard deviation" if seeds > 1 else "")
        + ". NLL in nats per token; of MLE with D it is a bound. The checkpoints of the students "
        "are those with the lowest NLL on the valid split.\n"
    )


def _of(row: Row, name: str) -> list[float]:
    """Return a metric of every seed, which *row* has."""
    values = row.values(name)
    if values is None:
        raise ValueError(f"{row.about['label']}: a run has no {name}")
    return values


def _shown(values: list[float], decimals: int) -> str:
    text = f"{mean(values):.{decimals}f}"
    return text if len(values) == 1 else f"{text} ± {stdev(values):.{decimals}f}"
