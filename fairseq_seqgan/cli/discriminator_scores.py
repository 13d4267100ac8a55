"""What ``fairseq-seqgan evaluate`` computes with a discriminator, for the metrics to use.

D sees sequences as in training: a row of T tokens, padded at the end, with the end symbol where the
length is not fixed. Those that G never draws are left out (``policy/drawable.py``).

Shapes: R sequences, T tokens.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from torch import Tensor

from ..criterions.saved_discriminator import SavedDiscriminator, load_discriminator
from ..metrics.discriminator import LogOdds
from ..policy.drawable import drawable
from ..policy.policy import Policy
from ..policy.rollouts import sample
from ..support.errors import InputError
from ..support.eval_mode import eval_mode
from ..support.rng import seeded_rng
from . import inputs, outputs


def open_discriminators(
    options: argparse.Namespace, corpus: inputs.Corpus
) -> dict[str, SavedDiscriminator]:
    """Return the D of ``--discriminator`` and of ``--judge``, by option, where they are asked for.

    Raises:
        InputError: a file holds no D, a split is missing, or it is the training split.
    """
    found = {}
    for name, what in (("discriminator", "gain"), ("judge", "AUC")):
        path = getattr(options, name)
        if path is not None:
            _refuse_train("--valid-subset", corpus.split, what)
            found[name] = load_discriminator(str(path), corpus.dictionary)
    if "discriminator" in found:
        _refuse_train("--slope-subset", options.slope_subset, "gain")
        if options.slope_subset != corpus.split:
            inputs.read_split(corpus.folder, options.slope_subset, corpus.dictionary)
    return found


def log_odds_of(
    found: SavedDiscriminator,
    policy: Policy,
    corpus: inputs.Corpus,
    num: int,
    seed: int,
    slope_split: str,
) -> LogOdds:
    """Return the log-odds of the D *found*.

    Args:
        policy: G, which *num* samples are drawn from, and a quarter as many to fit the slope on.
        slope_split: the split that the slope is fitted on.

    Raises:
        InputError: a split has no sequence for it.
    """
    real = rows(corpus.heldout, policy, f"split '{corpus.split}'")
    other = None
    if slope_split != corpus.split:
        sequences = inputs.read_split(corpus.folder, slope_split, corpus.dictionary)
        other = rows(sequences, policy, f"split '{slope_split}'")
    drawn = sample(policy, num, seeded_rng("gain", seed))
    fitted = None
    if other is not None:
        fitted = sample(policy, max(2, num // 4), seeded_rng("gain slope", seed)).tokens
    return LogOdds(
        heldout=score(found, real),
        samples=score(found, drawn.tokens),
        log_probs=drawn.log_probs.double().sum(dim=1).numpy(),
        lengths=drawn.mask.sum(dim=1).numpy(),
        slope_heldout=None if other is None else score(found, other),
        slope_samples=None if fitted is None else score(found, fitted),
        tokens=float((real != policy.pad).sum() / len(real)),
        nll=nll(policy, real),
        slope_split=slope_split,
    )


def judge_scores(
    found: SavedDiscriminator, policy: Policy, corpus: inputs.Corpus
) -> tuple[np.ndarray, np.ndarray]:
    """Return the log-odds that the D *found* gives held-out sequences and the samples.

    Raises:
        InputError: none of the sequences, or of the samples, could be drawn by G.
    """
    real = rows(corpus.heldout, policy, f"split '{corpus.split}'")
    samples = [sample.ids for sample in corpus.samples]
    return score(found, real), score(found, rows(samples, policy, "the samples"))


def _refuse_train(option: str, split: str | None, what: str) -> None:
    """Raise an error if *split* is the one that D was trained on."""
    if split == "train":
        raise InputError(f"{option} train: D was trained on it, so its {what} there says nothing")


def rows(sequences: inputs.Sequences, policy: Policy, where: str) -> Tensor:
    """Return *sequences* as D sees them (R, T).

    Raises:
        InputError: none is left.
    """
    end = () if policy.fixed else (policy.eos,)
    found = drawable(
        (torch.tensor((*sequence, *end)) for sequence in sequences),
        banned=policy.banned,
        pad=policy.pad,
        length=policy.length,
        fixed=policy.fixed,
    )
    if not len(found.tokens):
        raise InputError(f"{where}: no sequence that G could have drawn, so none for D")
    for reason, count in found.left_out.items():
        outputs.note(f"{count} sequences of {where} {reason}; D does not see them")
    return found.tokens.long()


@torch.no_grad()
def nll(policy: Policy, tokens: Tensor) -> float:
    """Return the NLL of *tokens* (R, T), padded at the end, in nats per token."""
    with eval_mode(policy.model):
        parts = [policy.nll(part.to(policy.device)) for part in tokens.split(256)]
    return sum(float(nll) for nll, _ in parts) / sum(count for _, count in parts)


def score(discriminator: SavedDiscriminator, tokens: Tensor) -> np.ndarray:
    """Return the log-odds (R,) of *tokens* (R, T), 4,096 rows at a time."""
    parts = [discriminator.log_odds(part) for part in tokens.split(4096)]
    return torch.cat(parts).double().numpy()
