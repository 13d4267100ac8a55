"""Which real sequences G could have drawn.

D is shown no others, in training and in evaluation: it would recognise real sequences by what G
never draws.

Shapes: n sequences, T tokens.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

# Why a sequence is left out.
_UNKNOWN = "hold a symbol that is never drawn, such as an unknown word"
_LONG = "are longer than {} tokens, the longest that G draws"
_OTHER = "do not have {} tokens, which every sequence of G has"
_SHORT = "have no more than {} tokens, the prefix that G continues"


class Drawable(NamedTuple):
    """The sequences that G could have drawn, and why others are left out."""

    tokens: Tensor  # (n, T) int32, padded at the end
    left_out: dict[str, int]  # how many sequences are left out for each reason, a clause in English


def drawable(
    sequences: Iterable[Tensor],
    *,
    banned: Tensor,
    pad: int,
    length: int,
    fixed: bool,
    most: int | None = None,
    prefix_size: int = 0,
) -> Drawable:
    """Return those of *sequences* that the policy could draw.

    Args:
        sequences: each (length,), with its end symbol unless the length is *fixed*.
        banned: symbols that the policy never draws.
        length: T, which counts the end symbol unless the length is *fixed*.
        fixed: every sequence that G draws has T tokens.
        most: stop after this many that can be drawn; None: read all.
        prefix_size: k; a sequence that G continues needs more tokens, with its end symbol.
    """
    wrong_length = (_OTHER if fixed else _LONG).format(length - (not fixed))
    no_more = _SHORT.format(prefix_size)
    left_out = {_UNKNOWN: 0, wrong_length: 0, no_more: 0}
    rows: list[Tensor] = []
    for row in sequences:
        if len(rows) == most:
            break
        if torch.isin(row, banned).any():
            left_out[_UNKNOWN] += 1
        elif len(row) > length or (fixed and len(row) < length):
            left_out[wrong_length] += 1
        elif len(row) <= prefix_size:
            left_out[no_more] += 1
        else:
            rows.append(row)
    tokens = torch.full((len(rows), length), pad, dtype=torch.int32)
    for sequence, row in zip(tokens, rows, strict=True):
        sequence[: len(row)] = row
    return Drawable(tokens, {reason: count for reason, count in left_out.items() if count})
