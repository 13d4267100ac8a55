"""From rewards to what the policy gradient multiplies: action values and advantages.

Shapes: B sequences, T tokens, P prefixes, N rollouts of each.
"""

from dataclasses import dataclass, field

import torch
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from torch import Tensor

from ..policy.rollouts import Rollouts

BASELINES = ("none", "mean")


@dataclass
class AdvantageConfig(FairseqDataclass):
    """Options of the advantage."""

    baseline: ChoiceEnum(list(BASELINES)) = field(
        default="none",
        metadata={"help": "'mean': subtract the batch's mean value at every step from it"},
    )


def action_values(rollouts: Rollouts, completion_rewards: Tensor, final_rewards: Tensor) -> Tensor:
    """Average the N rewards of every prefix into Q (B, T); Eq. 4 of the paper:

        Q(y_1 ... y_t) = 1/N Σ_n R(completion n of y_1 ... y_t)    for t < T
        Q(y_1 ... y_T) = R(y_1 ... y_T)

    Args:
        rollouts: the prefixes.
        completion_rewards: (P, N), the rewards of ``rollouts.completions``.
        final_rewards: (B,), the rewards of the complete sequences: Q of their last tokens.

    Returns:
        (B, T), 0 after a sequence's end. Token y_t's value is at [b, t]. With a stride k, the k
        tokens that end with a valued prefix share its value, and those after the last one share
        the sequence's reward: what is to come after a token is then averaged over fewer rollouts,
        and over the other tokens of its part as they were drawn, which adds noise and no bias.
    """
    mask = rollouts.samples.mask
    values = completion_rewards.new_zeros(mask.shape)
    values[rollouts.sequence, rollouts.step] = completion_rewards.mean(dim=1)
    last = mask.sum(dim=1, keepdim=True) - 1
    values.scatter_(1, last, final_rewards.to(values).unsqueeze(1))
    if rollouts.stride == 1:
        return values
    steps = torch.arange(mask.size(1), device=mask.device)
    ends = (steps // rollouts.stride + 1) * rollouts.stride - 1  # of the part that a step is in
    return values.gather(1, torch.minimum(ends.expand_as(mask), last)) * mask


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
