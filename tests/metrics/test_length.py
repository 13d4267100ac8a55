"""Lengths of samples beside those of real sequences."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fairseq_seqgan.metrics import length

SAMPLES, HELDOUT = [(4,), (4, 5, 6), (), (4, 4)], [(4, 5), (4, 5, 6, 7)]
EOS, PAD = 2, 1


def inputs(samples=SAMPLES, fixed=False, tokens=None):
    return SimpleNamespace(
        samples=samples,
        heldout=HELDOUT,
        policy=SimpleNamespace(fixed=fixed, eos=EOS),
        fresh_samples=SimpleNamespace(tokens=tokens),
    )


def test_mean_and_deviation_stand_beside_those_of_real_sequences():
    for metric, of_samples, of_heldout in (
        (length.LengthMean(), 1.5, 3.0),
        (length.LengthDeviation(), 1.25**0.5, 1.0),
    ):
        assert metric.compute(inputs()).value == pytest.approx(of_samples)
        assert metric.compute_heldout(inputs()).value == pytest.approx(of_heldout)


def test_distance_is_the_area_between_the_distributions():
    """By its definition, as a sum over lengths."""

    def cumulative(sequences, most):
        return np.mean([len(sequence) <= most for sequence in sequences])

    area = sum(abs(cumulative(SAMPLES, n) - cumulative(HELDOUT, n)) for n in range(10))
    assert length.LengthDistance().compute(inputs()).value == pytest.approx(area)
    assert length.LengthDistance().compute(inputs(samples=HELDOUT)).value == 0


def test_unfinished():
    """Two of three rows hold no end symbol; where none is expected, there is no number."""
    tokens = torch.tensor([[4, 5, 6], [4, EOS, PAD], [5, 5, 5]])
    metric = length.UnfinishedShare()
    assert metric.compute(inputs(tokens=tokens)).value == pytest.approx(2 / 3)
    assert np.isnan(metric.compute(inputs(tokens=tokens, fixed=True)).value)
