"""The learning curves: MLE, then SeqGAN and the constant reward from the same checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fairseq_seqgan.reporting.training_log import Record

PANELS = (
    ("nll_oracle", "NLL_oracle of the samples\n(nats per token)"),
    ("nll", "held-out NLL\n(nats per token)"),
)
INK, GRID, ORACLE, MLE = "#333333", "#e3e3e3", "#2a7f3f", "#555555"
COLOURS = {"SeqGAN": "#c8422b", "constant reward": "#2b6cb0"}


@dataclass(frozen=True)
class Curves:
    """What is drawn. Every record has ``nll_oracle`` and ``nll``, in nats per token."""

    mle: list[Record]  # with ``epoch``, up to the best one
    adversarial: dict[str, list[Record]]  # by label; one record for each round
    g_steps: int  # updates of G in a round
    oracle: float  # the oracle's own NLL
    samples: int  # behind each point of nll_oracle

    def points(self, records: list[Record]) -> list[Record]:
        """Return *records* of rounds with the MLE checkpoint, where they began, in front."""
        return [self.mle[-1], *records]


def draw(curves: Curves, path: Path) -> None:
    """Write the picture: two panels over one axis, a line where pre-training ends.

    The oracle's own NLL is far below all curves, so every panel's axis is cut above it.
    """
    style = {"font.size": 11, "axes.edgecolor": INK, "xtick.color": INK, "ytick.color": INK}
    with plt.rc_context(style):
        figure, axes = plt.subplots(
            5, 1, figsize=(9, 8.6), sharex=True, height_ratios=(5, 1, 0.4, 5, 1),
            layout="constrained",
        )  # fmt: skip
        figure.get_layout_engine().set(hspace=0.015, h_pad=0.02)
        axes[2].set_axis_off()  # a gap
        for (name, label), top, strip in zip(PANELS, axes[::3], axes[1::3], strict=True):
            _draw_panel(top, strip, curves, name)
            top.set_ylabel(label, color=INK)
        _label_time(axes[4], curves)
        _finish(figure, axes, curves, path)


def _draw_panel(top: Axes, strip: Axes, curves: Curves, name: str) -> None:
    """Draw the curves of metric *name* into *top*, and the oracle's line into the *strip* below."""
    x = [r["epoch"] - len(curves.mle) for r in curves.mle]
    top.plot(x, [r[name] for r in curves.mle], "o-", color=MLE, ms=5, label="MLE")
    for label, records in curves.adversarial.items():
        x = [r * _round_width(curves) for r in range(len(records) + 1)]
        y = [r[name] for r in curves.points(records)]
        top.plot(x, y, "o-", color=COLOURS[label], ms=5, label=label)
    strip.axhline(curves.oracle, color=ORACLE, lw=1.8)
    strip.set_ylim(curves.oracle - 0.12, curves.oracle + 0.12)
    strip.set_yticks([curves.oracle], [f"{curves.oracle:.2f}"])
    strip.annotate(
        "the oracle's own NLL", (0.012, curves.oracle), (0, 3), textcoords="offset points",
        xycoords=("axes fraction", "data"), color=ORACLE, va="bottom", fontsize=10,
    )  # fmt: skip
    for axis in (top, strip):
        axis.axvline(0, color=INK, lw=1.2, ls="--")
        axis.grid(axis="y", color=GRID)
        axis.set_axisbelow(True)
        axis.tick_params(axis="x", length=0, labelbottom=False)
        axis.spines[["top", "right"]].set_visible(False)
    top.spines.bottom.set_visible(False)
    # Two short strokes on the left: the axis is cut here.
    cut = {"marker": [(-1, -0.5), (1, 0.5)], "ms": 9, "ls": "none", "color": INK, "clip_on": False}
    top.plot([0], [0], transform=top.transAxes, **cut)
    strip.plot([0], [1], transform=strip.transAxes, **cut)


def _round_width(curves: Curves) -> float:
    """Return how wide a round is, so that both phases take about half of the picture."""
    rounds = max(len(records) for records in curves.adversarial.values())
    return max(1, len(curves.mle)) / max(1, rounds)


def _label_time(bottom: Axes, curves: Curves) -> None:
    """Name the two phases on the axis: epochs of MLE on the left, updates of G on the right."""
    width, last = _round_width(curves), len(curves.mle)
    rounds = max(len(records) for records in curves.adversarial.values())
    left = [(epoch - last, f"{epoch}") for epoch in range(1, last)]
    every = max(1, -(-rounds // 8))
    right = [(r * width, f"{r * curves.g_steps}") for r in range(every, rounds + 1, every)]
    ticks = [*left, (0, f"{last} | 0"), *right]
    bottom.set_xticks([x for x, _ in ticks], [text for _, text in ticks])
    bottom.tick_params(axis="x", length=4, labelbottom=True)
    bottom.set_xlim(1 - last - 0.4, rounds * width + 0.4)
    under = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "color": INK}
    for x, text in (
        ((1 - last) / 2, "MLE: epochs"),
        (rounds * width / 2, "adversarial training: updates of G"),
    ):
        bottom.annotate(text, (x, 0), (0, -26), ha="center", va="top", **under)
    bottom.set_xlabel(" ", labelpad=12)  # room for the two labels


def _finish(figure: Figure, axes: list[Axes], curves: Curves, path: Path) -> None:
    axes[0].annotate(
        "pre-training ends", (0, 1), (6, 0), xycoords=("data", "axes fraction"),
        textcoords="offset points", va="top", color=INK, fontsize=10,
    )  # fmt: skip
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(labels), frameon=False)
    note = f"lower is better; NLL_oracle from {curves.samples:,} samples a point"
    figure.legend([], [], title=note, loc="outside upper right", title_fontsize=10, frameon=False)
    temporary = path.with_name(f".{path.name}")
    figure.savefig(temporary, dpi=150, format="png")
    plt.close(figure)
    temporary.replace(path)
