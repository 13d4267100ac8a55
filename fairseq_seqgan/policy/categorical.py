"""Drawing tokens from logits.

Shapes: R rows (one distribution each), V symbols in the dictionary, n draws from each row.

The caller passes the random numbers, uniform in [0, 1). So a batched pass and a plain loop that get
the same numbers draw the same tokens, and a test can compare them.
"""

from __future__ import annotations

import torch
from torch import Tensor

_BLOCK = 128  # symbols whose probabilities are summed into one coarse cell of the CDF
# Logits that are computed and drawn from at a time. On a CPU, 8 MB stay in the cache and larger
# chunks cost more; a GPU wants few large launches.
_CHUNK_ELEMENTS = {"cpu": 384 * 5120, "cuda": 64 * 1024 * 1024}


def chunk_rows(size: int, device: torch.device | str = "cpu") -> int:
    """Return how many rows of *size* symbols to project and draw at a time."""
    elements = _CHUNK_ELEMENTS.get(torch.device(device).type, _CHUNK_ELEMENTS["cuda"])
    return max(16, elements // size)


def draw(logits: Tensor, uniforms: Tensor) -> tuple[Tensor, Tensor]:
    """Draw tokens from softmax(*logits*) by inverting the cumulative distribution.

    With p = softmax(logits) and u a uniform number, the token is the smallest v with

        u < p(0) + p(1) + ... + p(v)

    It is found in two levels: first the block of 128 symbols, from the blocks' sums, then the
    symbol inside that block. ``torch.multinomial`` costs about twenty times as much.

    Args:
        logits: (R, V) float32; ``-inf`` bans a symbol. **Overwritten** on a CPU.
        uniforms: (R,) numbers in [0, 1), or (R, n) for n draws from each row.

    Returns:
        tokens int64, never one of zero probability, and their log-probabilities in nats; both have
        the shape of *uniforms*. The log-probability is NaN where a row contains NaN or ``+inf``, or
        only ``-inf``.
    """
    size = logits.size(1)
    # In place, because memory that is not yet in the cache costs more than the arithmetic.
    probs = torch.softmax(logits, 1, out=None if logits.is_cuda else logits)
    whole = size // _BLOCK * _BLOCK
    sums = [probs[:, :whole].unflatten(1, (-1, _BLOCK)).sum(dim=2)]
    if whole < size:
        sums.append(probs[:, whole:].sum(dim=1, keepdim=True))
    coarse = torch.cat(sums, dim=1).cumsum(dim=1)
    if uniforms.dim() == 1:
        row = torch.arange(len(probs), device=probs.device).unsqueeze(1)
    else:
        row = torch.arange(len(probs), device=probs.device).repeat_interleave(uniforms.size(1))
        row, coarse = row.unsqueeze(1), coarse[row]
    total = coarse[:, -1:]
    target = _below(uniforms.reshape(-1, 1).to(total) * total, total)
    block = (coarse <= target).sum(dim=1, keepdim=True).clamp_(max=coarse.size(1) - 1)
    before = coarse.gather(1, (block - 1).clamp_(min=0)).masked_fill_(block == 0, 0.0)

    symbols = block * _BLOCK + torch.arange(_BLOCK, device=probs.device)
    fine = probs[row, symbols.clamp(max=size - 1)]
    fine = fine.masked_fill_(symbols >= size, 0.0).cumsum(dim=1)
    # The two sums are rounded differently: keep the rest inside the chosen block.
    rest = _below(target - before, fine[:, -1:])
    inside = (fine <= rest).sum(dim=1, keepdim=True).clamp_(max=_BLOCK - 1)
    tokens = (block * _BLOCK + inside).clamp_(max=size - 1)
    return tokens.view_as(uniforms), probs[row, tokens].log().view_as(uniforms)


def _below(value: Tensor, limit: Tensor) -> Tensor:
    """Return *value*, made strictly smaller than *limit* (rounding may have made them equal)."""
    return torch.minimum(value, torch.nextafter(limit, torch.zeros_like(limit)))


def restrict(logits: Tensor, top_k: int = -1, top_p: float = -1.0) -> Tensor:
    """Return *logits* (R, V) with ``-inf`` for all but the most likely symbols.

    ``top_k`` > 0 keeps the k most likely symbols (Fan et al., 2018); 0 < ``top_p`` < 1 keeps the
    fewest symbols whose probabilities add up to p or more (Holtzman et al., 2020).
    """
    if top_k > 0 and top_k < logits.size(1):
        kept, index = logits.topk(top_k, dim=1)
        logits = torch.full_like(logits, -torch.inf).scatter_(1, index, kept)
    if 0.0 < top_p < 1.0:
        ordered, index = logits.sort(dim=1, descending=True)
        probs = ordered.softmax(dim=1)
        outside = probs.cumsum(dim=1) - probs >= top_p
        ordered = ordered.masked_fill(outside, -torch.inf)
        logits = torch.full_like(logits, -torch.inf).scatter_(1, index, ordered)
    return logits
