"""How well a distribution explains sequences: negative log-likelihood in nats per token.

Conventions: B sequences, T positions, natural logarithms. The mean is over tokens, not over
sequences: a long sequence counts for more than a short one. For the samples of a distribution under
that distribution itself, the same number estimates its entropy per token.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ..support.errors import InputError


class Likelihood(NamedTuple):
    """A mean negative log-likelihood and how it came about."""

    nll: float  # nats per token
    stderr: float  # standard error of nll over independent sequences; NaN for a single one
    sequences: int
    tokens: int


def from_tokens(log_probs: Tensor, mask: Tensor) -> Likelihood:
    """Summarise per-token log-probabilities.

    Args:
        log_probs: (B, T) in nats; anything at all where *mask* is False.
        mask: (B, T) bool, True at the tokens that count.

    Raises:
        InputError: the shapes differ, there is no sequence, or no token counts.
    """
    if log_probs.shape != mask.shape or log_probs.dim() != 2:
        raise InputError(
            f"log-probabilities {tuple(log_probs.shape)} and mask {tuple(mask.shape)} "
            "must have the same shape, sequences x tokens"
        )
    mask = mask.bool()
    totals = log_probs.double().masked_fill(~mask, 0.0).sum(dim=1)
    return from_sequences(totals, mask.sum(dim=1))


def from_sequences(log_probs: Tensor, lengths: Tensor) -> Likelihood:
    """Summarise whole sequences: *log_probs* (B,) in nats, *lengths* (B,) in tokens.

    The mean is a ratio of two sums, so its standard error is that of a ratio estimator,
    sqrt(sum_b (l_b - nll * n_b)^2 / (B (B - 1))) / mean(n); where all lengths are equal this is the
    usual standard error of the sequences' means.

    Raises:
        InputError: the shapes differ, there is no sequence, or no token.
    """
    if log_probs.shape != lengths.shape or log_probs.dim() != 1:
        raise InputError(
            f"{tuple(log_probs.shape)} log-probabilities and {tuple(lengths.shape)} lengths: "
            "one of each is needed for every sequence"
        )
    sequences, tokens = len(lengths), int(lengths.sum())
    if tokens == 0:
        raise InputError(f"a likelihood needs tokens; there are none in {sequences} sequences")
    losses, counts = -log_probs.double(), lengths.double()
    nll = losses.sum() / tokens
    if sequences == 1:
        return Likelihood(float(nll), math.nan, sequences, tokens)
    residuals = losses - nll * counts
    variance = residuals.square().sum() / (sequences * (sequences - 1))
    stderr = variance.sqrt() / counts.mean()
    return Likelihood(float(nll), float(stderr), sequences, tokens)


def concatenate(parts: list[tuple[Tensor, Tensor]]) -> Likelihood:
    """Summarise batches that were scored one by one, each (log_probs (B, T), mask (B, T)).

    The batches may differ in B and T.

    Raises:
        InputError: as :func:`from_tokens`, or there is no batch.
    """
    if not parts:
        raise InputError("a likelihood needs tokens; there are no sequences")
    totals = [log_probs.double().masked_fill(~mask, 0.0).sum(dim=1) for log_probs, mask in parts]
    return from_sequences(torch.cat(totals), torch.cat([mask.sum(dim=1) for _, mask in parts]))
