"""How far tunes are from real ones: three readings of what the paper's "MSE" may be.

The paper's Table 4 gives an MSE of music and does not define it. All three here are mean squared
differences of keys (semitones squared), of tunes of piano keys 1 ... 88.

Silence, 0, is no pitch: the key before is held through it, and the first key of a tune stands in
front of it too, as in ``preprocess/nottingham.py`` by default. A tune that is silent throughout has
no pitch and cannot be compared.

Shapes: S tunes, R references, T steps, B tunes of a batch, V symbols.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

Tunes = Sequence[Sequence[int]]

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


def nearest(tunes: Tunes, references: Tunes) -> np.ndarray:
    """Return for every tune the smallest mean squared difference to any reference: (S,) float64.

    NaN where a tune is silent throughout, or no reference has its length.
    """
    return _by_length(tunes, references, _to_nearest)


def to_mean(tunes: Tunes, references: Tunes) -> np.ndarray:
    """Return every tune's mean squared difference to the references' mean of each step: (S,).

    Float64; NaN where a tune is silent throughout, or no reference has its length.
    """
    return _by_length(
        tunes, references, lambda own, real: np.square(own - real.mean(axis=0)).mean(axis=1)
    )


def one_step(probs: Tensor, pitches: Tensor, keys: Tensor) -> Tensor:
    """Return the squared error to expect of a pitch that the model draws in a step of real tunes.

    That is sum_v p(v) (pitch(v) - key)^2, given the real steps before: exact, nothing is drawn.
    Silence stands for the key that is held. What is no pitch and no silence (the end) is left out,
    and the rest scaled up.

    Args:
        probs: (B, T, V), the model's for the step after the real ones before.
        pitches: (V,) float64: a symbol's key, 0 for silence, NaN for what is neither.
        keys: (B, T) int64: the real keys, 0 for silence; negative at padding.

    Returns:
        One float64 for every step from a tune's first note on: no pitch is due in a silence before.
    """
    latest = torch.where(keys > 0, torch.arange(keys.size(1)), -1).cummax(dim=1).values
    due = keys.gather(1, latest.clamp(min=0))  # the key that sounds or is held; 0: none yet
    before = torch.cat([torch.zeros_like(due[:, :1]), due[:, :-1]], dim=1)
    sounding = pitches > 0
    probs = probs.double()
    heard = probs @ sounding.double()
    silent = torch.where(before > 0, probs @ (pitches == 0).double(), 0.0)
    pitches = torch.where(sounding, pitches, 0.0)
    mean = (probs @ pitches + silent * before) / (heard + silent)
    square = (probs @ pitches.square() + silent * before.square()) / (heard + silent)
    counted = (latest >= 0) & (keys >= 0)
    return (square - 2 * mean * due + due.square())[counted]


def _by_length(
    tunes: Tunes, references: Tunes, error: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """Return error(tunes (S, T), references (R, T)) of every length T, each tune in its place."""
    found = np.full(len(tunes), np.nan)
    real = _groups(references)
    for length, (places, own) in _groups(tunes).items():
        if length in real:
            found[places] = error(own, real[length][1])
    return found


def _groups(tunes: Tunes) -> dict[int, tuple[np.ndarray, np.ndarray]]:
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
