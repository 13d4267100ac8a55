"""Sampling and Monte Carlo rollouts in one growing pass (the paper's section 2.2, Eq. 3 and 4).

Shapes: B sequences, T steps at most, N rollouts of each prefix, P = the prefixes that are rolled
out, R rows decoded at a time.

A plain implementation generates N × (T - 1) times. Here, once y_t is drawn, every unfinished
sequence's decoder state is copied N times and the copies are continued beside the originals: T
decoding steps in all, whatever N is. A row that has drawn eos leaves the batch.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .errors import InputError
from .policy import Decoding, Policy, evaluating


class Samples(NamedTuple):
    """Sequences drawn from a policy."""

    tokens: Tensor  # (B, T) int64: y_1 ... y_T with eos if it was drawn, then padding
    mask: Tensor  # (B, T) bool: True where a token was drawn
    log_probs: Tensor  # (B, T) float32: log G(y_t | y_1 ... y_t-1) in nats, 0 where mask is False


class Rollouts(NamedTuple):
    """Sequences and, for every prefix that could still go on, its N rollouts.

    Prefix p is the first ``step[p] + 1`` tokens of sequence ``sequence[p]``. A sequence's last
    token has no rollouts: the sequence is complete, and the reward of the sequence is its value.
    With a stride k only the prefixes of k, 2k, 3k ... tokens are rolled out.
    """

    samples: Samples  # B sequences
    completions: Tensor  # (P, N, T) int64: the prefix, continued to the end, then padding
    sequence: Tensor  # (P,) int64: which of the B sequences
    step: Tensor  # (P,) int64: position of the prefix's last token, from 0
    stride: int = 1  # k


def action_values(rollouts: Rollouts, completion_rewards: Tensor, final_rewards: Tensor) -> Tensor:
    """Average the N rewards of every prefix into Q (B, T), the paper's Eq. 4.

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


@torch.no_grad()
def sample(
    policy: Policy,
    num: int,
    generator: torch.Generator,
    *,
    prefix: Tensor | None = None,
    batch_size: int | None = None,
) -> Samples:
    """Draw *num* sequences from *policy*, in train or eval mode alike without dropout.

    The same generator state gives the same sequences for any *batch_size*; the default is 1024,
    or as many as fit into the policy's memory. With *prefix*
    (num, t) int64, each sequence begins with its row up to the row's padding, and only the rest
    is drawn; the prefix's tokens have log-probability 0 and are True in the mask.
    """
    if num < 1:
        raise InputError(f"{num} samples were asked for: at least 1 is needed")
    uniforms = torch.rand(num, policy.length, generator=generator, device=generator.device)
    if batch_size is None:
        batch_size = max(1, min(1024, int(policy.memory / policy.row_bytes())))
    parts = []
    with evaluating(policy.model):
        for start in range(0, num, batch_size):
            u = uniforms[start : start + batch_size].to(policy.device)
            given = None if prefix is None else prefix[start : start + batch_size].to(u.device)
            growth = _Growth(policy, u, given)
            for t in range(policy.length):
                if len(growth.rows) == 0:
                    break
                growth.step(t)
            parts.append(growth.samples(len(u)))
    return Samples(*(torch.cat(field) for field in zip(*parts, strict=True)))


@torch.no_grad()
def roll_out(
    policy: Policy,
    num: int,
    rollouts: int,
    generator: torch.Generator,
    *,
    rollout_policy: Policy | None = None,
    stride: int = 1,
) -> Rollouts:
    """Draw B = *num* sequences from *policy* and N = *rollouts* continuations of their prefixes.

    The continuations come from *rollout_policy*, the paper's G_beta: *policy* itself unless given.
    Both are used in eval mode. Every prefix is rolled out, or those of *stride*, 2 × *stride* ...
    tokens. As many sequences are decoded at a time as fit into the policy's memory; the result does
    not depend on it.

    Raises:
        InputError: a count is below 1, or the memory too small for one sequence.
    """
    if num < 1 or rollouts < 1 or stride < 1:
        raise InputError(
            f"{num} sequences with --rollouts {rollouts} and --rollout-stride {stride}: at least 1 "
            "each is needed"
        )
    length = policy.length
    device = generator.device
    own = torch.rand(num, length, generator=generator, device=device)
    shape = (length - 1) // stride, num, rollouts, length
    theirs = torch.rand(shape, generator=generator, device=device)
    lagging = rollout_policy or policy
    group = _sequences_at_a_time(lagging, 1 + rollouts * len(theirs))
    with evaluating(policy.model, lagging.model):
        parts = [
            _roll_out_group(policy, lagging, own[i : i + group], theirs[:, i : i + group], stride)
            for i in range(0, num, group)
        ]
    offsets = range(0, num, group)
    return Rollouts(
        Samples(*(torch.cat(f) for f in zip(*(part.samples for part in parts), strict=True))),
        torch.cat([part.completions for part in parts]),
        torch.cat([part.sequence + offset for part, offset in zip(parts, offsets, strict=True)]),
        torch.cat([part.step for part in parts]),
        stride,
    )


