"""The columns of the report: their titles, their digits, and what they say."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

BLEU = re.compile(r"(backward_)?bleu([1-9][0-9]*)_(corpus|sentence)")


class Column(NamedTuple):
    """How a metric is shown."""

    title: str
    decimals: int
    scale: int = 1
    about: str = ""  # a sentence for the notes below the table, if it needs one


_OTHERS = {
    "nll_oracle": Column("NLL_oracle", 3),
    "nll": Column("held-out NLL", 3),
    "entropy": Column("entropy", 3),
    "self_bleu": Column("self-BLEU", 3),
    "mse_nearest": Column(
        "MSE, nearest", 2,
        about="MSE, nearest: mean squared difference, in semitones squared, to the held-out "
        "sequence of the same length that is nearest; lower is nearer to one real tune.",
    ),
    "mse_mean": Column(
        "MSE, mean", 2,
        about="MSE, mean: mean squared difference to the held-out sequences' mean of each step; "
        "lower is nearer to an average, which is no tune.",
    ),
    "mse_one_step": Column(
        "MSE, one step", 2,
        about="MSE, one step: mean squared difference of a pitch that the model draws, given the "
        "real ones before, to the real next one; of the model, not of its samples. A lower "
        "temperature lowers it.",
    ),
    "copied_samples": Column("copied samples (%)", 2, 100),
    "copied_4grams": Column("copied 4-grams (%)", 2, 100),
}  # fmt: skip
_BEFORE_BLEU = ("nll_oracle", "nll", "entropy")
_HOW = {
    "corpus": "n-grams are counted over all of them before they are divided",
    "sentence": "the mean of each one's own",
}
_ABOUT = (
    "BLEU-n, {kind}: every sample against all held-out sequences, on a scale of 0 … 1; {how}. "
    "Higher is more like real data; a system that draws a few good sequences over and over has a "
    "high one, too."
)
_BACKWARD_ABOUT = (
    "Backward BLEU-n, {kind}: every held-out sequence against all samples, on a scale of 0 … 1; "
    "{how}. Higher covers more of real data. It grows with the number of samples: compare only "
    "equal numbers."
)


def order(names: Iterable[str]) -> list[str]:
    """Return those of *names* that are columns, in the order in which they are shown."""
    names = set(names)
    bleus = sorted((name for name in names if BLEU.fullmatch(name)), key=_bleu_order)
    first = [name for name in _BEFORE_BLEU if name in names]
    return first + bleus + [n for n in _OTHERS if n in names and n not in first]


def column(name: str) -> Column:
    """Return how the metric *name* is shown."""
    found = BLEU.fullmatch(name)
    if found is None:
        return _OTHERS[name]
    backward, n, kind = found.groups()
    about = (_BACKWARD_ABOUT if backward else _ABOUT).format(kind=kind, how=_HOW[kind])
    return Column(f"{'backward ' if backward else ''}BLEU-{n}, {kind}", 4, about=about)


def notes(names: Iterable[str]) -> list[str]:
    """Return what is to be said of the columns *names*, each sentence once."""
    return list(dict.fromkeys(filter(None, (column(name).about for name in names))))


def _bleu_order(name: str) -> tuple[bool, str, int]:
    backward, n, kind = BLEU.fullmatch(name).groups()
    return bool(backward), kind, int(n)
