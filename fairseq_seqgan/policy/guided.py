"""Sampling with a discriminator's help: draw K candidates, keep one (Deng et al., 2020).

With D's log-odds d(x) and a slope a, the residual energy-based model

    p(x) = G(x) exp(a d(x)) / Z

is sampled by sampling-importance-resampling: draw x_1 ... x_K from G and keep x_k with probability
exp(a d(x_k)) / Σ_j exp(a d(x_j)). For K = 1 that is G; as K grows it approaches p.

Shapes: R sequences, K candidates of each, T tokens.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from .policy import Policy
from .rollouts import Samples, sample

logger = logging.getLogger(__name__)

_TOO_FEW = 1.5  # effective candidates on average: below it, nearly always the best one is kept


@dataclass
class Guide:
    """What chooses among the candidates.

    Args:
        log_odds: returns d(x) (R,) in nats of tokens (R, T), padded at the end.
        slope: a.
        candidates: K.
    """

    log_odds: Callable[[Tensor], Tensor]
    slope: float
    candidates: int


class Guided(NamedTuple):
    """Sequences that were chosen among candidates."""

    samples: Samples  # R sequences; their log-probabilities are those of G
    log_weights: Tensor  # (R,): a d(x) of the sequence that was kept, nats
    effective: Tensor  # (R,): (Σ w)² / Σ w² of the candidates' weights, in 1 ... K


@torch.no_grad()
def guided_sample(
    policy: Policy,
    num: int,
    guide: Guide,
    streams: Sequence[torch.Generator],
    choices: Sequence[torch.Generator],
    *,
    prefix: Tensor | None = None,
) -> Guided:
    """Draw R = *num* sequences from *policy*, each chosen among K = ``guide.candidates``.

    The candidates come one after the other, so memory does not depend on K: candidate k replaces
    the one that was kept so far if a d(x_k) plus Gumbel noise is larger, which keeps each with the
    probability above.

    Args:
        streams: K generators, one for the k-th candidates of all sequences. The first one alone
            gives what :func:`sample` gives.
        choices: K generators of the noise. With one of each for every candidate, what is drawn does
            not depend on how many sequences are drawn at a time.
        prefix: (R, t), as :func:`sample` takes it.
    """
    kept: Samples | None = None
    best = weight = first = second = torch.empty(0)
    for stream, choice in zip(streams, choices, strict=True):
        drawn = sample(policy, num, stream, prefix=prefix)
        weights = guide.slope * guide.log_odds(drawn.tokens).double()
        uniforms = torch.rand(num, generator=choice, dtype=torch.float64).to(weights.device)
        keys = weights - torch.log(-torch.log(uniforms.clamp(min=1e-300)))
        if kept is None:
            kept, best, weight, first, second = drawn, keys, weights, weights, 2 * weights
            continue
        first, second = torch.logaddexp(first, weights), torch.logaddexp(second, 2 * weights)
        better = keys > best
        kept = Samples(*(_choose(better, n, o) for n, o in zip(drawn, kept, strict=True)))
        best, weight = torch.maximum(best, keys), torch.where(better, weights, weight)
    if kept is None:
        raise ValueError("guided sampling needs a generator for each candidate: there is none")
    return Guided(kept, weight, (2 * first - second).exp())


def _choose(better: Tensor, new: Tensor, old: Tensor) -> Tensor:
    return torch.where(better.unsqueeze(1).to(new.device), new, old)  # D's verdicts are on the CPU


class EffectiveCandidates:
    """The mean number of effective candidates of a run, and a warning if it is too small.

    Args:
        candidates: K.
    """

    def __init__(self, candidates: int) -> None:
        self.candidates, self.total, self.sequences = candidates, 0.0, 0
        self._reported = False

    def add(self, effective: Tensor) -> None:
        """Count the sequences (R,) of a batch."""
        self.total += float(effective.sum())
        self.sequences += len(effective)

    @property
    def mean(self) -> float:
        """Effective candidates of a sequence; NaN if there is none."""
        return self.total / self.sequences if self.sequences else math.nan

    def report(self) -> None:
        """Log the mean of the run, once."""
        if not self.sequences or self._reported:
            return
        self._reported = True
        logger.info(
            "%d sequences with --guide %d: %.2f effective candidates on average",
            self.sequences,
            self.candidates,
            self.mean,
        )
        if self.mean < _TOO_FEW:
            logger.warning(
                "--guide %d: the weights lie on %.2f candidates on average; more candidates or a "
                "smaller --guide-scale would sample the model, these pick D's favourites",
                self.candidates,
                self.mean,
            )
