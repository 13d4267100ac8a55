"""Rewards ``constant`` and ``random``: controls that carry no information about the data.

A result that they reach too is not due to D.

Shapes: R sequences, T tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .base import Reward, register_reward


@register_reward("constant")
class ConstantReward(Reward):
    """The reward 1 for every sequence."""

    reads_tokens = False

    def __call__(self, tokens: Tensor, generator: torch.Generator) -> Tensor:
        return torch.ones(len(tokens), device=tokens.device)


@register_reward("random")
class RandomReward(Reward):
    """A uniform random number in [0, 1), independent of the sequence."""

    reads_tokens = False

    def __call__(self, tokens: Tensor, generator: torch.Generator) -> Tensor:
        drawn = torch.rand(len(tokens), generator=generator, device=generator.device)
        return drawn.to(tokens.device)
