"""``learning_curves.png``, the paper's Figure 2: NLL_oracle over training, and held-out NLL."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from .learning_curves import AXES, Curve, Curves
from .style import GRID, INK, colours, figure, legend_columns, png, styled

LABELS = {
    "nll_oracle": "NLL_oracle of the samples\n(nats per token)",
    "nll": "held-out NLL\n(nats per token)",
}
_WARM_UP = 0.15  # of the pre-training's epochs may lie above the picture


def draw(curves: Curves, entropy: float | None) -> bytes:
    """Return the picture: epochs of pre-training on the left, what follows on the right.

    Args:
        entropy: the oracle's, in nats per token, stated beside the legend; far below all curves.
    """
    sides = [side for side in (curves.pretraining, curves.fine_tuning) if side]
    with styled():
        height = 8.6 if len(curves.metrics) > 1 else 5
        picture = figure(11 if len(sides) > 1 else 7.5, height)
        axes = picture.subplots(
            len(curves.metrics), max(1, len(sides)), sharex="col", sharey="row", squeeze=False
        )
        picture.get_layout_engine().set(wspace=0.01, hspace=0.02)
        colour = colours(curve.name for side in sides for curve in side)
        below = collapsed(curves, entropy)
        for row, metric in zip(axes, curves.metrics, strict=True):
            for axis, side in zip(row, sides, strict=False):
                for curve in side:
                    line(axis, curve, metric, colour[curve.name])
            for axis in row:
                finish(axis)
            row[0].set_ylabel(LABELS[metric])
            _limit(row[0], curves, metric, below)
        _label(axes, curves)
        if sides:
            lines, names = _legend(axes[0])
            picture.legend(
                lines,
                names,
                loc="outside upper center",
                frameon=False,
                ncols=legend_columns(names, picture.get_figwidth()),
            )
        notes = ["lower is better"]
        if curves.ends:
            notes.append("dotted: where pre-training ends")
        if entropy is not None:
            notes.append(f"the oracle's own NLL is {entropy:.3f}")
        if any(curve.sd for side in sides for curve in side):
            notes.append("bands: ± standard deviation over seeds")
        lines = ["; ".join(notes)]
        lines += [f"{c.label} falls out of the picture, to {_end(c):.2f}" for c in below]
        picture.supxlabel("\n".join(lines) if sides else "no training log", fontsize=10)
        return png(picture)


def line(axis: Axes, curve: Curve, metric: str, colour: str) -> None:
    """Draw *curve*; a control is dashed, and few points have markers."""
    style = {"color": colour, "lw": 1.8, "ls": "--" if curve.kind == "control" else "-"}
    if len(curve.x) <= 40:
        style |= {"marker": "o", "ms": 3.5}
    axis.plot(curve.x, curve.mean[metric], label=curve.label, **style)
    if curve.sd is not None:
        low, high = (curve.mean[metric] + sign * curve.sd[metric] for sign in (-1, 1))
        axis.fill_between(curve.x, low, high, color=colour, alpha=0.15, lw=0)


def finish(axis: Axes) -> None:
    """Give *axis* its grid and its ticks, and take its box away."""
    axis.grid(axis="y", color=GRID)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.tick_params(labelleft=axis.get_subplotspec().is_first_col())


def collapsed(curves: Curves, entropy: float | None) -> list[Curve]:
    """Return the fine-tunings that end below the oracle's own NLL: they repeat what it likes."""
    if entropy is None:
        return []
    return [c for c in curves.fine_tuning if len(c.x) and _end(c) < entropy]


def _end(curve: Curve) -> float:
    return float(curve.mean["nll_oracle"][-1])


def _limit(axis: Axes, curves: Curves, metric: str, below: list[Curve]) -> None:
    """Leave the first epochs above the picture, and the curves *below* under it, so that the rest
    has room."""
    under = {curve.name for curve in below} if metric == "nll_oracle" else set()
    values = [curve.mean[metric] for curve in curves.fine_tuning if curve.name not in under]
    for curve in curves.pretraining:
        if len(curve.x):
            values.append(curve.mean[metric][curve.x >= _WARM_UP * curve.x[-1]])
    flat = np.concatenate(values) if values else np.empty(0)
    if len(flat):
        margin = 0.06 * (np.ptp(flat) or 1.0)
        axis.set_ylim(flat.min() - margin, flat.max() + margin)


def _label(axes: np.ndarray, curves: Curves) -> None:
    """Name the phases, and mark where pre-training ends."""
    line = {"color": INK, "lw": 1.2, "ls": ":"}
    column = 0
    if curves.pretraining:
        axes[-1, 0].set_xlabel("pre-training: epochs")
        for axis in axes[:, 0]:
            for epoch in curves.ends:
                axis.axvline(epoch, **line)
        column = 1
    if curves.fine_tuning:
        axes[-1, column].set_xlabel(f"after pre-training: {AXES[curves.axis]}")
        for axis in axes[:, column]:
            axis.axvline(0, **line)
        axes[0, column].annotate(
            "pre-training ends",
            (0, 1),
            (5, -2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            va="top",
            fontsize=10,
            bbox={"fc": "white", "ec": "none", "alpha": 0.8, "pad": 1},
        )


def _legend(row: np.ndarray) -> tuple[list, list[str]]:
    """Return the handles and labels of all *row*'s axes."""
    pairs = [pair for axis in row for pair in zip(*axis.get_legend_handles_labels(), strict=True)]
    return [handle for handle, _ in pairs], [label for _, label in pairs]
