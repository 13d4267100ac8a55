"""From rewards to action values Q and advantages, the weights of the policy gradient.

Q(t) is the value of the token y_t: the expected reward of a sequence that begins with y_1 ... y_t.

Shapes: B sequences, T tokens, P prefixes, N rollouts of each.
"""

from dataclasses import dataclass, field

import torch
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from torch import Tensor

from ..policy.rollouts import Rollouts, Samples
from ..support import distributed

BASELINES = ("none", "mean", "leave-one-out")


@dataclass
class AdvantageConfig(FairseqDataclass):
    """Options of the advantage."""

    baseline: ChoiceEnum(list(BASELINES)) = field(
        default="none",
        metadata={
            "help": "'leave-one-out': subtract from each value the mean of the other sequences' "
            "values at its step; 'mean': that of all sequences; 'none' (the paper): nothing"
        },
    )


def action_values(rollouts: Rollouts, completion_rewards: Tensor, final_rewards: Tensor) -> Tensor:
    """Average the N rewards of every prefix into Q (B, T), as in Eq. 4 of the paper.

    With R the reward of a finished sequence (for the paper, D's probability that it is real):

        Q(t) = 1/N Σ_n R(completion n of y_1 ... y_t)    for t < T
        Q(T) = R(y_1 ... y_T)

    Args:
        rollouts: the prefixes and their completions.
        completion_rewards: (P, N), the rewards of ``rollouts.completions``.
        final_rewards: (B,), the rewards of the complete sequences: Q of their last tokens.

    Returns:
        (B, T), 0 after a sequence's end. The value of y_t in sequence b is at [b, t - 1]. With a
        stride k, the k tokens that end with a rolled-out prefix share its value; the tokens after
        the last such prefix share the sequence's reward. For k = 4 and T = 10, y_1 ... y_4 have
        Q(4), y_5 ... y_8 have Q(8), y_9 and y_10 have the reward. A shared value also depends on
        the tokens drawn between y_t and its prefix's end: it is noisier, but not biased.
    """
    mask = rollouts.samples.mask
    values = completion_rewards.new_zeros(mask.shape)
    values[rollouts.sequence, rollouts.step] = completion_rewards.mean(dim=1)
    last = mask.sum(dim=1, keepdim=True) - 1
    values.scatter_(1, last, final_rewards.to(values).unsqueeze(1))
    if rollouts.stride == 1:
        return values
    steps = torch.arange(mask.size(1), device=mask.device)
    ends = (steps // rollouts.stride + 1) * rollouts.stride - 1  # last step of each step's part
    return values.gather(1, torch.minimum(ends.expand_as(mask), last)) * mask


def sequence_values(mask: Tensor, final_rewards: Tensor) -> Tensor:
    """Return Q (B, T) without rollouts: every token has the reward (B,) of its own sequence."""
    return mask * final_rewards.unsqueeze(1)


def without_rollouts(drawn: Samples, rollouts: int, stride: int, given: int = 0) -> Rollouts:
    """Return *drawn* with its prefixes, without drawing rollouts.

    It is for rewards that do not read the tokens: each completion is the sequence itself. Prefixes
    of *given* tokens or fewer are left out.
    """
    unfinished = drawn.mask.clone()
    unfinished[torch.arange(len(unfinished)), drawn.mask.sum(dim=1) - 1] = False
    unfinished[:, torch.arange(1, unfinished.size(1) + 1) % stride != 0] = False
    unfinished[:, :given] = False
    sequence, step = unfinished.nonzero(as_tuple=True)
    completions = drawn.tokens[sequence].unsqueeze(1).expand(-1, rollouts, -1)
    return Rollouts(drawn, completions, sequence, step, stride)


def kl_penalty(log_probs: Tensor, reference: Tensor) -> Tensor:
    """Return what each token's value loses to the divergence from the reference policy, in nats.

        k(t) = Σ_{s ≥ t} [log G(y_s | y_1 ... y_s-1) - log G_ref(y_s | y_1 ... y_s-1)]

    The values Q(t) - β k(t) have the expected gradient of E[R] - β KL(G ‖ G_ref), whose optimum is
    p(Y) ∝ G_ref(Y) exp(R(Y) / β). What was lost before y_t does not depend on y_t.

    Args:
        log_probs: (B, T), of the policy; 0 after a sequence's end.
        reference: (B, T), of the reference policy for the same tokens; 0 after a sequence's end.
    """
    return (log_probs - reference).flip(1).cumsum(dim=1).flip(1)


def advantage(values: Tensor, mask: Tensor, baseline: str) -> Tensor:
    """Return the action values (B, T) minus the *baseline*, 0 where *mask* is False.

    ``none`` (the paper) subtracts nothing.

    ``mean`` subtracts, at every step t, the mean of Q(t) over the sequences that have a token
    there. The expected gradient at step t stays the same up to the factor 1 - 1/n(t), if n(t)
    sequences have a token there; with n(t) = 1 nothing is left of it. What disappears is the part
    that rewards every token for having been drawn.

    ``leave-one-out`` subtracts the mean of Q(t) over the other B - 1 sequences, so the expected
    gradient stays the same without a factor. A sequence that ended before t counts with the value
    of its last token. A constant reward then has no gradient at all.

    The means are over the sequences of all processes.
    """
    if baseline == "none":
        return values * mask
    values, mask = distributed.gather(values), distributed.gather(mask)
    return distributed.own_rows(_minus_mean(values, mask, baseline))


def _minus_mean(values: Tensor, mask: Tensor, baseline: str) -> Tensor:
    if baseline == "leave-one-out":
        steps = torch.arange(mask.size(1), device=mask.device)
        last = mask.sum(dim=1, keepdim=True) - 1
        extended = values.gather(1, torch.minimum(steps.expand_as(mask), last))
        others = (extended.sum(dim=0) - extended) / (len(values) - 1)
        return (values - others) * mask
    count = mask.sum(dim=0).clamp(min=1)
    mean = (values * mask).sum(dim=0) / count
    return (values - mean) * mask


def sequence_weights(rewards: Tensor) -> Tensor:
    """Return weights w_b = B exp(R_b) / Σ_c exp(R_c) of B sequences with *rewards* (B,).

    With R = a d(Y), sequences drawn from G_ref and weighted so stand for
    p(Y) ∝ G_ref(Y) exp(a d(Y)); the weighted likelihood is the forward KL divergence to p. The B
    sequences are those of all processes; each gets the weights of its own.
    """
    rewards = distributed.gather(rewards)
    return distributed.own_rows(rewards.softmax(dim=0) * len(rewards))
