"""What ``fairseq-seqgan evaluate`` measures of the model: NLL, entropy, the next pitch.

A sequence of fixed length has no end position; otherwise the end symbol is a token as any other,
in the NLL and in the entropy. Unknown words of held-out data, which the policy never draws, are
left out, and the output says how many they are.

Shapes: B sequences, T tokens, V symbols. Every NLL and entropy is in nats per token.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

import torch
from torch import Tensor

from ..metrics import likelihood, pitch
from ..metrics.likelihood import Likelihood
from ..policy.policy import Policy
from ..policy.rollouts import sample
from ..support.errors import InputError
from ..support.eval_mode import eval_mode
from ..support.rng import seeded_rng
from . import inputs
from .sample_scores import Keys, pitches

_LOGITS = 2**24  # numbers in one batch's logits (B, T, V): 64 MB of float32


def make_policy(
    args: argparse.Namespace, corpus: inputs.Corpus, oracle_length: int | None
) -> Policy:
    """Return the checkpoint's model as the distribution that is sampled."""
    model, options = inputs.load_language_model(args.model, args.data, corpus.dictionary)
    fixed = args.fixed_length
    if fixed is None:
        fixed = options.get("fixed_length") or 0
        if not fixed and oracle_length:
            fixed = oracle_length
            note(f"all sequences of split '{corpus.split}' have {fixed} tokens: fixed length")
    sizes = [len(sequence) for sequence in corpus.heldout]
    for number, size in enumerate(sizes, start=1):
        if fixed and size != fixed:
            raise InputError(
                f"--fixed-length {fixed}: sequence {number} of split '{corpus.split}' has {size} "
                "tokens"
            )
    limit = model.max_positions()
    needed = fixed or max(sizes) + 1
    if needed > limit:
        raise InputError(
            f"{args.model}: the model takes {limit} tokens, split '{corpus.split}' needs {needed}"
        )
    longest = options.get("max_length") or max(len(sequence) for sequence in corpus.training)
    return Policy(
        model,
        corpus.dictionary,
        fixed_length=fixed,
        max_length=max(1, min(longest, limit - 1)),
        temperature=args.temperature,
        start=corpus.dictionary.bos() if options.get("add_bos_token") else None,
    )


def whole(log_probs: Tensor) -> Likelihood:
    """Return the likelihood of sequences of equal length (B, T); of G's samples it is Eq. 9."""
    return likelihood.from_tokens(log_probs, torch.ones_like(log_probs, dtype=torch.bool))


@torch.no_grad()
def heldout_nll(policy: Policy, corpus: inputs.Corpus) -> Likelihood:
    """Return the policy's NLL of the held-out data."""
    end = () if policy.fixed else (policy.eos,)
    sequences = sorted((s + end for s in corpus.heldout), key=len)  # little padding in a batch
    parts, unscored = [], 0
    with eval_mode(policy.model):
        start = 0
        while start < len(sequences):
            tokens = next_batch(sequences, start, policy)
            start += len(tokens)
            mask = policy.scored(tokens)
            unscored += int((~mask & (tokens != policy.pad)).sum())
            parts.append((policy.log_probs(tokens), mask))
    if unscored:
        note(f"{unscored} tokens of split '{corpus.split}', unknown words, are left out of its NLL")
    return likelihood.concatenate(parts)


def next_batch(sequences: inputs.Sequences, start: int, policy: Policy) -> Tensor:
    """Return the rows from *start* on that may be scored together: (B, T), padded at the end."""
    longest = len(sequences[-1])
    rows = sequences[start : start + max(1, _LOGITS // (longest * policy.size))]
    width = len(rows[-1])
    return torch.tensor([[*row, *[policy.pad] * (width - len(row))] for row in rows])


def entropy(policy: Policy, num: int, seed: int) -> Likelihood:
    """Estimate the policy's entropy per token from *num* fresh samples."""
    drawn = sample(policy, num, seeded_rng("evaluate", seed))
    return likelihood.from_tokens(drawn.log_probs, drawn.mask)


@torch.no_grad()
def one_step_error(policy: Policy, corpus: inputs.Corpus, heldout: Keys, data: Path) -> float:
    """Return the mean squared error of the policy's next pitch after real ones, in squared keys.

    Args:
        heldout: the keys of *corpus*'s held-out sequences.

    Raises:
        InputError: the policy draws a word that is no pitch; the message names it.
    """
    never = {*policy.banned.tolist(), policy.eos}
    values = torch.from_numpy(pitches(corpus.dictionary, never, f"{data / 'dict.txt'}"))
    order = sorted(range(len(heldout)), key=lambda i: len(heldout[i]))
    sequences = [corpus.heldout[i] for i in order]
    errors, start = [], 0
    with eval_mode(policy.model):
        while start < len(sequences):
            tokens = next_batch(sequences, start, policy)
            real = [heldout[i] for i in order[start : start + len(tokens)]]
            keys = [row + [-1] * (tokens.size(1) - len(row)) for row in real]
            start += len(tokens)
            probs = policy.logits(tokens).softmax(dim=2)
            errors.append(pitch.one_step(probs, values, torch.tensor(keys)))
    every = torch.cat(errors)
    return float(every.mean()) if len(every) else math.nan


def note(message: str) -> None:
    """Tell the user what was assumed; on stderr, so that printed JSON stays JSON."""
    print(f"note: {message}", file=sys.stderr)
