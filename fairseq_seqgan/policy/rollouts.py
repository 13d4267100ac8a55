"""Sampling, and Monte Carlo rollouts of all prefixes in one decoding pass.

A rollout of a prefix y_1 ... y_t is a random completion of it. The rollout policy G_beta draws N
(Eq. 3 of the paper); it is the policy G itself, or a moving average of it:

    {Y^1 ... Y^N} = MC^{G_beta}(y_1 ... y_t; N)

Shapes: B sequences, T steps at most, N rollouts of each prefix, P prefixes that are rolled out.

A plain implementation generates N × (T - 1) times. Here, all rollouts are decoded beside the
sequences, which takes T decoding steps, whatever N is (``incremental_batch.py``).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from torch import Tensor

from ..support.errors import InputError
from ..support.eval_mode import eval_mode
from ..support.progress_display import working
from .incremental_batch import Fork, IncrementalBatch, Samples
from .policy import Policy


@dataclass
class RolloutConfig(FairseqDataclass):
    """Options of the rollouts."""

    rollouts: int = field(
        default=16,
        metadata={
            "help": "N, rollouts of each prefix; 0: none, every token has its sequence's reward"
        },
    )
    rollout_stride: int = field(
        default=1,
        metadata={
            "help": "1 (the paper): roll out every prefix; 4: only the prefixes of 4, 8, 12 ... "
            "tokens, and the 4 tokens that end with one share its value"
        },
    )
    rollout_ema_decay: float = field(
        default=0.0,
        metadata={
            "help": "above 0: rollouts come from a moving average of G, which retains this share "
            "of itself after an update of G; 0 (the paper): they come from G"
        },
    )
    rollout_dtype: ChoiceEnum(["float32", "bfloat16"]) = field(
        default="float32",
        metadata={
            "help": "arithmetic of the G that rollouts come from; 'bfloat16' is faster where G is "
            "large. Sequences, their probabilities and the gradient stay those of G itself"
        },
    )


class Rollouts(NamedTuple):
    """Sequences, and the N rollouts of each of their unfinished prefixes.

    Prefix p consists of the first ``step[p] + 1`` tokens of sequence ``sequence[p]``: with sequence
    3 and step 1, it is y_1 y_2 of sequence 3. A complete sequence has no rollouts; its reward is
    the value of its last token. With a stride k, only the prefixes of k, 2k, 3k ... tokens are
    rolled out.
    """

    samples: Samples  # B sequences
    completions: Tensor  # (P, N, T) int64: the prefix, its random completion, then padding
    sequence: Tensor  # (P,) int64: which of the B sequences
    step: Tensor  # (P,) int64: position of the prefix's last token, from 0
    stride: int = 1  # k


@torch.no_grad()
def sample(
    policy: Policy,
    num: int,
    generator: torch.Generator,
    *,
    prefix: Tensor | None = None,
    batch_size: int | None = None,
) -> Samples:
    """Draw *num* sequences from *policy*, without dropout whatever mode the model is in.

    Args:
        policy: the policy.
        num: how many sequences.
        generator: the random numbers; the same state gives the same sequences for any *batch_size*.
        prefix: (num, t) int64. Each sequence begins with its row up to the row's padding, and only
            the rest is drawn. The prefix's tokens have log-probability 0 and are True in the mask.
        batch_size: sequences decoded at a time; default: 1,024, or fewer if only these fit into the
            policy's memory.

    Raises:
        InputError: *num* is below 1.
    """
    if num < 1:
        raise InputError(f"{num} samples were asked for: at least 1 is needed")
    uniforms = torch.rand(num, policy.length, generator=generator, device=generator.device)
    if batch_size is None:
        batch_size = max(1, min(1024, int(policy.memory / policy.row_bytes())))
    parts = []
    total = -(-num // batch_size) * policy.length  # decoding steps
    with eval_mode(policy.model), working(f"drawing {num:,} sequences", total) as done:
        for start in range(0, num, batch_size):
            u = uniforms[start : start + batch_size].to(policy.device)
            given = None if prefix is None else prefix[start : start + batch_size].to(u.device)
            batch = IncrementalBatch(policy, u, given)
            for t in range(policy.length):
                if len(batch.rows) == 0:
                    done(policy.length - t)
                    break
                batch.step(t)
                done(1)
            parts.append(batch.samples(len(u)))
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
    given: Tensor | None = None,
) -> Rollouts:
    """Draw B = *num* sequences from *policy*, and N = *rollouts* completions of their prefixes.

    The completions come from *rollout_policy*, the paper's G_beta; None: *policy*. Both are used in
    eval mode. With *stride* k, only the prefixes of k, 2k, 3k ... tokens are rolled out. As many
    sequences are decoded at a time as fit into the policy's memory; the result does not depend on
    it.

    With *given* (B, c) int64, sequence b begins with the c tokens of row b, and only the rest is
    drawn. The given tokens have log-probability 0, and prefixes of c tokens or fewer are not rolled
    out.

    Raises:
        InputError: a count is below 1, or the memory is too small for one sequence.
    """
    if num < 1 or rollouts < 1 or stride < 1:
        raise InputError(
            f"{num} sequences with --rollouts {rollouts} and --rollout-stride {stride}: at least 1 "
            "each is needed"
        )
    length = policy.length
    device = generator.device
    own = torch.rand(num, length, generator=generator, device=device)
    skipped = 0 if given is None else given.size(1) // stride  # prefixes within the given tokens
    shape = (length - 1) // stride - skipped, num, rollouts, length
    theirs = torch.rand(shape, generator=generator, device=device)
    rollout_policy = rollout_policy or policy
    group = check_memory(rollout_policy, rollouts, stride, 0 if given is None else given.size(1))
    work = [1 + rollouts * max(0, t // stride - skipped) for t in range(length)]  # rows at step t
    offsets = range(0, num, group)
    parts = []
    with (
        eval_mode(policy.model, rollout_policy.model),
        working("rollouts", num * sum(work)) as done,
    ):
        for offset in offsets:
            own_part = own[offset : offset + group]

            def steps_done(first: int, end: int, size: int = len(own_part)) -> None:
                done(sum(work[first:end]) * size)

            parts.append(
                _roll_out_group(
                    policy,
                    rollout_policy,
                    own_part,
                    theirs[:, offset : offset + group],
                    stride,
                    None if given is None else given[offset : offset + group],
                    steps_done,
                )
            )
    return _join(parts, offsets)


def _join(parts: list[Rollouts], offsets: range) -> Rollouts:
    """Return the rollouts of all groups, *parts*, which it empties.

    *offsets* are the numbers of the groups' first sequences.

    The prefixes are sorted by step, then by sequence, as in a single group: a reward with random
    numbers of its own should not depend on the memory either.
    """
    if len(parts) == 1:
        return parts[0]
    samples = zip(*(part.samples for part in parts), strict=True)
    sequence = torch.cat([part.sequence + o for part, o in zip(parts, offsets, strict=True)])
    step = torch.cat([part.step for part in parts])
    order = step.argsort(stable=True)
    joined = Samples(*(torch.cat(field) for field in samples))
    stride, shape = parts[0].stride, parts[0].completions.shape[1:]
    # The completions take far more memory than all else: each part is dropped once it is copied.
    completions = parts[0].completions.new_empty((len(order), *shape))
    places, begin = order.argsort(), 0
    while parts:
        part = parts.pop(0)
        completions[places[begin : begin + len(part.step)]] = part.completions
        begin += len(part.step)
    return Rollouts(joined, completions, sequence[order], step[order], stride)


def check_memory(policy: Policy, rollouts: int, stride: int = 1, given: int = 0) -> int:
    """Return how many sequences fit into the policy's memory, each with all its rollouts.

    Args:
        policy: the rollout policy.
        rollouts: N.
        stride: k.
        given: the tokens that each sequence begins with.

    Raises:
        InputError: there is no room for one.
    """
    rows = 1 + rollouts * ((policy.length - 1) // stride - given // stride)
    needed = rows * policy.row_bytes()
    if needed > policy.memory:
        raise InputError(
            f"--g-step-memory {policy.memory / 1e6:g}: one sequence with its {rows - 1} rollouts "
            f"needs {math.ceil(needed / 1e6)} MB; give it that, or take fewer --rollouts or a "
            "larger --rollout-stride"
        )
    return int(policy.memory / needed)


def _roll_out_group(
    policy: Policy,
    rollout_policy: Policy,
    own: Tensor,
    theirs: Tensor,
    stride: int,
    given: Tensor | None,
    done: Callable[[int, int], object],
) -> Rollouts:
    """Roll out one group of B sequences.

    Args:
        policy: draws the sequences.
        rollout_policy: draws the completions.
        own: uniform numbers (B, T) for the sequences.
        theirs: uniform numbers (P, B, N, T) for the completions; P = (T - 1) // k - c // k.
        stride: k.
        given: (B, c), the first tokens of the sequences; None: c = 0.
        done: is told that the steps *first* ... *end* - 1 are over.
    """
    prefixes, size, rollouts, length = theirs.shape
    device = policy.device
    copies = theirs.reshape(-1, length).to(device)
    own = own.to(device)
    given = torch.empty(size, 0) if given is None else given
    given = given.to(device)
    same = rollout_policy is policy
    # With one policy, the originals are the first rows of the batch. With another rollout policy,
    # they are drawn in a batch of their own; the rollout policy reads them to build its state.
    batch = IncrementalBatch(rollout_policy, torch.cat([own, copies]), given, live=size)
    originals = batch if same else IncrementalBatch(policy, own, given)
    skipped = given.size(1) // stride
    # For every step with new rollouts, the sequences that are unfinished before it.
    prefix_of: list[Tensor] = []
    for t in range(length):
        if len(batch.rows) == 0:
            done(t, length)
            break
        if not same and len(originals.rows):  # their rollouts may go on after their own end
            originals.step(t)
        place = t // stride - skipped - 1  # of the prefix of t tokens among those rolled out
        fork = Fork(size, rollouts, place) if t % stride == 0 and place >= 0 else None
        sequences = batch.step(t, None if same else originals.tokens[:, t + 1], fork)
        if sequences is not None:
            prefix_of.append(sequences)
        done(t, t + 1)
    sequence = torch.cat([*prefix_of, torch.empty(0, dtype=torch.long, device=device)])
    lengths = torch.tensor([len(s) for s in prefix_of], dtype=torch.long, device=device)
    place = torch.repeat_interleave(torch.arange(len(prefix_of), device=device), lengths)
    completions = batch.tokens[size:, 1:].view(prefixes, size, rollouts, length)
    step = (place + 1 + skipped) * stride - 1
    return Rollouts(originals.samples(size), completions[place, sequence], sequence, step, stride)
