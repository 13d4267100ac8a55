"""How far tunes are from real ones: three ways to read the "MSE" of the paper's Table 4.

The paper gives an MSE of music and does not define it. All three are mean squared differences of
keys of the piano, 1 ... 88, in semitones squared.

Silence, 0, is not a pitch. It counts as the key before it, and silence at the beginning as the
first key that follows, as in ``preprocess/nottingham.py`` by default. Example: 0 0 50 0 41 counts
as 50 50 50 50 41. A tune that is silent throughout has no pitch and cannot be compared.

Shapes: S tunes, R references, T steps, B tunes of a batch, V symbols.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from .base import Direction, Keys, Metric, MetricInputs, Score, register_metric

if TYPE_CHECKING:  # a report needs no torch
    from torch import Tensor

_PAIRS = 2**22  # differences that are held at a time: 32 MB of float64


def hold(keys: np.ndarray) -> np.ndarray:
    """Return tunes in which every silent step takes the key before it: (S, T) -> (S, T).

    Steps before the first note take the first key. A tune that is silent throughout stays all 0.
    Example: ``0 5 0 7`` becomes ``5 5 5 7``.
    """
    sounding = keys > 0
    latest = np.maximum.accumulate(np.where(sounding, np.arange(keys.shape[1]), -1), axis=1)
    latest = np.where(latest < 0, sounding.argmax(axis=1)[:, None], latest)
    return np.take_along_axis(keys, latest, axis=1)


def nearest(tunes: Keys, references: Keys) -> np.ndarray:
    """Return for every tune the smallest mean squared difference to any reference: (S,) float64.

    NaN where a tune is silent throughout, or no reference has its length.
    """
    return _by_length(tunes, references, _to_nearest)


def to_mean(tunes: Keys, references: Keys) -> np.ndarray:
    """Return every tune's mean squared difference to the references' mean of each step: (S,).

    Float64; NaN where a tune is silent throughout, or no reference has its length.
    """
    return _by_length(
        tunes, references, lambda own, real: np.square(own - real.mean(axis=0)).mean(axis=1)
    )


def one_step(log_probs: Tensor, pitches: Tensor, keys: Tensor) -> Tensor:
    """Return the expected squared error of the pitch that the model draws after real steps.

    In every step that is sum_v p(v) (pitch(v) - key)^2, computed from the probabilities: nothing is
    drawn. Silence stands for the key before it, and is left out before the first note. Symbols that
    are neither a pitch nor silence (the end) are left out. The other probabilities are scaled up to
    a sum of 1, however small theirs is.

    Args:
        log_probs: (B, T, V), the model's for the step after the real ones before, in nats.
        pitches: (V,) float64: a symbol's key, 0 for silence, NaN for what is neither.
        keys: (B, T) int64: the real keys, 0 for silence; negative at padding.

    Returns:
        One float64 for every step from each tune's first note on; before it no pitch is expected.
    """
    import torch

    latest = torch.where(keys > 0, torch.arange(keys.size(1)), -1).cummax(dim=1).values
    due = keys.gather(1, latest.clamp(min=0))  # the key that sounds or is held; 0: none yet
    before = torch.cat([torch.zeros_like(due[:, :1]), due[:, :-1]], dim=1)
    sounding = pitches > 0
    drawn = sounding | ((pitches == 0) & (before > 0).unsqueeze(2))
    probs = log_probs.double().masked_fill(~drawn, -math.inf).softmax(dim=2)
    silent = probs @ (pitches == 0).double()
    pitches = torch.where(sounding, pitches, 0.0)
    mean = probs @ pitches + silent * before
    square = probs @ pitches.square() + silent * before.square()
    counted = (latest >= 0) & (keys >= 0)
    return (square - 2 * mean * due + due.square())[counted]


def _by_length(
    tunes: Keys, references: Keys, error: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """Return error(tunes (S, T), references (R, T)) of every length T, each tune in its place."""
    found = np.full(len(tunes), np.nan)
    real = _groups(references)
    for length, (places, own) in _groups(tunes).items():
        if length in real:
            found[places] = error(own, real[length][1])
    return found


def _groups(tunes: Keys) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Return for every length the places (S,) of its tunes, and their keys (S, T), held."""
    places: dict[int, list[int]] = {}
    for place, tune in enumerate(tunes):
        if any(tune):
            places.setdefault(len(tune), []).append(place)
    return {
        length: (np.array(where), hold(np.array([tunes[i] for i in where])).astype(np.float64))
        for length, where in places.items()
    }


