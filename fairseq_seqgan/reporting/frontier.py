"""``frontier.png``: NLL_oracle against held-out NLL, one point a system.

Quality at the price of coverage is cheap: a lower temperature buys it from MLE without training.
That sweep is a line; a system is better than it only on its lower left.
"""

from __future__ import annotations

from matplotlib.axes import Axes

from .rows import Row
from .runs import BEST
from .style import GRID, INK, ORACLE, colours, figure, png, styled

X, Y = "nll", "nll_oracle"
_MARKERS = {"system": "o", "baseline": "s", "control": "^"}


def draw(rows: list[Row], entropy: float | None) -> bytes:
    """Return the picture: all points and the oracle on the left, the crowd on the right.

    Args:
        entropy: the oracle's, in nats per token: where a perfect model would be, on both axes.
    """
    points = [row for row in rows if row.kind != "oracle" and X in row.metrics]
    near = [row for row in points if row.system.temperature == 1.0]
    with styled():
        picture = figure(13, 6.6)
        whole, close = picture.subplots(1, 2)
        picture.get_layout_engine().set(wspace=0.05)
        colour = colours(row.system.name for row in rows)
        for axis in (whole, close):
            _sweeps(axis, points, colour)
            for row in near:
                _point(axis, row, colour[row.system.name])
            _finish(axis)
        if entropy is not None:
            _oracle(whole, entropy)
        whole.margins(x=0.12)  # for the temperatures beside the points
        whole.set_title("with the oracle", fontsize=11)
        close.set_title("the same, enlarged", fontsize=11)
        _enlarge(close, near)
        handles, labels = whole.get_legend_handles_labels()
        if handles:
            picture.legend(
                handles, labels, loc="outside lower center", ncols=min(4, len(labels)),
                frameon=False,
            )  # fmt: skip
        else:
            whole.set_title("no run has a held-out NLL", fontsize=11)
        return png(picture)


def _sweeps(axis: Axes, rows: list[Row], colour: dict[str, str]) -> None:
    """Draw a system that was sampled at several temperatures as a line."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault(row.system[:2], []).append(row)
    for (name, _), sweep in groups.items():
        if len(sweep) < 2:
            continue
        sweep.sort(key=lambda row: -row.system.temperature)
        x, y = ([row.metrics[metric].mean for row in sweep] for metric in (X, Y))
        base = next((row.label for row in sweep if row.system.temperature == 1.0), name)
        style = {"color": colour[name], "lw": 1.4, "marker": ".", "ms": 7, "zorder": 1}
        axis.plot(x, y, label=f"{base} at lower temperatures T", **style)
        for row, at in zip(sweep, zip(x, y, strict=True), strict=True):
            if row.system.temperature != 1.0:
                axis.annotate(
                    f"T = {row.system.temperature:g}", at, (-6, -2), textcoords="offset points",
                    ha="right", va="top", fontsize=8.5, color=colour[name], annotation_clip=True,
                )  # fmt: skip


def _point(axis: Axes, row: Row, colour: str) -> None:
    """Draw a system, hollow if it was selected on validation, with bars of ± one deviation."""
    x, y = row.metrics[X], row.metrics[Y]
    chosen = row.system.selection == BEST
    axis.errorbar(
        x.mean, y.mean, xerr=x.sd, yerr=y.sd, ls="none", marker=_MARKERS[row.kind], ms=8,
        color=colour, mfc="white" if chosen else colour, mew=1.6, capsize=2, elinewidth=1,
        label=f"{row.label} (selected on validation)" if chosen else row.label, zorder=2,
    )  # fmt: skip


def _oracle(axis: Axes, entropy: float) -> None:
    """Mark the oracle's entropy on both axes, and the point where both are equal to it."""
    line = {"color": ORACLE, "lw": 1, "ls": ":", "zorder": 0}
    axis.axhline(entropy, **line)
    axis.axvline(entropy, **line)
    axis.plot(
        entropy, entropy, "*", color=ORACLE, ms=14, zorder=2,
        label=f"the oracle: its entropy is {entropy:.3f}",
    )  # fmt: skip


def _enlarge(axis: Axes, rows: list[Row]) -> None:
    """Show the points of *rows* with a margin for their bars."""
    for metric, limit in ((X, axis.set_xlim), (Y, axis.set_ylim)):
        ends = [
            summary.mean + sign * (summary.sd or 0.0)
            for summary in (row.metrics[metric] for row in rows)
            for sign in (-1, 1)
        ]
        if ends:
            margin = 0.12 * ((max(ends) - min(ends)) or 0.1)
            limit(min(ends) - margin, max(ends) + margin)


def _finish(axis: Axes) -> None:
    axis.set_xlabel("held-out NLL (nats per token)", color=INK)
    axis.set_ylabel("NLL_oracle of the samples (nats per token)", color=INK)
    axis.grid(color=GRID)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
