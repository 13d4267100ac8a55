"""What ``fairseq-seqgan evaluate`` computes with the model, in batches, for the metrics to use.

A sequence of fixed length has no end position; otherwise the end symbol is a token as any other,
in the NLL and in the entropy. Unknown words of held-out data, which the policy never draws, are
left out, and the output says how many they are.

Shapes: B sequences, T tokens, V symbols. Log-probabilities are in nats.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from ..policy.policy import Policy
from ..policy.saved_model import about_temperature, load_language_model
from ..support.errors import InputError
from ..support.eval_mode import eval_mode
from . import inputs, outputs

_LOGITS = 2**24  # numbers in one batch's logits (B, T, V): 64 MB of float32


def make_policy(
    path: Path,
    args: argparse.Namespace,
    corpus: inputs.Corpus,
    oracle_length: int | None,
    calibration: inputs.Sequences | None,
) -> Policy:
    """Return the model in the checkpoint *path* as the distribution that is sampled.

    Args:
        oracle_length: T of the oracle's data, if there is an oracle.
        calibration: the sequences of ``--calibrate``, if it is given.

    Raises:
        InputError: the checkpoint holds no such model, or it cannot score a split.
    """
    model, options = load_language_model(path, args.data, corpus.dictionary)
    if (told := about_temperature(str(path), args.temperature)) is not None:
        outputs.note(told)
    fixed = args.fixed_length
    if fixed is None:
        fixed = options.get("fixed_length") or 0
        if not fixed and oracle_length:
            fixed = oracle_length
            outputs.note(
                f"all sequences of split '{corpus.split}' have {fixed} tokens: fixed length"
            )
    limit = model.max_positions()
    _check_lengths(path, fixed, limit, corpus.heldout, corpus.split)
    if calibration is not None:
        _check_lengths(path, fixed, limit, calibration, args.calibrate)
    longest = options.get("max_length") or max(len(sequence) for sequence in corpus.training)
    return Policy(
        model,
        corpus.dictionary,
        fixed_length=fixed,
        max_length=max(1, min(longest, limit - 1)),
        temperature=args.temperature,
    )


def _check_lengths(
    path: Path, fixed: int, limit: int, sequences: inputs.Sequences, split: str
) -> None:
    """Check that the model in *path* can score the *sequences* of *split*.

    Args:
        fixed: the length that they must have; 0: they may have any.
        limit: how many tokens the model takes.

    Raises:
        InputError: one is longer, or has another length.
    """
    sizes = [len(sequence) for sequence in sequences]
    for number, size in enumerate(sizes, start=1):
        if fixed and size != fixed:
            raise InputError(
                f"--fixed-length {fixed}: sequence {number} of split '{split}' has {size} tokens"
            )
    needed = fixed or max(sizes) + 1
    if needed > limit:
        raise InputError(f"{path}: the model takes {limit} tokens, split '{split}' needs {needed}")


def heldout_log_probs(policy: Policy, corpus: inputs.Corpus) -> list[tuple[Tensor, Tensor]]:
    """Return what :func:`log_probs` returns of the held-out split, and tell what is left out."""
    parts = log_probs(policy, corpus.heldout)
    ends = 0 if policy.fixed else len(corpus.heldout)
    tokens = sum(map(len, corpus.heldout)) + ends
    unscored = tokens - sum(int(mask.sum()) for _, mask in parts)
    if unscored:
        outputs.note(
            f"{unscored} tokens of split '{corpus.split}', unknown words, are left out of its NLL"
        )
    return parts


@torch.no_grad()
def log_probs(policy: Policy, sequences: inputs.Sequences) -> list[tuple[Tensor, Tensor]]:
    """Return the policy's log-probabilities of the tokens of *sequences*, batch by batch.

    Each batch is (log-probabilities (B, T), mask (B, T)), True at the tokens that count.
    """
    end = () if policy.fixed else (policy.eos,)
    rows = sorted((s + end for s in sequences), key=len)  # little padding in a batch
    parts, start = [], 0
    with eval_mode(policy.model):
        while start < len(rows):
            tokens = next_batch(rows, start, policy)
            start += len(tokens)
            parts.append((policy.log_probs(tokens), policy.scored(tokens)))
    return parts


def at_temperature(policy: Policy, temperature: float) -> Policy:
    """Return the same model as *policy*, at another *temperature*."""
    found = copy.copy(policy)
    found.temperature = temperature
    return found


def next_batch(sequences: inputs.Sequences, start: int, policy: Policy) -> Tensor:
    """Return the rows from *start* on that may be scored together: (B, T), padded at the end."""
    longest = len(sequences[-1])
    rows = sequences[start : start + max(1, _LOGITS // (longest * policy.size))]
    width = len(rows[-1])
    return torch.tensor([[*row, *[policy.pad] * (width - len(row))] for row in rows])


@torch.no_grad()
def heldout_next_log_probs(
    policy: Policy, corpus: inputs.Corpus
) -> Iterator[tuple[list[int], Tensor]]:
    """Yield the policy's log-probabilities after every held-out prefix, batch by batch.

    Each batch is (indices of its sequences in the held-out split, log-probabilities (B, T, V) in
    nats). Step t of a sequence is the distribution of x_t given x_1 ... x_t-1, the end symbol among
    the symbols.
    """
    order = sorted(range(len(corpus.heldout)), key=lambda i: len(corpus.heldout[i]))
    sequences = [corpus.heldout[i] for i in order]
    start = 0
    with eval_mode(policy.model):
        while start < len(sequences):
            tokens = next_batch(sequences, start, policy)
            rows = order[start : start + len(tokens)]
            start += len(tokens)
            yield rows, policy.logits(tokens).log_softmax(dim=2)
