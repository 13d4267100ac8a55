"""The largest response of each filter over a sequence: by convolution, or by table look-up.

A convolution over embedded tokens is linear in each token of its window. So its response to the
window y_s ... y_s+k-1 is the bias plus a sum of table rows, one for each token:

    response = bias + Σ_j table[y_s+j, j],    table[v, j] = (slice j of the kernel) × embedding(v)

The table has V rows for each j = 0 ... k - 1, and an update of the generator uses each row many
times. To look up and add takes E times fewer operations than to multiply.

Shapes: R sequences, T tokens, V symbols in the dictionary, E embedding size, F filters of one
kernel, k its width, P prefixes, N rollouts of each, B sequences that the prefixes come from.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_CHUNK_ELEMENTS = 512 * 1024  # responses (float32) computed at a time
_TABLE_ELEMENTS = 64 * 1024 * 1024  # a larger table is not built; the convolution is used instead
_CONVOLVED_ROWS = 512  # sequences convolved at a time if there is no table


def convolve(layer: nn.Conv1d, embedded: Tensor, lengths: Tensor | None) -> Tensor:
    """Return the largest response of each filter to *embedded* (R, E, T), as (R, F).

    With *lengths* (R,), only windows inside the first ``lengths[r]`` tokens of sequence r count; if
    there is none, the result is ``-inf``. Gradients flow.
    """
    response = layer(embedded)
    if lengths is not None:
        outside = _ends(layer, response.size(2), lengths) > lengths.unsqueeze(1)
        response = response.masked_fill(outside.unsqueeze(1), -torch.inf)
    return response.amax(dim=2)


def _ends(layer: nn.Conv1d, windows: int, like: Tensor) -> Tensor:
    """Return for each of *windows* windows where it ends: the length that a sequence needs."""
    return torch.arange(windows, device=like.device) + layer.kernel_size[0]


class MaxResponses:
    """One layer's largest responses to many sequences, without gradients.

    Args:
        layer: the convolution.
        embedding: (V, E), the embedding of its tokens.
        tokens: roughly how many tokens will be scored; a table is built if it pays.
        pad: the padding symbol at the end of sequences; windows that touch it do not count.
    """

    def __init__(self, layer: nn.Conv1d, embedding: Tensor, tokens: int, pad: int) -> None:
        self.layer, self.embedding, self.pad = layer, embedding, pad
        self.width = layer.kernel_size[0]
        size = self.width * len(embedding) * layer.out_channels
        self.table = None
        if tokens > 4 * len(embedding) and size <= _TABLE_ELEMENTS:
            slices = layer.weight.permute(1, 2, 0).flatten(1)  # (E, k × F)
            self.table = (embedding @ slices).view(-1, layer.out_channels)  # (V × k, F)

    def __call__(self, tokens: Tensor) -> Tensor:
        """Return the largest responses to *tokens* (R, T), as (R, F); -inf without a window."""
        if tokens.size(1) < self.width:
            return torch.full((len(tokens), self.layer.out_channels), -torch.inf)
        real = tokens != self.pad
        lengths = None if bool(real.all()) else real.sum(dim=1)
        chunk = _CONVOLVED_ROWS
        if self.table is not None:
            windows = tokens.size(1) - self.width + 1
            chunk = max(1, _CHUNK_ELEMENTS // (windows * self.layer.out_channels))
        parts = tokens.split(chunk)
        ends = [None] * len(parts) if lengths is None else lengths.split(chunk)
        reduce = self._convolve if self.table is None else self._look_up
        return torch.cat([reduce(*part) for part in zip(parts, ends, strict=True)])

    def _convolve(self, tokens: Tensor, lengths: Tensor | None) -> Tensor:
        embedded = F.embedding(tokens, self.embedding).transpose(1, 2)
        return convolve(self.layer, embedded, lengths)

    def _look_up(self, tokens: Tensor, lengths: Tensor | None) -> Tensor:
        windows = tokens.size(1) - self.width + 1
        index = tokens.unfold(1, self.width, 1) * self.width + torch.arange(self.width)
        responses = F.embedding_bag(index.flatten(0, 1), self.table, mode="sum")
        responses = responses.view(-1, windows, responses.size(1))
        if lengths is not None:
            outside = _ends(self.layer, windows, lengths) > lengths.unsqueeze(1)
            responses.masked_fill_(outside.unsqueeze(2), -torch.inf)
        return responses.amax(dim=1).add_(self.layer.bias)

    def continued(
        self, tokens: Tensor, completions: Tensor, sequence: Tensor, step: Tensor, out: Tensor
    ) -> None:
        """Write the largest responses to *completions* (P, N, T) into *out* (P, N, F).

        Completion p begins with the first ``step[p] + 1`` tokens of row ``sequence[p]`` of *tokens*
        (B, T), none of them padding. A window that ends inside a prefix belongs to every longer
        prefix of the sequence too, so the maximum over these windows is kept from step to step.
        """
        seen = None  # (B, F), the largest response inside the first t + 1 tokens
        for t in range(int(step.max()) + 1):
            begin = t + 1 - self.width  # where the window that ends with token number t begins
            if begin >= 0:
                newest = self(tokens[:, begin : t + 1])
                seen = newest if seen is None else torch.maximum(seen, newest)
            chosen = (step == t).nonzero().squeeze(1)
            if not len(chosen):  # no prefix of this length is rolled out (--rollout-stride)
                continue
            rest = completions[chosen, :, max(0, begin + 1) :]
            found = self(rest.flatten(0, 1)).view(len(chosen), rest.size(1), -1)
            if seen is not None:
                found = torch.maximum(found, seen[sequence[chosen]].unsqueeze(1))
            out[chosen] = found
