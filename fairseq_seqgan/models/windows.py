"""Convolution and max over time for many sequences at once, by table look-up.

A convolution over embedded tokens is linear in each token of its window, so its response is a sum
of one row per token: ``table[j, token]``, the j-th slice of the kernel times the token's embedding.
There are V such rows for each j, and the rollouts of a G step look each of them up many times over.
Looking up and adding costs E times fewer operations than multiplying again.

Shapes: R sequences, T tokens, E embedding size, F filters of one kernel, k its width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_CHUNK_ELEMENTS = 512 * 1024  # responses (float32) that are made and reduced at a time
_TABLE_ELEMENTS = 64 * 1024 * 1024  # a larger table is not made; the convolution is used instead


def worth_a_table(tokens: Tensor, layer: nn.Conv1d, symbols: int) -> bool:
    """Return whether a table over *symbols* symbols saves work on *tokens* (R, T)."""
    width, filters = layer.kernel_size[0], layer.out_channels
    windows = tokens.size(0) * (tokens.size(1) - width + 1)
    return (
        tokens.device.type == "cpu"
        and windows > 4 * symbols
        and symbols * width * filters <= _TABLE_ELEMENTS
    )


def make_table(layer: nn.Conv1d, embedding: Tensor) -> Tensor:
    """Return the rows (k × V, F) to look up for *layer*, over *embedding* (V, E)."""
    slices = layer.weight.permute(2, 1, 0)  # (k, E, F)
    return torch.matmul(embedding, slices).flatten(0, 1)


def max_responses(table: Tensor, width: int, tokens: Tensor, lengths: Tensor | None) -> Tensor:
    """Return each filter's largest response over the windows of *tokens* (R, T), as (R, F).

    *lengths* (R,), if given, bounds the windows of each sequence; with none inside, the result is
    ``-inf``. The layer's bias, the same in every window, is not added.
    """
    symbols = len(table) // width
    windows = tokens.size(1) - width + 1
    offsets = symbols * torch.arange(width, device=tokens.device)
    chunk = max(1, _CHUNK_ELEMENTS // (windows * table.size(1)))
    parts = []
    for begin in range(0, len(tokens), chunk):
        index = tokens[begin : begin + chunk].unfold(1, width, 1) + offsets
        responses = F.embedding_bag(index.flatten(0, 1), table, mode="sum")
        responses = responses.view(-1, windows, table.size(1))
        if lengths is not None:
            ends = torch.arange(windows, device=tokens.device) + width
            outside = ends > lengths[begin : begin + chunk].unsqueeze(1)
            responses.masked_fill_(outside.unsqueeze(2), -torch.inf)
        parts.append(responses.amax(dim=1))
    return torch.cat(parts)
