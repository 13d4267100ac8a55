"""Rewards ``discriminator`` (the paper's), ``logit`` and ``shuffled``: D's score of a sequence."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from ..models.discriminator import Discriminator
from ..policy.rollouts import Rollouts
from ..support.eval_mode import eval_mode
from .base import Reward, RewardInputs, register_reward


@register_reward("discriminator")
class DiscriminatorReward(Reward):
    """D(Y), the probability that Y is real, with D in eval mode.

    The value of a prefix is its mean over N completions (Eq. 4 of the paper): 1/N Σ_n D(Y^n).
    """

    uses_discriminator = True
    log_odds: ClassVar[bool] = False

    def __init__(self, discriminator: Discriminator) -> None:
        self.discriminator: Discriminator = discriminator

    @classmethod
    def build(cls, options: Any, inputs: RewardInputs) -> DiscriminatorReward:
        """Return the reward for the D of *inputs*."""
        return cls(inputs.discriminator)

    def __call__(self, tokens: Tensor, generator: torch.Generator) -> Tensor:
        with eval_mode(self.discriminator):
            return self.discriminator.score(tokens, log_odds=self.log_odds)

    def of_completions(self, rollouts: Rollouts, generator: torch.Generator) -> Tensor:
        """Return the rewards (P, N) of ``rollouts.completions``."""
        with eval_mode(self.discriminator):
            return self.discriminator.score_completions(
                rollouts.samples.tokens,
                rollouts.completions,
                rollouts.sequence,
                rollouts.step,
                log_odds=self.log_odds,
            )


@register_reward("logit")
class LogOddsReward(DiscriminatorReward):
    """log D(Y) - log(1 - D(Y)), the log-odds that Y is real, in nats.

    For the best possible D it is log p_data(Y) / G(Y). Policy gradient on this reward then
    minimises the reverse Kullback-Leibler divergence KL(G ‖ p_data).
    """

    log_odds = True


@register_reward("shuffled")
class ShuffledReward(LogOddsReward):
    """Control: the log-odds of the batch's sequences, permuted at random.

    The rewards have the distribution of ``logit`` and say nothing about the sequence that gets
    them.
    """

    def __call__(self, tokens: Tensor, generator: torch.Generator) -> Tensor:
        return self._permute(super().__call__(tokens, generator), generator)

    def of_completions(self, rollouts: Rollouts, generator: torch.Generator) -> Tensor:
        """Return the rewards (P, N) of ``rollouts.completions``, permuted over all of them."""
        scores = super().of_completions(rollouts, generator)
        return self._permute(scores.flatten(), generator).view(scores.shape)

    @staticmethod
    def _permute(scores: Tensor, generator: torch.Generator) -> Tensor:
        order = torch.randperm(len(scores), generator=generator, device=generator.device)
        return scores[order.to(scores.device)]
