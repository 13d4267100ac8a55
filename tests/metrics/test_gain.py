"""The gain of a discriminator: against exact values of a distribution that can be enumerated."""

import numpy as np
import pytest
from scipy import stats

from fairseq_seqgan.metrics.gain import (
    crossfitted_gain,
    estimate_gain,
    fit_slope,
    residual_entropy,
)
from fairseq_seqgan.support.errors import InputError

RNG = np.random.default_rng(1)
SIZE = 40
MODEL, DATA = (RNG.dirichlet(np.full(SIZE, 0.8)) + 1e-3 for _ in range(2))
MODEL, DATA = MODEL / MODEL.sum(), DATA / DATA.sum()
RATIO = np.log(DATA / MODEL)  # the log-odds of the best possible D
KL = float(DATA @ RATIO)


def drawn(log_odds, heldout=20_000, samples=20_000, seed=2):
    """Log-odds of as many draws of the data and of the model."""
    rng = np.random.default_rng(seed)
    real, fake = rng.choice(SIZE, heldout, p=DATA), rng.choice(SIZE, samples, p=MODEL)
    return log_odds[real], log_odds[fake]


def exact(log_odds, slope):
    """The gain of all 40 sequences, each with its probability."""
    return slope * DATA @ log_odds - np.log(MODEL @ np.exp(slope * log_odds))


@pytest.mark.parametrize("slope", [0.3, 0.7, 1.0])
@pytest.mark.parametrize("kind", ["true", "noisy"])
def test_estimate_is_the_exact_value(kind, slope):
    log_odds = RATIO if kind == "true" else RATIO + np.random.default_rng(3).normal(0, 1, SIZE)
    found = estimate_gain(*drawn(log_odds), slope)
    assert abs(found.gain - exact(log_odds, slope)) < 4 * found.stderr
    assert found.stderr < 0.05


def test_the_true_ratio_reaches_the_divergence():
    """At slope 1 it is KL(data || G), which no D and no slope can exceed."""
    real, fake = drawn(RATIO, 200_000, 200_000)
    assert fit_slope(real, fake) == pytest.approx(1.0, abs=0.03)
    found = estimate_gain(real, fake, 1.0)
    assert found.gain == pytest.approx(KL, abs=4 * found.stderr)
    assert exact(RATIO, 1.0) == pytest.approx(KL)
    assert found.teaches


def test_an_overconfident_discriminator_has_a_small_slope():
    """Three times the log-odds is worth as much, at a third of the slope."""
    real, fake = drawn(RATIO)
    slope = fit_slope(real, fake)
    assert fit_slope(3 * real, 3 * fake) == pytest.approx(slope / 3, rel=1e-4)
    whole = estimate_gain(real, fake, slope).gain
    assert estimate_gain(3 * real, 3 * fake, slope / 3).gain == pytest.approx(whole)
    assert estimate_gain(3 * real, 3 * fake, 1.0).gain < whole


def test_a_random_discriminator_is_worth_nothing():
    """Its gain on other data than the slope was fitted on is 0 or less, within its error."""
    for seed in range(20):
        log_odds = np.random.default_rng(seed).normal(0, 1, 6000)
        found = crossfitted_gain(log_odds[:3000], log_odds[3000:])
        assert found.gain < 3 * found.stderr + 1e-9
        assert not found.teaches


def test_worse_than_random_has_slope_0():
    real, fake = drawn(-RATIO)
    assert fit_slope(real, fake) == 0
    assert estimate_gain(real, fake, 0.0).gain == 0
    assert not estimate_gain(real, fake, 0.0).teaches


def test_standard_errors_are_those_of_a_bootstrap():
    real, fake = drawn(RATIO, 400, 300)
    found = estimate_gain(real, fake, 0.7)
    for values, statistic, own in (
        (real, lambda x: 0.7 * x.mean(), found.stderr_heldout),
        (fake, lambda x: np.log(np.exp(0.7 * x).mean()), found.stderr_samples),
    ):
        by_hand = stats.bootstrap(
            (values,), statistic, vectorized=False, method="basic", n_resamples=2000, rng=1
        )
        assert own == pytest.approx(by_hand.standard_error, rel=0.1)


def test_bias_of_log_z():
    """The mean of many estimates is below the exact value by what each of them says.

    The first-order term (Z' - Z) / Z has mean 0; without it the mean converges faster.
    """
    rng, slope = np.random.default_rng(5), 0.5
    z = MODEL @ np.exp(slope * RATIO)
    drawn = [RATIO[rng.choice(SIZE, 100, p=MODEL)] for _ in range(4000)]
    found = [estimate_gain(RATIO, scores, slope) for scores in drawn]
    errors = [
        f.log_z - np.log(z) - (np.exp(slope * scores).mean() / z - 1)
        for f, scores in zip(found, drawn, strict=True)
    ]
    assert np.mean(errors) == pytest.approx(np.mean([f.log_z_bias for f in found]), rel=0.1)


