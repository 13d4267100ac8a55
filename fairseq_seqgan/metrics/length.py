"""How long samples are, beside real sequences, and whether they end.

Lengths count tokens without the end symbol. Where all sequences have one length there is nothing to
compare: means are equal and the distance is 0.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from scipy.stats import wasserstein_distance

from .base import Direction, Metric, MetricInputs, Score, Tokens, register_metric
from .diversity import DiversityMetric


def lengths(sequences: Sequence[Tokens]) -> np.ndarray:
    """Return the number of tokens of each of the S *sequences*: (S,) float64."""
    return np.array([len(sequence) for sequence in sequences], dtype=np.float64)


class LengthMetric(DiversityMetric):
    """A number of the lengths of a set of sequences."""

    rank, unit, column = 60, "tokens", False

    @abstractmethod
    def summary(self, found: np.ndarray) -> float:
        """Return the number for the lengths *found* (S,)."""

    def measure(self, sequences: Sequence[Tokens], inputs: MetricInputs) -> float:
        """Return the number of *sequences*; NaN if there are none."""
        return self.summary(lengths(sequences)) if len(sequences) else math.nan


@register_metric("length_mean")
class LengthMean(LengthMetric):
    """The mean length."""

    title = "length, mean"
    formula = "mean over the samples of their number of tokens, without the end symbol"

    def summary(self, found: np.ndarray) -> float:
        """Return the mean."""
        return float(found.mean())


@register_metric("length_sd")
class LengthDeviation(LengthMetric):
    """The standard deviation of the lengths."""

    title = "length, standard deviation"
    formula = "standard deviation over the samples of their number of tokens"

    def summary(self, found: np.ndarray) -> float:
        """Return the standard deviation."""
        return float(found.std())


@register_metric("length_distance")
class LengthDistance(Metric):
    """How far the lengths of the samples are from those of held-out sequences."""

    title, unit, direction = "length, distance", "tokens", Direction.LOWER
    table, rank, column, note = "variety", 60, False, ""
    decimals, row_decimals = 2, 2
    formula = (
        "∫ of the absolute difference between the cumulative distributions of the lengths of the "
        "samples and of the held-out sequences (Wasserstein distance)"
    )

    def compute(self, inputs: MetricInputs) -> Score:
        """Return the distance."""
        found = wasserstein_distance(lengths(inputs.samples), lengths(inputs.heldout))
        return Score(float(found))


@register_metric("unfinished")
class UnfinishedShare(Metric):
    """How many of the model's sequences are cut off because they do not end."""

    title, row_title = "unfinished (%)", "cut off without an end"
    unit, direction, scale = "share", Direction.LOWER, 100
    table, rank, column, note = "variety", 60, False, ""
    decimals, row_decimals = 2, 2
    needs = ("model",)
    formula = (
        "(number of sequences without an end symbol) / (number of sequences), of "
        "`--num-eval-samples` sequences that G draws for this purpose"
    )

    def compute(self, inputs: MetricInputs) -> Score:
        """Return the share of the model's fresh samples; NaN if they have no end by design."""
        policy = inputs.policy
        assert policy is not None, "needs names the model"
        if policy.fixed:
            return Score(math.nan)
        tokens, end = inputs.fresh_samples.tokens, policy.eos
        return Score(float((tokens != end).all(dim=1).double().mean()))
