"""Metrics against hand-made cases and plain loops."""

import math
import random
import time

import pytest
import torch

from fairseq_seqgan.metrics import likelihood
from fairseq_seqgan.metrics.discrimination import auc
from fairseq_seqgan.metrics.diversity import (
    copied_ngram_share,
    copied_share,
    distinct_tokens,
    duplicate_share,
)
from fairseq_seqgan.support.errors import InputError


def words(*lines):
    return [line.split() for line in lines]


class TestLikelihood:
    def test_hand_made(self):
        log_probs = torch.tensor([[-1.0, -2.0, -9.0], [-3.0, -8.0, -7.0]])
        mask = torch.tensor([[True, True, False], [True, False, False]])
        got = likelihood.from_tokens(log_probs, mask)
        # Tokens cost 1, 2 and 3; sequences cost 3 (2 tokens) and 3 (1 token); the mean is 2.
        # Residuals 3 - 4 and 3 - 2, so sqrt((1 + 1) / (2 * 1)) / 1.5.
        assert got == likelihood.Likelihood(2.0, pytest.approx(1 / 1.5), sequences=2, tokens=3)

    def test_equal_lengths_give_the_usual_standard_error(self):
        torch.manual_seed(1)
        log_probs = -torch.rand(50, 7)
        got = likelihood.from_tokens(log_probs, torch.ones(50, 7, dtype=torch.bool))
        means = log_probs.double().mean(dim=1)
        assert got.nll == pytest.approx(-means.mean().item(), abs=1e-12)
        assert got.stderr == pytest.approx(means.std().item() / math.sqrt(50), abs=1e-12)

    def test_standard_error_of_unequal_lengths_is_the_spread_of_the_estimate(self):
        generator = torch.Generator().manual_seed(2)
        lengths = torch.randint(1, 9, (2000, 100), generator=generator)
        # The cost depends on the length, which the standard error of sequence means would miss.
        totals = -(lengths**2 + torch.rand(2000, 100, generator=generator))
        results = [likelihood.from_sequences(t, n) for t, n in zip(totals, lengths, strict=True)]
        spread = torch.tensor([r.nll for r in results]).std().item()
        mean_stderr = sum(r.stderr for r in results) / len(results)
        assert mean_stderr == pytest.approx(spread, rel=0.05)

    def test_masked_values_never_matter(self):
        mask = torch.tensor([[True, False]])
        for hidden in (0.0, -5.0, -math.inf, math.nan):
            got = likelihood.from_tokens(torch.tensor([[-1.5, hidden]]), mask)
            assert got.nll == 1.5
            assert math.isnan(got.stderr)

    def test_one_sequence_has_no_standard_error(self):
        # 1 / 49 * 49 is not quite 1: the residual is not 0 and would be divided by 0.
        assert math.isnan(
            likelihood.from_sequences(torch.tensor([-1.0]), torch.tensor([49])).stderr
        )

    def test_impossible_token_is_infinite(self):
        mask = torch.ones(1, 2, dtype=torch.bool)
        assert likelihood.from_tokens(torch.tensor([[-1.0, -math.inf]]), mask).nll == math.inf

    def test_batches_of_different_shape_equal_one_padded_batch(self):
        torch.manual_seed(3)
        log_probs, mask = -torch.rand(6, 5), torch.arange(5) < torch.tensor([[5, 4, 3, 3, 2, 1]]).T
        parts = [(log_probs[:2], mask[:2]), (log_probs[2:, :3], mask[2:, :3])]
        assert likelihood.concatenate(parts) == likelihood.from_tokens(log_probs, mask)

    def test_empty_sequence_counts_as_a_sequence_without_tokens(self):
        got = likelihood.from_sequences(torch.tensor([-4.0, 0.0]), torch.tensor([2, 0]))
        assert (got.nll, got.sequences, got.tokens) == (2.0, 2, 2)

    @pytest.mark.parametrize(
        ("log_probs", "mask"),
        [
            (torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.bool)),
            (torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.bool)),
            (torch.zeros(2, 3), torch.ones(2, 1, dtype=torch.bool)),
            (torch.zeros(3), torch.ones(3, dtype=torch.bool)),
        ],
        ids=["no sequence", "no token", "broadcastable mask", "one dimension"],
    )
    def test_bad_input(self, log_probs, mask):
        with pytest.raises(InputError):
            likelihood.from_tokens(log_probs, mask)

    def test_no_batches(self):
        with pytest.raises(InputError):
            likelihood.concatenate([])

    def test_lengths_of_another_shape(self):
        with pytest.raises(InputError):
            likelihood.from_sequences(torch.zeros(3), torch.ones(2))


TRAINING = words("a b c d e", "x y", "")