def test_a_crossfitted_gain_has_the_bias_of_its_halves():
    """Each half estimates log Z from half of the samples; and its parts fit together."""
    real, fake = drawn(RATIO, 400, 400)
    found = crossfitted_gain(real, fake)
    halves = [(real[i::2], fake[i::2]) for i in range(2)]
    slopes = [fit_slope(*half) for half in reversed(halves)]
    parts = [estimate_gain(*half, slope) for half, slope in zip(halves, slopes, strict=True)]
    for name in ("gain", "log_z", "log_z_bias"):
        assert getattr(found, name) == pytest.approx(np.mean([getattr(p, name) for p in parts]))
    whole = estimate_gain(real, fake, found.slope)
    assert found.log_z_bias == pytest.approx(2 * whole.log_z_bias, rel=0.3)


@pytest.mark.parametrize(("spread", "correlation"), [(3.0, -0.9), (0.3, 0.0), (0.3, -0.9)])
def test_the_error_of_the_entropy_knows_that_log_z_is_estimated(spread, correlation):
    """That of many repetitions, also where log G and d go together."""
    rng = np.random.default_rng(5)
    values, errors = [], []
    for _ in range(800):
        d = rng.normal(size=500)
        own = -40 + spread * (correlation * d + np.sqrt(1 - correlation**2) * rng.normal(size=500))
        value, error = residual_entropy(own, np.full(500, 20.0), d, 1.0)
        values.append(value)
        errors.append(error)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.15)


@pytest.mark.parametrize(("samples", "effective"), [(100, 10), (12, 6.5), (2, 1.5)])
def test_the_slope_leaves_enough_samples(samples, effective):
    """Where all real data score higher than every sample, a larger slope would always be better."""
    fake = np.random.default_rng(5).normal(0, 1, samples)
    real = np.full(20, 4.0)
    slope = fit_slope(real, fake)
    assert estimate_gain(real, fake, slope).effective_samples == pytest.approx(effective)


def test_a_crossfitted_gain_of_a_useless_discriminator_has_an_error():
    """0 is in the interval about as often as it says, whatever slope all data together have."""
    rng = np.random.default_rng(6)
    found = [crossfitted_gain(*rng.normal(0, 1, (2, 500))) for _ in range(300)]
    assert all(one.stderr > 0 for one in found if one.gain)
    assert np.mean([one.interval[1] < 0 for one in found]) < 0.12
    assert np.mean([one.teaches for one in found]) < 0.05


@pytest.mark.parametrize("shift", [0.3, 1.0])
def test_the_error_of_a_crossfitted_gain_is_its_spread(shift):
    rng = np.random.default_rng(7)
    found = [crossfitted_gain(rng.normal(shift, 1, 500), rng.normal(0, 1, 500)) for _ in range(300)]
    spread = np.std([one.gain for one in found])
    assert np.mean([one.stderr for one in found]) == pytest.approx(spread, rel=0.25)


def test_effective_samples():
    equal = estimate_gain([1.0, 2.0], np.zeros(50), 1.0)
    assert equal.effective_samples == pytest.approx(50)
    assert equal.signature() == "gain|heldout:2|samples:50"
    single = estimate_gain([1.0, 2.0], [0.0] * 49 + [100.0], 1.0)
    assert single.effective_samples == pytest.approx(1)


@pytest.mark.parametrize(
    ("heldout", "samples", "slope", "words"),
    [
        ([], [1.0], 1.0, "needs log-odds"),
        ([1.0], [], 1.0, "needs log-odds"),
        ([np.nan], [1.0], 1.0, "finite"),
        ([1.0], [np.inf], 1.0, "finite"),
        ([1.0], [1.0], -0.1, "slope of D is -0.1"),
    ],
)
def test_refused(heldout, samples, slope, words):
    with pytest.raises(InputError, match=words):
        estimate_gain(heldout, samples, slope)


def test_crossfitting_needs_two():
    with pytest.raises(InputError, match="two held-out sequences"):
        crossfitted_gain([1.0], [1.0, 2.0])


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0])
def test_entropy_of_the_residual_model_is_exact(slope):
    """Against the sum over all sequences; here they have 1 to 3 tokens."""
    lengths = np.arange(SIZE) % 3 + 1
    residual = MODEL * np.exp(slope * RATIO)
    residual /= residual.sum()
    expected = -(residual @ np.log(residual)) / (residual @ lengths)
    draws = np.random.default_rng(7).choice(SIZE, 50_000, p=MODEL)
    found, stderr = residual_entropy(np.log(MODEL)[draws], lengths[draws], RATIO[draws], slope)
    assert found == pytest.approx(expected, abs=4 * stderr)
    assert 0 < stderr < 0.02


def test_standard_error_of_the_entropy():
    """It is the spread of the estimate over many draws."""
    found = []
    for seed in range(300):
        draws = np.random.default_rng(seed).choice(SIZE, 500, p=MODEL)
        ones = np.ones(500)
        found.append(residual_entropy(np.log(MODEL)[draws], ones, RATIO[draws], 1.0))
    values, stderrs = np.array(found).T
    assert np.mean(stderrs) == pytest.approx(values.std(), rel=0.15)
