"""Real sequences in the form that D is given.

Shapes: n sequences, T tokens.
"""

from __future__ import annotations

import logging

import numpy as np
import torch
from fairseq.data import Dictionary, MonolingualDataset
from torch import Tensor

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
) -> Tensor:
    """Return those sentences of *dataset* that the policy could draw, (n, T) int32.

    Left out are sentences longer than T, and sentences with a symbol that the policy never draws,
    such as an unknown word: D would recognise real sequences by it.

    Args:
        length: T, which counts the end symbol unless the length is *fixed*.
        fixed: every sequence has T tokens; the end symbol that follows is cut off.
        seed: seeds the random choice of *most* sentences.
        most: how many sentences to look at; None: all.

    Returns:
        (n, T), padded at the end.
    """
    index = np.arange(len(dataset))
    if most is not None and most < len(dataset):
        index = np.random.default_rng(seed).permutation(len(dataset))[:most]
    rows = [dataset[int(i)]["target"][: length if fixed else None] for i in index]
    banned = torch.tensor(banned_symbols(dictionary, fixed))
    known = [row for row in rows if not torch.isin(row, banned).any()]
    if len(known) < len(rows):
        logger.info(
            "%d of %d real sequences hold a symbol that is never drawn, such as an unknown word; "
            "D does not see them",
            len(rows) - len(known),
            len(rows),
        )
    rows = [row for row in known if len(row) <= length]
    sequences = torch.full((len(rows), length), dictionary.pad(), dtype=torch.int32)
    for sequence, row in zip(sequences, rows, strict=True):
        sequence[: len(row)] = row
    return sequences