# samples, distinct tokens, duplicates, whole copies, copied 4-grams, copied 2-grams
DIVERSITY = [
    pytest.param(words("a b c d e"), 5, 0.0, 1.0, 1.0, 1.0, id="identical to training"),
    pytest.param(words("p q r s t"), 5, 0.0, 0.0, 0.0, 0.0, id="nothing copied"),
    pytest.param(words("a b c d", "a b c d"), 4, 0.5, 0.0, 1.0, 1.0, id="inside, not whole"),
    pytest.param(words("a b c d q"), 5, 0.0, 0.0, 0.5, 0.75, id="partly copied"),
    pytest.param(words("e d c b a"), 5, 0.0, 0.0, 0.0, 0.0, id="order matters"),
    pytest.param(words("d e x y"), 4, 0.0, 0.0, 0.0, 2 / 3, id="not across sequences"),
    pytest.param(words("x y", "x y", "x y"), 2, 2 / 3, 1.0, math.nan, 1.0, id="shorter than 4"),
    pytest.param(words("x y", "b c d e"), 6, 0.0, 0.5, 1.0, 1.0, id="one shorter than 4"),
    pytest.param(words("", "", "q"), 1, 1 / 3, 2 / 3, math.nan, math.nan, id="empty strings"),
    pytest.param(words("x x x x x"), 1, 0.0, 0.0, 0.0, 0.0, id="occurrences of one 4-gram"),
    pytest.param(words(*["a b c d"] * 3, "q r s t"), 8, 0.5, 0.0, 0.75, 0.75, id="repeats count"),
]


class TestDiversity:
    @pytest.mark.parametrize(
        ("samples", "distinct", "duplicates", "copies", "grams4", "grams2"), DIVERSITY
    )
    def test_table(self, samples, distinct, duplicates, copies, grams4, grams2):
        assert distinct_tokens(samples) == distinct
        assert duplicate_share(samples) == pytest.approx(duplicates)
        assert copied_share(samples, TRAINING) == pytest.approx(copies)
        assert copied_ngram_share(samples, TRAINING) == pytest.approx(grams4, nan_ok=True)
        assert copied_ngram_share(samples, TRAINING, n=2) == pytest.approx(grams2, nan_ok=True)

    def test_ids_and_any_sequence_type(self):
        samples, training = [(4, 5), [4, 5], range(4, 6)], [[4, 5]]
        assert distinct_tokens(samples) == 2
        assert duplicate_share(samples) == pytest.approx(2 / 3)
        assert copied_share(samples, training) == 1.0
        assert copied_ngram_share(samples, training, n=1) == 1.0

    def test_no_training_data(self):
        assert copied_share(words("a b"), []) == 0.0
        assert copied_ngram_share(words("a b"), [], n=2) == 0.0

    def test_no_samples(self):
        assert distinct_tokens([]) == 0
        for call in (
            duplicate_share,
            lambda s: copied_share(s, []),
            lambda s: copied_ngram_share(s, []),
        ):
            with pytest.raises(InputError, match="no samples"):
                call([])

    def test_n_above_every_length(self):
        assert math.isnan(copied_ngram_share(words("a b"), words("a b"), n=10**18))

    def test_n_below_one(self):
        with pytest.raises(InputError, match="0 tokens"):
            copied_ngram_share(words("a"), words("a"), n=0)

    def test_equal_to_plain_search(self):
        rng = random.Random(4)
        draw = lambda count: [  # noqa: E731
            [rng.choice("abc") for _ in range(rng.randrange(8))] for _ in range(count)
        ]
        samples, training = draw(200), draw(5)
        joined = ["".join(t) for t in training]
        for n in (1, 3, 4):
            grams = ["".join(s[i : i + n]) for s in samples for i in range(len(s) - n + 1)]
            share = sum(any(gram in text for text in joined) for gram in grams) / len(grams)
            assert copied_ngram_share(samples, training, n) == pytest.approx(share, abs=1e-12)

    def test_speed(self):
        rng = random.Random(5)
        samples = [rng.choices(range(5000), k=20) for _ in range(10_000)]
        training = [rng.choices(range(5000), k=20) for _ in range(10_000)]
        start = time.process_time()
        assert distinct_tokens(samples) == 5000
        assert duplicate_share(samples) == copied_share(samples, training) == 0.0
        assert copied_ngram_share(samples, training) < 0.01
        assert time.process_time() - start < 3.0


class TestAuc:
    @pytest.mark.parametrize(
        ("real", "fake", "expected"),
        [
            ([0.9, 0.8], [0.1, 0.2], 1.0),
            ([0.1, 0.2], [0.9, 0.8], 0.0),
            ([0.5, 0.5], [0.5], 0.5),
            ([0.5, 0.9], [0.5, 0.1], 0.875),
            ([3.0], [-40.0, 2.0, 7.0], 2 / 3),
        ],
        ids=["separated", "reversed", "all tied", "one tie", "not probabilities"],
    )
    def test_table(self, real, fake, expected):
        assert auc(real, fake) == pytest.approx(expected, abs=1e-12)
        assert auc(torch.tensor(real), torch.tensor(fake)) == pytest.approx(expected, abs=1e-12)

    @pytest.mark.parametrize(
        ("real", "fake"),
        [([], [0.5]), ([0.5], []), ([], []), ([math.nan], [0.5]), ([0.5], [math.inf])],
    )
    def test_bad_input(self, real, fake):
        with pytest.raises(InputError, match="AUC"):
            auc(real, fake)
