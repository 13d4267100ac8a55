"""Convolutions and their maximum over time, with a backward pass over the chosen windows only.

The maximum over time chooses one window for each sequence and filter. Only that window has a
gradient, but the backward pass of a convolution multiplies all windows. Here it gathers the chosen
ones: a tenth of the multiplications for the paper's D.

A layer's windows are laid out as the rows of a matrix, window by window and not sequence by
sequence. So the convolution is one matrix product, and the maximum over time runs over the first
dimension, where a processor compares many filters at once.

Shapes: R sequences, T tokens, E embedding size, F filters of one kernel, k its width. A sequence
has S = T - k + 1 windows of the kernel.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
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
        by_time = embedded.transpose(0, 1).contiguous()
        # Autocast would convert every layer's windows; to convert the tokens first is less work.
        lower = torch.is_autocast_enabled(embedded.device.type)
        read = by_time.to(torch.get_autocast_dtype(embedded.device.type)) if lower else by_time
        filters = [weight.transpose(1, 2).flatten(1) for weight in weights]
        largest, chosen = [], []
        for weight, bias, rows in zip(filters, biases, _windows(read, filters), strict=True):
            response = torch.addmm(bias, rows, weight.t()).to(by_time.dtype)
            response = response.view(-1, len(embedded), len(bias))
            if lengths is not None:
                ends = torch.arange(len(response)) + weight.size(1) // embedded.size(2)
                response.masked_fill_((ends.unsqueeze(1) > lengths).unsqueeze(2), -torch.inf)
            value, window = _first_largest(response)
            largest.append(value)
            chosen.append(window)
        ctx.save_for_backward(by_time, torch.cat(chosen, dim=1), *filters)
        return torch.cat(largest, dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of the inputs of :meth:`forward` from that of its result."""
        by_time, chosen, *filters = ctx.saved_tensors
        length, rows, size = by_time.shape
        counts = [len(weight) for weight in filters]
        of_bias = gradient.to(by_time.dtype).sum(dim=0).split(counts)
        by_filter = gradient.to(by_time.dtype).t().contiguous()  # (sum of all F, R)
        places = (chosen * rows + torch.arange(rows).unsqueeze(1)).t().contiguous()
        widest = max(weight.size(1) for weight in filters)
        of_windows = by_time.new_zeros(length * rows, widest)
        of_parameters: list[Tensor] = []
        parts = by_filter.split(counts), places.split(counts)
        users = _by_window(by_filter, parts[1], length * rows)
        layers = zip(filters, _windows(by_time, filters), *parts, of_bias, users, strict=True)
        for weight, windows, part, place, bias, (order, weights, begins) in layers:
            found = F.embedding_bag(place, windows, per_sample_weights=part, mode="sum")
            of_parameters += [found.view(len(weight), -1, size).transpose(1, 2), bias]
            of_windows[: len(windows), : weight.size(1)] += F.embedding_bag(
                order, weight, begins[: len(windows)], per_sample_weights=weights, mode="sum"
            )
        of_embedded = _of_tokens(of_windows.view(length, rows, -1, size))
        return of_embedded.transpose(0, 1), None, *of_parameters


def _windows(by_time: Tensor, filters: list[Tensor]) -> Iterator[Tensor]:
    """Yield for each of *filters* (F, k × E) the windows of *by_time* (T, R, E) that it reads.

    They are (S × R, k × E): row s R + r holds the tokens s ... s + k - 1 of sequence r.
    """
    length, rows, size = by_time.shape
    for weight in filters:
        width = weight.size(1) // size
        shape = (length - width + 1, rows, width, size)
        windows = by_time.as_strided(shape, (rows * size, size, rows * size, 1))
        yield windows.reshape(-1, width * size)


def _first_largest(response: Tensor) -> tuple[Tensor, Tensor]:
    """Return the maximum of *response* (S, R, F) over the windows, and its first window, (R, F).

    *response* is overwritten. This does what ``max(dim=0)`` does, three times as fast, because
    only a maximum without its index is computed for many filters at once. Where a response is NaN,
    so is the maximum, and its window is the last one.
    """
    value = response.amax(dim=0)
    torch.eq(response, value, out=response)
    backwards = torch.arange(len(response), 0, -1, dtype=response.dtype)
    found = response.mul_(backwards.view(-1, 1, 1)).amax(dim=0)
    return value, (len(response) - found).clamp_(max=len(response) - 1).int()


def _by_window(
    gradient: Tensor, places: tuple[Tensor, ...], windows: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield for each layer which filters have chosen each window.

    Args:
        gradient: of all filters, (sum of all F, R).
        places: for each layer (F, R), the numbers of the chosen windows, s R + r.
        windows: a bound on these numbers, T × R.

    Yields:
        the filters (F × R,) in the order of the windows that they chose; their gradients; and for
        each of the *windows* where its filters begin.
    """
    keys = torch.cat([(place + i * windows).flatten() for i, place in enumerate(places)])
    # numpy sorts 16-bit integers by radix; torch only lists longer than the small D's.
    smallest = np.min_scalar_type(len(places) * windows)
    order = torch.from_numpy(np.argsort(keys.numpy().astype(smallest), kind="stable"))
    counts = torch.bincount(keys, minlength=len(places) * windows)
    begins = counts.cumsum(0) - counts
    filters, weights = order // gradient.size(1), gradient.flatten()[order]
    first = 0  # filter of the layer
    for i, place in enumerate(places):
        done = first * gradient.size(1)
        inside = slice(done, done + place.numel())
        own = begins[i * windows : (i + 1) * windows]
        yield filters[inside] - first, weights[inside], own - done
        first += len(place)


def _of_tokens(of_windows: Tensor) -> Tensor:
    """Return the gradient of the tokens (T, R, E) from that of their windows (T, R, k, E)."""
    total = of_windows[:, :, 0].clone()
    for j in range(1, of_windows.size(2)):
        total[j:] += of_windows[: len(total) - j, :, j]
    return total
