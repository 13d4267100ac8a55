"""Real sequences in the form in which D sees them.

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
    """Return sentences of *dataset* (n, T) int32, as the policy might draw them.

    Those longer than T are left out, and those with a symbol that is never drawn, such as an
    unknown word: D would tell real ones by it.

    Args:
        length: T, the end symbol included unless the length is *fixed*.
        fixed: every sequence has T tokens; the end symbol that follows is cut off.
        seed: chooses the sentences if they are more than *most*.
    """
    index = np.arange(len(dataset))
    if most is not None and most < len(dataset):
        index = np.random.default_rng(seed).permutation(len(dataset))[:most]
    rows = [dataset[int(i)]["target"][: length if fixed else None] for i in index]
    banned = torch.tensor(banned_symbols(dictionary, fixed))
    known = [row for row in rows if not torch.isin(row, banned).any()]
    if len(known) < len(rows):
        logger.info(
            "%d of %d real sequences hold a symbol that is never drawn, such as an unknown word: "
            "they are not shown to D", len(rows) - len(known), len(rows),
        )  # fmt: skip
    rows = [row for row in known if len(row) <= length]
    sequences = torch.full((len(rows), length), dictionary.pad(), dtype=torch.int32)
    for sequence, row in zip(sequences, rows, strict=True):
        sequence[: len(row)] = row
    return sequences
