"""Rewards: what a finished sequence is worth to the generator (the paper's section 2.2).

Every reward is called with tokens (R, T) int64, padded at the end, and returns float32 (R,).

``discriminator`` is the paper's; ``constant`` and ``random`` are controls that know nothing of the
data. A result that a control reaches as well says nothing about D.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from .errors import InputError
from .models.cnn_highway import CNNHighway
from .policy import evaluating
from .rollout import Rollouts

REWARDS = ("discriminator", "constant", "random")
BASELINES = ("none", "mean")


class Reward(ABC):
    """A function from finished sequences to their rewards."""

    reads_tokens: bool  # False: the value does not depend on the tokens, so nobody need draw them

    @abstractmethod
    def __call__(self, tokens: Tensor, generator: torch.Generator) -> Tensor:
        """Return the rewards (R,) of *tokens* (R, T); random ones come from *generator*."""

    def of_completions(self, played: Rollouts, generator: torch.Generator) -> Tensor:
        """Return the rewards (P, N) of ``played.completions``."""
        completions = played.completions
        return self(completions.flatten(0, 1), generator).view(completions.shape[:2])


class DiscriminatorReward(Reward):
    """D(Y), the probability that Y is real, with D in eval mode (Eq. 4)."""

    reads_tokens = True

    def __init__(self, discriminator: CNNHighway) -> None:
        self.discriminator = discriminator

    def __call__(self, tokens: Tensor, generator: torch.Generator) -> Tensor:
        with evaluating(self.discriminator):
            return self.discriminator.score(tokens)

    def of_completions(self, played: Rollouts, generator: torch.Generator) -> Tensor:
        """Return the rewards (P, N) of ``played.completions``."""
        with evaluating(self.discriminator):
            return self.discriminator.score_completions(played.samples.tokens, *played[1:4])


class ConstantReward(Reward):
    """Control: 1 for every sequence."""

    reads_tokens = False

    def __call__(self, tokens: Tensor, generator: torch.Generator) -> Tensor:
        return torch.ones(len(tokens), device=tokens.device)


class RandomReward(Reward):
    """Control: a uniform random number in [0, 1) for every sequence, whatever it is."""

    reads_tokens = False

    def __call__(self, tokens: Tensor, generator: torch.Generator) -> Tensor:
        drawn = torch.rand(len(tokens), generator=generator, device=generator.device)
        return drawn.to(tokens.device)


def build_reward(name: str, discriminator: CNNHighway) -> Reward:
    """Return the reward that ``--reward`` *name* stands for.

    Raises:
        InputError: there is no such reward.
    """
    if name == "discriminator":
        return DiscriminatorReward(discriminator)
    if name == "constant":
        return ConstantReward()
    if name == "random":
        return RandomReward()
    raise InputError(f"--reward '{name}': choose one of {', '.join(REWARDS)}")


def advantage(values: Tensor, mask: Tensor, baseline: str) -> Tensor:
    """Return the action values (B, T) less the baseline, 0 where *mask* is False.

    ``none`` is the paper's. ``mean`` subtracts, at every step t, the mean of Q(t) over the
    sequences that have a token there: it changes no expectation but for the factor 1 - 1/B, and
    takes away the part of the gradient that rewards any token for having been drawn.
    """
    if baseline == "none":
        return values * mask
    count = mask.sum(dim=0).clamp(min=1)
    mean = (values * mask).sum(dim=0) / count
    return (values - mean) * mask
