"""Rewards ``constant`` and ``random``: controls that carry no information about the data.

A result that they reach too is not due to D.

Shapes: R sequences, T tokens.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .base import Reward, RewardInputs, register_reward


@register_reward("constant")
class ConstantReward(Reward):
    """The reward 1 for every sequence."""

    reads_tokens = False

    @classmethod
    def build(cls, options: Any, inputs: RewardInputs) -> ConstantReward:
        """Return the reward; it has no options."""
        return cls()

    def __call__(self, tokens: Tensor, generator: torch.Generator) -> Tensor:
        return torch.ones(len(tokens), device=tokens.device)


@register_reward("random")
class RandomReward(Reward):
    """A uniform random number in [0, 1), independent of the sequence."""

    reads_tokens = False

    @classmethod
    def build(cls, options: Any, inputs: RewardInputs) -> RandomReward:
        """Return the reward; it has no options."""
        return cls()

    def __call__(self, tokens: Tensor, generator: torch.Generator) -> Tensor:
        drawn = torch.rand(len(tokens), generator=generator, device=generator.device)
        return drawn.to(tokens.device)
