"""``panels.png``, the paper's Figure 3: one column for each system, with its two curves."""

from __future__ import annotations

from .curves import LABELS, finish, line
from .learning_curves import AXES, Curve, Curves
from .style import INK, colours, figure, png, styled


def systems(curves: Curves) -> list[Curve]:
    """Return the curves that have a panel: the fine-tunings that are no control."""
    return [curve for curve in curves.fine_tuning if curve.kind == "system" and len(curve.x)]


def draw(curves: Curves) -> bytes:
    """Return the picture: NLL_oracle above and held-out NLL below, on the same axes for all.

    A dashed line is the value that a training began with, which is that of its MLE checkpoint.
    """
    drawn = systems(curves)
    with styled():
        picture = figure(2 + 3 * max(1, len(drawn)), 1 + 2.8 * len(curves.metrics))
        axes = picture.subplots(
            len(curves.metrics), max(1, len(drawn)), sharex="col", sharey="row", squeeze=False
        )
        colour = colours(curve.name for curve in drawn)
        for metric, row in zip(curves.metrics, axes, strict=True):
            row[0].set_ylabel(LABELS[metric])
            for axis, curve in zip(row, drawn, strict=False):
                line(axis, curve, metric, colour[curve.name])
                axis.axhline(curve.mean[metric][0], color=INK, lw=1, ls="--")
                finish(axis)
        for axis, curve in zip(axes[0], drawn, strict=False):
            axis.set_title(curve.label, fontsize=11, wrap=True)
        for axis in axes[-1][: len(drawn)]:
            axis.set_xlabel(AXES[curves.axis])
        notes = "lower is better; dashed: where the training began"
        picture.supxlabel(notes if drawn else "no training log of a system", fontsize=10)
        return png(picture)
