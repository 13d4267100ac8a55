"""Real sequences in the form that D is given.

Shapes: n sequences, T tokens.
"""

from __future__ import annotations

import logging

import numpy as np
import torch
from fairseq.data import Dictionary, MonolingualDataset
from torch import Tensor

from ..policy.drawable import drawable
from ..policy.policy import banned_symbols

logger = logging.getLogger(__name__)


def real_sequences(
    dataset: MonolingualDataset,
    dictionary: Dictionary,
    *,
    length: int,
    fixed: bool,
    seed: int,
    most: int | None = None,
    prefix_size: int = 0,
) -> Tensor:
    """Return those sentences of *dataset* that the policy could draw, (n, T) int32.

    The log says how many are left out, and why.

    Args:
        length: T, which counts the end symbol unless the length is *fixed*.
        fixed: every sequence has T tokens; the end symbol that follows is cut off.
        seed: seeds the random choice of *most* sentences.
        most: how many sentences to return if there are more; None: all.
        prefix_size: k; a sentence needs more tokens, with its end symbol.

    Returns:
        (n, T), padded at the end.
    """
    most = len(dataset) if most is None else most
    index = np.arange(len(dataset))
    if most < len(dataset):
        index = np.random.default_rng(seed).permutation(len(dataset))
    found = drawable(
        (dataset[int(i)]["target"][: length if fixed else None] for i in index),
        banned=torch.tensor(banned_symbols(dictionary, fixed)),
        pad=dictionary.pad(),
        length=length,
        fixed=fixed,
        most=most,
        prefix_size=prefix_size,
    )
    seen = len(found.tokens) + sum(found.left_out.values())
    for reason, count in found.left_out.items():
        logger.info("%d of %d real sequences %s; D does not see them", count, seen, reason)
    return found.tokens
