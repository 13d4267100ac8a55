"""``frontier.png``: quality against coverage, one point a system.

With an oracle NLL_oracle against held-out NLL, without one BLEU against backward BLEU. Quality at
the price of coverage is cheap: a lower temperature buys it from MLE without training. That sweep is
a line; a system is better than it only beyond it: on its lower left with an oracle, on its upper
right without.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from ..metrics.bleu_scores import SentenceBleu
from .aggregate import Row
from .run_folder import BEST
from .style import GRID, INK, ORACLE, colours, figure, legend_columns, png, styled

_LABEL = (0.12, 0.06)  # width and height of a temperature's name, in parts of the axes
_MARKERS = {"system": "o", "baseline": "s", "control": "^", "real": "*"}


class Plane(NamedTuple):
    """What the picture shows."""

    x: str  # the column across
    y: str  # the column up
    x_label: str
    y_label: str
    whole: str  # what the left half is called
    empty: str  # what is said if there is no point


_ORACLE_PLANE = Plane(
    "nll",
    "nll_oracle",
    "held-out NLL (nats per token)",
    "NLL_oracle of the samples (nats per token)",
    "with the oracle",
    "no run has a held-out NLL",
)


def orders(rows: list[Row]) -> list[int]:
    """Return the orders n for which *rows* have BLEU-n and backward BLEU-n of sentences."""
    stated = {name for row in rows for name in row.metrics}
    forward = filter(None, map(SentenceBleu.parse, stated))
    return sorted(bleu.n for bleu in forward if f"backward_{bleu.name}" in stated)


def plane(rows: list[Row], order: int | None = None) -> Plane:
    """Return what to draw of *rows*: without an oracle BLEU of *order*; None: of the largest."""
    if "oracle" in rows[0].runs[0].about:
        return _ORACLE_PLANE
    n = max(orders(rows), default=0) if order is None else order
    return Plane(
        f"backward_bleu{n}_sentence",
        f"bleu{n}_sentence",
        f"coverage: backward BLEU-{n} (mean of held-out sentences)",
        f"quality: BLEU-{n} (mean of sampled sentences)",
        "all temperatures; better is up and right",
        "no run has BLEU and backward BLEU",
    )


def draw(rows: list[Row], entropy: float | None, order: int | None = None) -> bytes:
    """Return the picture: all points and the oracle on the left, an enlarged part on the right.

    Args:
        entropy: the oracle's, in nats per token: where a perfect model would be, on both axes.
        order: of BLEU; None: the largest that was measured.
    """
    shown = plane(rows, order)
    points = [
        row for row in rows if row.kind != "oracle" and {shown.x, shown.y} <= row.metrics.keys()
    ]
    systems = Counter(row.system[:2] for row in points)
    swept = [row for row in points if systems[row.system[:2]] > 1]
    near = [r for r in points if r.system.temperature == 1.0 or systems[r.system[:2]] == 1]
    with styled():
        picture = figure(13, 6.6)
        whole, close = picture.subplots(1, 2)
        picture.get_layout_engine().set(wspace=0.05)
        colour = colours(row.system.name for row in rows)
        for axis in (whole, close):
            _sweeps(axis, points, colour, shown)
            for row in near:
                _point(axis, row, colour[row.system.name], shown)
            _finish(axis, shown)
        if entropy is not None:
            _oracle(whole, entropy)
        whole.margins(x=0.12)  # for the temperatures beside the points
        whole.set_title(shown.whole, fontsize=11)
        close.set_title("the same, enlarged", fontsize=11)
        # Without a held-out NLL it is no model, and may be far away: random words. So may be what
        # repeats a few sequences that the oracle likes better than its own.
        models = [
            row
            for row in near
            if "nll" in row.metrics and (entropy is None or row.metrics[shown.y].mean >= entropy)
        ]
        _enlarge(close, models or near, shown)
        for axis in (whole, close):
            _temperatures(axis, swept, colour, shown)
        handles, labels = whole.get_legend_handles_labels()
        if handles:
            picture.legend(
                handles,
                labels,
                loc="outside lower center",
                ncols=legend_columns(labels, 13),
                frameon=False,
            )
        else:
            whole.set_title(shown.empty, fontsize=11)
        return png(picture)


def _sweeps(axis: Axes, rows: list[Row], colour: dict[str, str], shown: Plane) -> None:
    """Draw a system that was sampled at several temperatures as a line."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault(row.system[:2], []).append(row)
    for (name, _), sweep in groups.items():
        if len(sweep) < 2:
            continue
        sweep.sort(key=lambda row: -row.system.temperature)
        x, y = ([row.metrics[metric].mean for row in sweep] for metric in shown[:2])
        base = next((row.label for row in sweep if row.system.temperature == 1.0), name)
        style = {"color": colour[name], "lw": 1.4, "marker": ".", "ms": 7, "zorder": 1}
        which = "lower" if sweep[0].system.temperature <= 1 else "other"
        axis.plot(x, y, label=f"{base} at {which} temperatures T", **style)


