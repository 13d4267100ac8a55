"""How varied samples are, and how much of them is copied from the training data.

A sequence is any sequence of hashable tokens (ids or words) without padding and without an end
symbol; an empty sequence is a sequence. All shares are between 0 and 1. NLL under an oracle says
nothing about any of this: a model that repeats its best sentence has an excellent one.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence

from ..support.errors import InputError

Tokens = Sequence[Hashable]


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
    return zip(*(sequence[i:] for i in range(n)), strict=False)


def _validate(samples: Sequence[Tokens]) -> None:
    if len(samples) == 0:
        raise InputError("there are no samples to measure")
