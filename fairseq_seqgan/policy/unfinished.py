"""Samples that have no end: they were cut off at the most tokens that a sequence may have.

Shapes: B sequences, T tokens.
"""

from __future__ import annotations

import logging

from .policy import Policy
from .rollouts import Samples

logger = logging.getLogger(__name__)

_MANY = 0.05  # share of samples without an end from which it is worth a line


class Unfinished:
    """Counts samples without an end symbol, and explains them in one line."""

    def __init__(self) -> None:
        self.cut_off = self.sequences = self.most = 0
        self._reported = False

    def add(self, samples: Samples, policy: Policy) -> None:
        """Count *samples* (B, T) of *policy*; those of a fixed length have no end to miss."""
        if policy.fixed:
            return
        self.sequences += len(samples.tokens)
        self.cut_off += int((samples.tokens != policy.eos).all(dim=1).sum())
        self.most = max(self.most, policy.length - 1)

    @property
    def share(self) -> float:
        """The share of samples without an end; 0 if there are no samples."""
        return self.cut_off / self.sequences if self.sequences else 0.0

    def report(self, at_least: float = _MANY, consequence: str = "") -> None:
        """Explain the samples without an end, once, if they are *at_least* this share."""
        if self._reported or not self.cut_off or self.share < at_least:
            return
        self._reported = True
        logger.warning(
            "%d of %d samples did not end within %d tokens and were cut off there%s: G has hardly "
            "learned where sequences end; train it longer by MLE, or allow more tokens "
            "(--max-length)",
            self.cut_off,
            self.sequences,
            self.most,
            consequence,
        )
