"""Convolutions and their maximum over time, with a backward pass over the chosen windows only.

The maximum over time chooses one window for each sequence and filter. Only that window has a
gradient, but the backward pass of a convolution multiplies all windows. Here it gathers the chosen
ones: a tenth of the multiplications for the paper's D.

Shapes: R sequences, T tokens, E embedding size, F filters of one kernel, k its width. A sequence
has T - k + 1 windows of the kernel.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable


class SparsePooledConvolution(torch.autograd.Function):
    """The largest response of each filter of several convolutions, and its gradients.

    It equals ``pooled_convolution.convolve`` for each layer, except for rounding and for ties
    between windows: here the first of them gets the whole gradient.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx, embedded: Tensor, lengths: Tensor | None, *parameters: Tensor
    ) -> Tensor:
        """Return the largest responses (R, sum of all F) to *embedded* (R, T, E).

        *parameters* are the weight (F, E, k) and the bias (F,) of each convolution in turn. With
        *lengths* (R,), windows that reach beyond the end of their sequence do not count.
        """
        weights, biases = parameters[::2], parameters[1::2]
        largest, chosen = [], []
        for weight, bias in zip(weights, biases, strict=True):
            response = F.conv1d(embedded.transpose(1, 2), weight, bias)
            if lengths is not None:
                ends = torch.arange(response.size(2)) + weight.size(2)
                response.masked_fill_((ends > lengths.unsqueeze(1)).unsqueeze(1), -torch.inf)
            value, window = response.max(dim=2)
            largest.append(value)
            chosen.append(window)
        ctx.save_for_backward(embedded, *weights, *chosen)
        return torch.cat(largest, dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of the inputs of :meth:`forward` from that of its result."""
        embedded, *saved = ctx.saved_tensors
        weights, chosen = saved[: len(saved) // 2], saved[len(saved) // 2 :]
        parts = gradient.to(embedded.dtype).split([len(weight) for weight in weights], dim=1)
        of_embedded = torch.zeros_like(embedded)
        of_parameters: list[Tensor] = []
        filters_of = _by_window(chosen, embedded.size(1))
        for weight, window, part in zip(weights, chosen, parts, strict=True):
            of_parameters += [_of_weight(embedded, weight, window, part), part.sum(dim=0)]
            _add_of_embedded(of_embedded, weight, part.contiguous(), *next(filters_of))
        return of_embedded, None, *of_parameters


def _of_weight(embedded: Tensor, weight: Tensor, window: Tensor, gradient: Tensor) -> Tensor:
    """Return the gradient (F, E, k): for each filter, the weighted sum of its chosen windows."""
    rows, length, size = embedded.shape
    filters, _, width = weight.shape
    windows = length - width + 1
    spread = embedded.as_strided((rows, windows, width * size), (length * size, size, 1))
    index = (window + torch.arange(rows).unsqueeze(1) * windows).t().contiguous()
    summed = F.embedding_bag(
        index,
        spread.reshape(rows * windows, width * size),
        per_sample_weights=gradient.t().contiguous(),
        mode="sum",
    )
    return summed.view(filters, width, size).transpose(1, 2)


def _by_window(chosen: list[Tensor], length: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield for each layer its R × F choices sorted by window, and where each window's begin.

    A window is numbered by its sequence r and its first token s as r T + s: with T = 20, number 45
    begins at token 5 of sequence 2. So there are R × T begins for each layer.
    """
    rows = len(chosen[0])
    first = torch.arange(rows).unsqueeze(1) * length
    keys = [(window + (first + i * rows * length)).flatten() for i, window in enumerate(chosen)]
    # All layers are sorted at once, because torch sorts long lists of integers by radix.
    joined = torch.cat(keys).int()
    order = joined.sort(stable=True).indices
    counts = torch.bincount(joined, minlength=len(chosen) * rows * length)
    begins = counts.cumsum(0) - counts
    done = 0
    for i, key in enumerate(keys):
        inside = slice(i * rows * length, (i + 1) * rows * length)
        yield order[done : done + len(key)] - done, begins[inside] - done
        done += len(key)


def _add_of_embedded(
    total: Tensor, weight: Tensor, gradient: Tensor, order: Tensor, begins: Tensor
) -> None:
    """Add to *total* (R, T, E), for each window, the weighted sum of the filters that chose it."""
    rows, length, size = total.shape
    filters, _, width = weight.shape
    summed = F.embedding_bag(
        order % filters,
        weight.transpose(1, 2).reshape(filters, width * size),
        begins,
        per_sample_weights=gradient.flatten()[order],
        mode="sum",
    ).view(rows, length, width, size)
    windows = length - width + 1
    for j in range(width):
        total[:, j : j + windows] += summed[:, :windows, j]
