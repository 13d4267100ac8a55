"""The draw: frequencies, bans and extremes."""

import pytest
import torch
from scipy.stats import chisquare

from fairseq_seqgan.policy.categorical import draw, restrict
from fairseq_seqgan.support.rng import seeded_rng

DRAWS = 100_000


def draw_many(logits, seed=1):
    """Draw from one distribution many times."""
    uniforms = torch.rand(DRAWS, generator=seeded_rng(seed))
    return draw(logits.repeat(DRAWS, 1), uniforms)[0]


@pytest.mark.parametrize("size", [2, 100, 128, 129, 1000])
def test_frequencies_agree_with_softmax(size):
    """A chi-square test over all symbols, on both sides of a block's edge."""
    logits = torch.randn(size, generator=seeded_rng("logits", size))
    counts = torch.bincount(draw_many(logits), minlength=size).double()
    expected = logits.double().softmax(0) * DRAWS
    assert chisquare(counts.numpy(), (expected / expected.sum() * DRAWS).numpy()).pvalue > 1e-3


def test_log_probabilities_are_those_of_softmax():
    """The log-probabilities returned are log softmax at the tokens."""
    logits = 3 * torch.randn(500, 777, generator=seeded_rng(2))
    uniforms = torch.rand(500, generator=seeded_rng(3))
    tokens, log_probs = draw(logits.clone(), uniforms)
    expected = logits.log_softmax(1).gather(1, tokens.unsqueeze(1)).squeeze(1)
    torch.testing.assert_close(log_probs, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [5, 300])
def test_several_draws_of_a_row_are_those_of_its_copies(size):
    logits = 3 * torch.randn(20, size, generator=seeded_rng(size))
    uniforms = torch.rand(20, 7, generator=seeded_rng(4))
    found = draw(logits.clone(), uniforms)
    copies = draw(logits.repeat_interleave(7, dim=0), uniforms.flatten())
    for several, one in zip(found, copies, strict=True):
        assert torch.equal(several, one.view(20, 7))


def test_draw_is_the_inverse_of_the_cumulative_distribution():
    """u falls into the cell of the CDF that belongs to the token."""
    probs = torch.tensor([0.1, 0.0, 0.4, 0.3, 0.2])
    uniforms = torch.tensor([0.0, 0.05, 0.11, 0.49, 0.51, 0.79, 0.81, 0.99])
    tokens, _ = draw(probs.log().repeat(8, 1), uniforms)
    assert tokens.tolist() == [0, 0, 2, 2, 3, 3, 4, 4]


@pytest.mark.parametrize("u", [0.0, 0.5, 1 - 2**-24])
def test_banned_symbols_are_never_drawn(u):
    """Not even with u at the ends of [0, 1), where rounding could reach a zero cell."""
    rows = 2000
    logits = torch.randn(rows, 300, generator=seeded_rng(4))
    banned = torch.rand(rows, 300, generator=seeded_rng(5)) < 0.9
    banned[:, 0] = banned[:, 299] = True
    banned[:, 150] = False
    banned[::2, :140] = True  # a whole first block, and the last, without any probability
    banned[1::2, 160:] = True
    logits[banned] = -torch.inf
    tokens, log_probs = draw(logits, torch.full((rows,), u))
    assert not banned.gather(1, tokens.unsqueeze(1)).any()
    assert torch.isfinite(log_probs).all()


def test_extreme_logits():
    """Logits of ±1e4 and one-hot rows are drawn without overflow."""
    logits = torch.full((4, 200), -1e4)
    logits[:, 7] = 1e4
    tokens, log_probs = draw(logits, torch.tensor([0.0, 0.3, 0.9, 1 - 2**-24]))
    assert tokens.tolist() == [7] * 4
    assert log_probs.tolist() == [0.0] * 4
    flat = torch.full((2, 4), 1e4)
    assert draw(flat, torch.tensor([0.3, 0.8]))[0].tolist() == [1, 3]


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_broken_row_has_no_log_probability(value):
    """NaN and +inf are seen in the log-probability, for the caller to stop."""
    logits = torch.zeros(1, 10)
    logits[0, 3] = value
    assert draw(logits, torch.tensor([0.5]))[1].isnan().all()


@pytest.mark.parametrize("size", [1, 5, 127, 128, 5004])
def test_the_softmax_in_place_is_the_softmax(size):
    """Writing the probabilities over the logits gives what a fresh tensor gets."""
    logits = 5 * torch.randn(50, size, generator=seeded_rng(6, size))
    expected = logits.softmax(dim=1)
    draw(logits, torch.rand(50, generator=seeded_rng(7)))
    assert torch.equal(logits, expected)


def test_top_k_and_top_p():
    """Top-k keeps k symbols; top-p the fewest whose probabilities reach p."""
    logits = torch.tensor([[0.4, 0.3, 0.2, 0.1]]).log()
    assert torch.isfinite(restrict(logits, top_k=2)).tolist() == [[True, True, False, False]]
    assert torch.isfinite(restrict(logits, top_p=0.75)).tolist() == [[True, True, True, False]]
    assert torch.isfinite(restrict(logits, top_p=0.4)).tolist() == [[True, False, False, False]]
    assert torch.isfinite(restrict(logits, top_k=9, top_p=1.0)).all()


def test_streams_of_random_numbers_are_unrelated():
    """Every part of the key changes the stream, and its order matters."""
    keys = [("pool", 1, 2), ("pool", 2, 1), ("pool", 1, 3), ("rollout", 1, 2), ("pool", 12)]
    firsts = {torch.rand(1, generator=seeded_rng(*key)).item() for key in keys}
    assert len(firsts) == len(keys)