def _sequences_at_a_time(policy: Policy, rows: int) -> int:
    """Return how many sequences fit into the policy's memory, of *rows* rows each."""
    needed = rows * policy.row_bytes()
    if needed > policy.memory:
        raise InputError(
            f"--g-step-memory {policy.memory / 1e6:g}: one sequence with its {rows - 1} rollouts "
            f"needs {math.ceil(needed / 1e6)} MB; give it that, or take fewer --rollouts or a "
            "larger --rollout-stride"
        )
    return int(policy.memory / needed)


def _roll_out_group(
    policy: Policy, lagging: Policy, own: Tensor, theirs: Tensor, stride: int
) -> Rollouts:
    """Roll out one group, given its uniforms: own (B, T) and theirs ((T - 1) // k, B, N, T)."""
    prefixes, size, rollouts, length = theirs.shape
    device = policy.device
    copies = theirs.reshape(-1, length).to(device)
    own = own.to(device)
    same = lagging is policy
    # With one policy, the originals are the first rows of the batch. With a lagging rollout policy
    # they are drawn in a batch of their own, and go through the other only to build its state.
    growth = _Growth(lagging, torch.cat([own, copies]), live=size)
    originals = growth if same else _Growth(policy, own)
    prefix_of = []  # for every step rolled out, the sequences that are still unfinished after it
    for t in range(length):
        if len(growth.rows) == 0:
            break
        if not same:
            originals.step(t)
        growth.step(t, forced=None if same else originals.tokens[:, t + 1])
        if len(prefix_of) < prefixes and (t + 1) % stride == 0:
            prefix_of.append(growth.branch(t, size, rollouts, size * len(prefix_of)))
    sequence = torch.cat([*prefix_of, torch.empty(0, dtype=torch.long, device=device)])
    lengths = torch.tensor([len(s) for s in prefix_of], dtype=torch.long, device=device)
    place = torch.repeat_interleave(torch.arange(len(prefix_of), device=device), lengths)
    completions = growth.tokens[size:, 1:].view(prefixes, size, rollouts, length)
    step = (place + 1) * stride - 1
    return Rollouts(originals.samples(size), completions[place, sequence], sequence, step, stride)


class _Growth:
    """A batch of rows that is decoded step by step, and may shrink and grow on the way.

    ``rows`` names the rows that are decoded now, as indices into ``tokens``; the decoder's state
    holds exactly these, in this order.
    """

    def __init__(
        self,
        policy: Policy,
        uniforms: Tensor,
        prefix: Tensor | None = None,
        live: int | None = None,
    ) -> None:
        total, length = uniforms.shape
        self.policy, self.uniforms, self.prefix = policy, uniforms, prefix
        self.tokens = torch.full((total, length + 1), policy.pad, device=uniforms.device)
        self.tokens[:, 0] = policy.start
        self.log_probs = torch.zeros(total, length, device=uniforms.device)
        self.rows = torch.arange(total if live is None else live, device=uniforms.device)
        self.decoding = Decoding(policy)

    def step(self, t: int, forced: Tensor | None = None) -> None:
        """Draw y_t of every row (t from 0); rows that finish with it leave the batch.

        *forced* (B,) are the tokens that rows 0 ... B - 1 take instead of a drawn one.
        """
        features = self.decoding.step(self.tokens[self.rows, : t + 1])
        drawn, log_probs = self.policy.draw(features, self.uniforms[self.rows, t])
        if forced is not None:
            given = self.rows < len(forced)
            drawn[given] = forced[self.rows[given]]
        if self.prefix is not None and t < self.prefix.size(1):
            wanted = self.prefix[self.rows, t]
            given = wanted != self.policy.pad
            drawn = torch.where(given, wanted, drawn)
            log_probs = log_probs.masked_fill(given, 0.0)
        self.tokens[self.rows, t + 1] = drawn
        self.log_probs[self.rows, t] = log_probs
        if not self.policy.fixed:
            going = (drawn != self.policy.eos).nonzero().squeeze(1)
            if len(going) < len(drawn):
                self._select(going, self.rows[going])

    def branch(self, t: int, size: int, rollouts: int, before: int) -> Tensor:
        """Start the rollouts of every unfinished original after y_t; return which those are.

        *before* is the number of prefixes that have their rows in front of these.
        """
        place = (self.rows < size).nonzero().squeeze(1)
        sequence = self.rows[place]
        first = size + (before + sequence) * rollouts
        born = (first.unsqueeze(1) + torch.arange(rollouts, device=first.device)).flatten()
        parent = sequence.repeat_interleave(rollouts)
        self.tokens[born, : t + 2] = self.tokens[parent, : t + 2]
        everyone = torch.arange(len(self.rows), device=first.device)
        self._select(
            torch.cat([everyone, place.repeat_interleave(rollouts)]), torch.cat([self.rows, born])
        )
        return sequence

    def samples(self, size: int) -> Samples:
        """Return the first *size* rows as they stand."""
        tokens = self.tokens[:size, 1:]
        return Samples(tokens, tokens != self.policy.pad, self.log_probs[:size])

    def _select(self, places: Tensor, rows: Tensor) -> None:
        self.rows = rows
        if len(rows):
            self.decoding.select(places)
