"""How well a distribution explains sequences: negative log-likelihood in nats per token.

Conventions: B sequences, T positions, natural logarithms. The mean is over tokens, not over
sequences: a long sequence counts for more than a short one. The NLL of a distribution's samples
under that same distribution is an estimate of its entropy per token.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from ..support.errors import InputError
from .base import Direction, Metric, MetricInputs, Score, register_metric

if TYPE_CHECKING:  # a report needs no torch
    from torch import Tensor


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
    import torch

    totals = [log_probs.double().masked_fill(~mask, 0.0).sum(dim=1) for log_probs, mask in parts]
    return from_sequences(torch.cat(totals), torch.cat([mask.sum(dim=1) for _, mask in parts]))


def of_equal_length(log_probs: Tensor) -> Likelihood:
    """Summarise sequences of equal length, every token of which counts: *log_probs* (B, T).

    Raises:
        InputError: as :func:`from_tokens`.
    """
    import torch

    return from_tokens(log_probs, torch.ones_like(log_probs, dtype=torch.bool))


class LikelihoodMetric(Metric):
    """A mean of negative log-probabilities."""

    unit = "nats per token"
    table, rank, note = "nats per token", 10, ""

    @staticmethod
    def score(found: Likelihood, what: str, **more: Any) -> Score:
        """Return *found* as a score over sequences that are called *what*."""
        return Score(found.nll, found.stderr, f"{found.sequences:,} {what}", **more)


@register_metric("nll_oracle")
class OracleNLLOfSamples(LikelihoodMetric):
    """NLL_oracle (Eq. 9 of the paper): how likely the oracle finds the samples."""

    title, row_title = "NLL_oracle", "NLL_oracle of the samples"
    direction, needs = Direction.LOWER, ("oracle",)
    formula = "mean of −log G_oracle(y_t \\| y_1 … y_t−1) over the tokens y_t of the samples"

    def compute(self, inputs: MetricInputs) -> Score:
        """Return the mean, and the NLL_oracle of every sample (S,) in nats per token."""
        log_probs = inputs.oracle_log_probs(inputs.samples)
        each = -log_probs.double().mean(dim=1).numpy()
        return self.score(of_equal_length(log_probs), "samples", per_sample=each)


@register_metric("oracle_nll")
class OracleNLLOfHeldout(LikelihoodMetric):
    """The NLL of real data under the distribution that made them: the entropy of the oracle."""

    title, row_title = "the oracle's own NLL", "the oracle's own NLL"
    needs, column = ("oracle",), False
    formula = "mean of −log G_oracle(x_t \\| x_1 … x_t−1) over the held-out tokens x_t"

    def compute(self, inputs: MetricInputs) -> Score:
        """Return the mean over the held-out data."""
        found = of_equal_length(inputs.oracle_log_probs(inputs.heldout))
        return self.score(found, f"sequences of {inputs.split}")


@register_metric("nll")
class HeldoutNLL(LikelihoodMetric):
    """The NLL of held-out data under the policy: how well it covers real data."""

    title, row_title = "held-out NLL", "held-out NLL of the model"
    direction, needs = Direction.LOWER, ("model",)
    formula = "mean of −log G(x_t \\| x_1 … x_t−1) over the held-out tokens x_t"

    def compute(self, inputs: MetricInputs) -> Score:
        """Return the mean over the held-out tokens that the policy can draw."""
        return self.score(concatenate(inputs.heldout_log_probs()), f"sequences of {inputs.split}")


@register_metric("entropy")
class Entropy(LikelihoodMetric):
    """The policy's entropy per token, estimated from samples that are drawn for it."""

    title, row_title = "entropy", "entropy of the model"
    needs = ("model",)
    formula = (
        "mean of −log G(y_t \\| y_1 … y_t−1) over the tokens y_t of `--num-eval-samples` "
        "sequences that G draws for this purpose"
    )

    def compute(self, inputs: MetricInputs) -> Score:
        """Return the mean over the fresh samples."""
        drawn = inputs.fresh_samples
        found = from_tokens(drawn.log_probs, drawn.mask)
        details = {"entropy_samples": found.sequences, "entropy_seed": inputs.seed}
        return self.score(found, "fresh samples of the model", details=details)
