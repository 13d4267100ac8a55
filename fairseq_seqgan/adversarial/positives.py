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

# Why a sentence is left out.
_UNKNOWN = "hold a symbol that is never drawn, such as an unknown word"
_LONG = "are longer than {} tokens, the longest that G draws"
_SHORT = "have no more than {} tokens, the prefix that G continues"


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

    Left out are sentences longer than T, and sentences with a symbol that the policy never draws,
    such as an unknown word: D would recognise real sequences by it. With prefixes, sentences that
    hold nothing beyond theirs are left out as well. The log says how many.

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
    banned = torch.tensor(banned_symbols(dictionary, fixed))
    too_long = _LONG.format(length - (not fixed))
    too_short = _SHORT.format(prefix_size)
    left_out = {_UNKNOWN: 0, too_long: 0, too_short: 0}
    rows: list[Tensor] = []
    for i in index:
        if len(rows) == most:
            break
        row = dataset[int(i)]["target"][: length if fixed else None]
        if torch.isin(row, banned).any():
            left_out[_UNKNOWN] += 1
        elif len(row) > length:
            left_out[too_long] += 1
        elif len(row) <= prefix_size:
            left_out[too_short] += 1
        else:
            rows.append(row)
    seen = len(rows) + sum(left_out.values())
    for reason, count in left_out.items():
        if count:
            logger.info("%d of %d real sequences %s; D does not see them", count, seen, reason)
    sequences = torch.full((len(rows), length), dictionary.pad(), dtype=torch.int32)
    for sequence, row in zip(sequences, rows, strict=True):
        sequence[: len(row)] = row
    return sequences