def _temperatures(axis: Axes, rows: list[Row], colour: dict[str, str], shown: Plane) -> None:
    """Name the temperature of each point but those at 1; once where neighbours have the same."""
    named: list[tuple[str, np.ndarray]] = []
    axis.get_xlim()  # so that the limits of the data are settled
    for row in rows:
        if row.system.temperature == 1.0:
            continue
        text = f"T = {row.system.temperature:g}"
        at = row.metrics[shown.x].mean, row.metrics[shown.y].mean
        place = axis.transLimits.transform(at)  # in parts of the axes
        if any(text == other and (abs(place - near) < _LABEL).all() for other, near in named):
            continue
        named.append((text, place))
        axis.annotate(
            text,
            at,
            (-6, -2),
            textcoords="offset points",
            ha="right",
            va="top",
            fontsize=8.5,
            color=colour[row.system.name],
            annotation_clip=True,
        )


def _point(axis: Axes, row: Row, colour: str, shown: Plane) -> None:
    """Draw a system, hollow if it was selected on validation, with bars of ± one deviation."""
    x, y = row.metrics[shown.x], row.metrics[shown.y]
    chosen = row.system.selection == BEST
    axis.errorbar(
        x.mean,
        y.mean,
        xerr=x.sd,
        yerr=y.sd,
        ls="none",
        marker=_MARKERS[row.kind],
        ms=8,
        color=colour,
        mfc="white" if chosen else colour,
        mew=1.6,
        capsize=2,
        elinewidth=1,
        label=f"{row.label} (selected on validation)" if chosen else row.label,
        zorder=2,
    )


def _oracle(axis: Axes, entropy: float) -> None:
    """Mark the oracle's entropy on both axes, and the point where both are equal to it."""
    line = {"color": ORACLE, "lw": 1, "ls": ":", "zorder": 0}
    axis.axhline(entropy, **line)
    axis.axvline(entropy, **line)
    axis.plot(
        entropy,
        entropy,
        "*",
        color=ORACLE,
        ms=14,
        zorder=2,
        label=f"the oracle: its entropy is {entropy:.3f}",
    )


def _enlarge(axis: Axes, rows: list[Row], shown: Plane) -> None:
    """Show the points of *rows* with a margin for their bars."""
    for metric, limit in ((shown.x, axis.set_xlim), (shown.y, axis.set_ylim)):
        ends = [
            summary.mean + sign * (summary.sd or 0.0)
            for summary in (row.metrics[metric] for row in rows)
            for sign in (-1, 1)
        ]
        if ends:
            margin = 0.12 * ((max(ends) - min(ends)) or 0.1)
            limit(min(ends) - margin, max(ends) + margin)


def _finish(axis: Axes, shown: Plane) -> None:
    axis.set_xlabel(shown.x_label, color=INK)
    axis.set_ylabel(shown.y_label, color=INK)
    axis.locator_params(nbins=6)  # more numbers would touch each other
    axis.grid(color=GRID)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