def _to_nearest(own: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Return the smallest mean squared difference of *own* (S, T) to a row of *real* (R, T).

    |a - b|^2 is |a|^2 - 2 ab + |b|^2, exact here: all are whole numbers far below 2^53.
    """
    norms = np.square(real).sum(axis=1)
    rows = max(1, _PAIRS // len(real))
    parts = [
        (norms - 2 * part @ real.T).min(axis=1) + np.square(part).sum(axis=1)
        for part in (own[i : i + rows] for i in range(0, len(own), rows))
    ]
    return np.concatenate(parts) / own.shape[1]


class PitchMetric(Metric):
    """A mean squared difference of pitches."""

    unit = "semitones squared"
    needs: ClassVar[tuple[str, ...]] = ("music",)
    table, rank = "mean squared error, keys", 40
    decimals, row_decimals = 2, 3

    def validate(self, inputs: MetricInputs) -> None:
        """Read all words as keys: InputError where one is not a pitch."""
        len(inputs.sample_keys), len(inputs.heldout_keys)

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add ``--music``."""
        about = "pitch errors: the tokens are keys of a piano, 1 to 88, and 0 for silence"
        parser.add_argument("--music", action="store_true", help=about)


@register_metric("mse_nearest")
class NearestTune(PitchMetric):
    """How far a sample is from the nearest held-out tune."""

    title, row_title = "MSE, nearest", "to the nearest held-out sequence"
    direction = Direction.LOWER
    formula = (
        "mean over the samples y of min over the held-out x of the same length of "
        "(1/T) Σ_t (y_t − x_t)²"
    )
    note = (
        "MSE, nearest: mean squared difference, in semitones squared, to the held-out "
        "sequence of the same length that is nearest; lower is nearer to one real tune."
    )

    def compute(self, inputs: MetricInputs) -> Score:
        """Return the mean over the samples that can be compared; NaN if none can."""
        return Score(_mean_of_known(nearest(inputs.sample_keys, inputs.heldout_keys)))


@register_metric("mse_mean")
class MeanTune(PitchMetric):
    """How far a sample is from the held-out tunes' mean."""

    title, row_title = "MSE, mean", "to the held-out sequences' mean of each step"
    formula = (
        "mean over the samples y of (1/T) Σ_t (y_t − m_t)², where m_t is the mean of x_t over the "
        "held-out x of the same length"
    )
    note = (
        "MSE, mean: mean squared difference to the held-out sequences' mean of each step; "
        "lower is nearer to an average, which is not a tune."
    )

    def compute(self, inputs: MetricInputs) -> Score:
        """Return the mean over the samples that can be compared, and the number of the others."""
        errors = to_mean(inputs.sample_keys, inputs.heldout_keys)
        left_out = int(np.isnan(errors).sum())
        title = "samples left out: silent, or of another length"
        return Score(
            _mean_of_known(errors),
            details={"mse_left_out": left_out},
            counts={title: left_out} if left_out else {},
        )


@register_metric("mse_one_step")
class NextPitch(PitchMetric):
    """How far the model's next pitch is from the real one."""

    title, row_title = "MSE, one step", "of the next pitch, drawn after real ones"
    needs = ("music", "model")
    formula = (
        "mean over the steps of held-out data of Σ_k p(k) (k − x_t)², where p(k) is the "
        "probability of pitch k after the real x_1 … x_t−1 at `--temperature`"
    )
    note = (
        "MSE, one step: mean squared difference of a pitch that the model draws, given the "
        "real ones before, to the real next one; of the model, not of its samples. A lower "
        "temperature lowers it."
    )

    def compute(self, inputs: MetricInputs) -> Score:
        """Return the mean over all steps from each tune's first note on; NaN if there is none."""
        import torch

        symbols = torch.from_numpy(inputs.symbol_keys())
        errors = []
        for rows, log_probs in inputs.heldout_next_log_probs():
            real = [list(inputs.heldout_keys[row]) for row in rows]
            keys = [row + [-1] * (log_probs.size(1) - len(row)) for row in real]
            errors.append(one_step(log_probs, symbols, torch.tensor(keys)))
        every = torch.cat(errors)
        return Score(float(every.mean()) if len(every) else math.nan)


def _mean_of_known(errors: np.ndarray) -> float:
    compared = errors[~np.isnan(errors)]
    return float(compared.mean()) if len(compared) else math.nan
