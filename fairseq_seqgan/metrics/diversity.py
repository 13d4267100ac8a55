"""How varied samples are, and how much of them is copied from the training data.

A sequence is any sequence of hashable tokens (ids or words) without padding and without an end
symbol; an empty sequence counts as a sequence. All shares are between 0 and 1. NLL_oracle does not
measure variety: a model that repeats its most likely sentence has a very low one.
"""

from __future__ import annotations

import argparse
import math
from abc import abstractmethod
from collections.abc import Hashable, Iterator, Sequence
from typing import Self

from ..support import option_values
from ..support.errors import InputError
from .base import Metric, MetricInputs, NumberedMetric, Score, Tokens, register_metric


def distinct_tokens(samples: Sequence[Tokens]) -> int:
    """Return how many different tokens occur in *samples*; 0 if there are no tokens."""
    return len(set().union(*samples))


def duplicate_share(samples: Sequence[Tokens]) -> float:
    """Return the share of *samples* that repeat an earlier one: 1 - different / all.

    Raises:
        InputError: there are no samples.
    """
    _validate(samples)
    return 1.0 - len({tuple(sample) for sample in samples}) / len(samples)


def copied_share(samples: Sequence[Tokens], training: Sequence[Tokens]) -> float:
    """Return the share of *samples* that are, as a whole, a sequence of *training*.

    Every sample counts, duplicates too. Without training data nothing is copied: 0.

    Raises:
        InputError: there are no samples.
    """
    _validate(samples)
    known = {tuple(sequence) for sequence in training}
    return sum(tuple(sample) in known for sample in samples) / len(samples)


def copied_ngram_share(samples: Sequence[Tokens], training: Sequence[Tokens], n: int = 4) -> float:
    """Return the share of the samples' n-grams that occur somewhere in *training*.

    Every occurrence in the samples counts. No n-gram crosses from one sequence into the next. A
    sample shorter than *n* has no n-gram and does not count; if that is true of all, the share is
    undefined and NaN is returned.

    Raises:
        InputError: there are no samples, or *n* is below 1.
    """
    _validate(samples)
    if n < 1:
        raise InputError(f"n-grams of {n} tokens were asked for: at least 1 is needed")
    known = {gram for sequence in training for gram in _ngrams(sequence, n)}
    total = copied = 0
    for sample in samples:
        for gram in _ngrams(sample, n):
            total += 1
            copied += gram in known
    return copied / total if total else math.nan


def _ngrams(sequence: Tokens, n: int) -> Iterator[tuple[Hashable, ...]]:
    if n > len(sequence):
        return iter(())
    return zip(*(sequence[i:] for i in range(n)), strict=False)


def _validate(samples: Sequence[Tokens]) -> None:
    if len(samples) == 0:
        raise InputError("there are no samples to measure")


class DiversityMetric(Metric):
    """A number of a set of sequences: of the samples, and beside it of the held-out data."""

    table, rank, note = "variety", 50, ""
    decimals, row_decimals = 2, 2

    @abstractmethod
    def measure(self, sequences: Sequence[Tokens], inputs: MetricInputs) -> float | int:
        """Return the number of *sequences*."""

    def compute(self, inputs: MetricInputs) -> Score:
        """Return the number of the samples."""
        return Score(self.measure(inputs.samples, inputs))

    def compute_heldout(self, inputs: MetricInputs) -> Score:
        """Return the number of the held-out data."""
        return Score(self.measure(inputs.heldout, inputs))


@register_metric("distinct_tokens")
class DistinctTokens(DiversityMetric):
    """How many different tokens there are."""

    title, unit, column = "distinct tokens", "tokens", False
    formula = "number of different tokens in the samples"

    def measure(self, sequences: Sequence[Tokens], inputs: MetricInputs) -> int:
        """Return the number of different tokens."""
        return distinct_tokens(sequences)


@register_metric("duplicates")
class Duplicates(DiversityMetric):
    """The share of sequences that repeat an earlier one."""

    title, row_title = "duplicates (%)", "duplicates"
    unit, scale, column = "share", 100, False
    formula = "1 − (number of different samples) / (number of samples)"

    def measure(self, sequences: Sequence[Tokens], inputs: MetricInputs) -> float:
        """Return the share, between 0 and 1."""
        return duplicate_share(sequences)


@register_metric("copied_samples")
class CopiedSamples(DiversityMetric):
    """The share of sequences that are, as a whole, a training sequence."""

    title, row_title = "copied samples (%)", "copied whole from training data"
    unit, scale = "share", 100
    formula = "(number of samples that equal a training sequence) / (number of samples)"

    def measure(self, sequences: Sequence[Tokens], inputs: MetricInputs) -> float:
        """Return the share, between 0 and 1."""
        return copied_share(sequences, inputs.training)


@register_metric("copied_Ngrams")
class CopiedNgrams(NumberedMetric, DiversityMetric):
    """The share of n-grams that occur in the training data."""

    unit, scale = "share", 100
    formula = (
        "(number of n-grams of the samples that occur in the training data) / (number of n-grams "
        "of the samples); each occurrence counts, and n is `--ngram` (4)"
    )

    @property
    def title(self) -> str:
        """The title with n."""
        return f"copied {self.n}-grams (%)"

    @property
    def row_title(self) -> str:
        """The title with n."""
        return f"{self.n}-grams found in training data"

    def measure(self, sequences: Sequence[Tokens], inputs: MetricInputs) -> float:
        """Return the share, between 0 and 1; NaN where no sequence has n tokens."""
        return copied_ngram_share(sequences, inputs.training, self.n)

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add ``--ngram``."""
        about = "of copied n-grams; default %(default)s"
        parser.add_argument("--ngram", type=int, default=4, metavar="N", help=about)

    @classmethod
    def check(cls, options: argparse.Namespace) -> None:
        """Check ``--ngram``."""
        option_values.positive(ngram=options.ngram)

    @classmethod
    def select(cls, options: argparse.Namespace) -> list[Self]:
        """Return the metric of ``--ngram``."""
        return [cls(options.ngram)]
