"""The gathered backward pass of D's convolutions against autograd's."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fairseq_seqgan.models.pooled_convolution import convolve
from fairseq_seqgan.models.sparse_pooled_convolution import (
    SparsePooledConvolution,
    _first_largest,
)

LENGTH, SIZE = 7, 5
KERNELS = [(1, 4), (2, 6), (3, 1), (7, 3)]  # (width, filters)


def make_layers() -> list[nn.Conv1d]:
    torch.manual_seed(1)
    return [nn.Conv1d(SIZE, filters, width).double() for width, filters in KERNELS]


def parameters_of(layers: list[nn.Conv1d]) -> list[nn.Parameter]:
    return [parameter for layer in layers for parameter in (layer.weight, layer.bias)]


def learn(
    layers: list[nn.Conv1d], embedded: Tensor, lengths: Tensor | None, gathered: bool
) -> list[Tensor]:
    """Return the largest responses and every gradient of a weighted sum of their ReLUs."""
    embedded = embedded.clone().requires_grad_()
    parameters = parameters_of(layers)
    if gathered:
        found = SparsePooledConvolution.apply(embedded, lengths, *parameters)
    else:
        spread = embedded.transpose(1, 2)
        found = torch.cat([convolve(layer, spread, lengths) for layer in layers], dim=1)
    weights = torch.linspace(-1, 1, found.numel(), dtype=found.dtype).view_as(found)
    total = (torch.relu(found) * weights).sum()
    return [found, *torch.autograd.grad(total, [embedded, *parameters])]


@pytest.mark.parametrize("lengths", [None, [7, 4, 1, 7, 2, 6]], ids=["full", "padded"])
def test_equals_autograd(lengths):
    embedded = torch.randn(6, LENGTH, SIZE, dtype=torch.float64)
    inside = None if lengths is None else torch.tensor(lengths)
    layers = make_layers()
    expected = learn(layers, embedded, inside, gathered=False)
    for ours, theirs in zip(learn(layers, embedded, inside, True), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_equal_windows_share_what_they_learn():
    """Repeated tokens make equal windows; which one is chosen changes no gradient of a weight."""
    table = torch.randn(3, SIZE, dtype=torch.float64)
    tokens = torch.tensor([[0, 0, 0, 0, 0, 0, 0], [1, 2, 1, 2, 1, 2, 1]])
    layers = make_layers()
    ours, theirs = (learn(layers, table[tokens], None, gathered) for gathered in (True, False))
    of_table = [
        torch.zeros_like(table).index_add_(0, tokens.flatten(), found[1].flatten(0, 1))
        for found in (ours, theirs)
    ]
    torch.testing.assert_close(*of_table, rtol=1e-12, atol=1e-12)
    for mine, autograds in zip(ours[2:], theirs[2:], strict=True):
        torch.testing.assert_close(mine, autograds, rtol=1e-12, atol=1e-12)


def test_the_first_of_equal_windows_is_chosen():
    """Also where no window counts, and its response is -inf everywhere."""
    response = torch.randint(3, (9, 20, 11), generator=torch.Generator().manual_seed(1)).float()
    response[5:] = -torch.inf
    response[:, 3] = -torch.inf
    value, window = _first_largest(response.clone())
    assert torch.equal(value, response.amax(dim=0))
    assert np.array_equal(window, response.numpy().argmax(axis=0))


def test_nan_spreads_as_with_autograd():
    """A window is chosen all the same, so that the loss can tell of the divergence."""
    layers = make_layers()
    embedded = torch.randn(6, LENGTH, SIZE, dtype=torch.float64)
    embedded[2, 3] = torch.nan
    found, of_embedded, *of_parameters = learn(layers, embedded, None, gathered=True)
    expected = learn(layers, embedded, None, gathered=False)[0]
    assert torch.equal(found.isnan(), expected.isnan())
    assert found[2].isnan().any()
    assert of_embedded.shape == embedded.shape
    assert all(
        part.shape == p.shape for part, p in zip(of_parameters, parameters_of(layers), strict=True)
    )


def test_same_bytes_twice():
    embedded = torch.randn(32, LENGTH, SIZE, dtype=torch.float64)
    layers = make_layers()
    for first, second in zip(*(learn(layers, embedded, None, True) for _ in "12"), strict=True):
        assert torch.equal(first, second)


@pytest.mark.parametrize("rows", [1, 64])
def test_discriminator_uses_it(rows, monkeypatch):
    from fairseq_seqgan.models import cnn_highway

    torch.manual_seed(1)
    net = cnn_highway.CNNHighway(11, 1, 8, [(1, 3), (4, 5)], dropout=0.0, l2=0.0)
    tokens = torch.randint(2, 11, (rows, 6))
    calls = []
    apply = SparsePooledConvolution.apply
    monkeypatch.setattr(
        cnn_highway.SparsePooledConvolution, "apply", lambda *args: calls.append(1) or apply(*args)
    )
    net(tokens).sum().backward()
    assert calls == [1]
    with torch.no_grad():
        net(tokens)
    assert calls == [1]
