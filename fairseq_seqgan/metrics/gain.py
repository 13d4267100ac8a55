"""What a discriminator D knows that the generator G does not: its gain, in nats per sequence.

Let d(x) = log D(x) - log(1 - D(x)) be D's log-odds that x is real, and a >= 0 a slope. Then

    p(x) = G(x) exp(a d(x)) / Z,    Z = E_{x ~ G}[exp(a d(x))]

is a distribution (a residual energy-based model; Deng et al., 2020). On real data it is better
than G by

    gain(a) = E_data[a d(x)] - log Z    nats per sequence,

the Donsker-Varadhan lower bound of KL(data || G). A gain of 0 says that D has nothing to teach G;
a positive one can be had by sampling with D, or taught to G.

Shapes: H log-odds of held-out sequences, M of samples of G.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import logsumexp

from ..support.errors import InputError

_LARGEST_SLOPE = 1e3
# Samples that the weights exp(a d) must be worth, or half of them all: with fewer, log Z hangs on
# one or two, and where real data score higher than every sample, no slope would be too large.
_FEWEST_EFFECTIVE = 10.0
_CONFIDENCE = 1.96  # standard errors on both sides: 95 %

Scores = Sequence[float] | np.ndarray


class Gain(NamedTuple):
    """What D is worth, and how sure that is."""

    gain: float  # nats per sequence
    stderr_heldout: float  # standard error over the held-out sequences; NaN of a single one
    stderr_samples: float  # standard error over the samples, which Z is estimated from
    slope: float  # a
    effective_samples: float  # (Σ w)² / Σ w² of the samples' weights w = exp(a d), in 1 ... M
    log_z: float  # log Z, nats
    log_z_bias: float  # expected error of log Z, the logarithm of a mean: 0 or less
    heldout: int  # H
    samples: int  # M

    @property
    def stderr(self) -> float:
        """The standard error of the gain, nats per sequence."""
        return math.hypot(self.stderr_heldout, self.stderr_samples)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the gain, nats per sequence."""
        margin = _CONFIDENCE * self.stderr
        return self.gain - margin, self.gain + margin

    @property
    def teaches(self) -> bool:
        """Whether the interval lies above 0: only then has D something to teach."""
        return self.interval[0] > 0

    def signature(self) -> str:
        """Return in one line what two gains must share to be comparable."""
        return f"gain|heldout:{self.heldout}|samples:{self.samples}"


def fit_slope(heldout: Scores, samples: Scores) -> float:
    """Return the slope a >= 0 with the largest gain for log-odds of *heldout* (H,), *samples* (M,).

    The gain is concave in a, and its derivative is E_data[d] - E_p[d]. Where that is 0 or less at
    a = 0, D ranks samples as high as real data, and the slope is 0. It is never so large that fewer
    than 10 samples are effective (of less than 20, fewer than half): more cannot be told from them.

    Raises:
        InputError: one side is empty, or a number is not finite.
    """
    real, fake = _checked(heldout), _checked(samples)

    def derivative(slope: float) -> float:
        weights = np.exp(slope * fake - logsumexp(slope * fake))
        return float(real.mean() - weights @ fake)

    if derivative(0.0) <= 0 or np.ptp(fake) == 0:
        return 0.0
    most = _largest_slope(fake)
    if derivative(most) >= 0:
        return most
    return float(brentq(derivative, 0.0, most, xtol=1e-9))


def _largest_slope(fake: np.ndarray) -> float:
    """Return the largest slope at which enough samples are effective; they fall as it grows."""
    fewest = min(_FEWEST_EFFECTIVE, (len(fake) + 1) / 2)

    def spare(slope: float) -> float:
        return _effective(slope * fake) - fewest

    if spare(_LARGEST_SLOPE) >= 0:  # that many samples share the highest log-odds
        return _LARGEST_SLOPE
    return float(brentq(spare, 0.0, _LARGEST_SLOPE, xtol=1e-9))


def estimate_gain(heldout: Scores, samples: Scores, slope: float) -> Gain:
    """Estimate the gain at *slope* from the log-odds of *heldout* (H,) and of *samples* (M,).

    The slope must come from other data, such as the validation split. The standard errors are those
    of a mean and, by the delta method, of the logarithm of a mean; the expected bias of log Z is
    -Var(w) / (2 M E(w)²) for weights w, by the same expansion.

    Raises:
        InputError: one side is empty, a number is not finite, or the slope is below 0.
    """
    real, fake = _checked(heldout), _checked(samples)
    if not 0 <= slope < math.inf:
        raise InputError(f"the slope of D is {slope}: it must be 0 or more")
    size = len(fake)
    log_weights = slope * fake
    log_z = float(logsumexp(log_weights) - math.log(size))
    effective = _effective(log_weights)
    spread = max(0.0, size / effective - 1)  # Var(w) / E(w)²
    return Gain(
        gain=float(slope * real.mean() - log_z),
        stderr_heldout=_stderr(slope * real),
        stderr_samples=math.sqrt(spread / (size - 1)) if size > 1 else math.nan,
        slope=slope,
        effective_samples=effective,
        log_z=log_z,
        log_z_bias=-spread / (2 * size),
        heldout=len(real),
        samples=size,
    )


def crossfitted_gain(heldout: Scores, samples: Scores) -> Gain:
    """Estimate the gain where no other data is there to fit the slope on.

    The slope of each half comes from the other half; the two gains are averaged. The slope that is
    returned is that of all data.

    Raises:
        InputError: as :func:`estimate_gain`, or one side has fewer than two numbers.
    """
    real, fake = _checked(heldout), _checked(samples)
    if min(len(real), len(fake)) < 2:
        raise InputError("a cross-fitted gain needs two held-out sequences and two samples or more")
    halves = [(real[i::2], fake[i::2]) for i in range(2)]
    slopes = [fit_slope(*half) for half in reversed(halves)]
    found = [estimate_gain(*half, slope) for half, slope in zip(halves, slopes, strict=True)]
    slope = fit_slope(real, fake)
    whole = estimate_gain(real, fake, slope)
    # The halves' slopes may differ from that of all data, so the errors are those of the halves: of
    # a useless D the latter is often 0, which would be an error of 0.
    return whole._replace(
        gain=float(np.mean([half.gain for half in found])),
        stderr_heldout=math.hypot(*(half.stderr_heldout for half in found)) / 2,
        stderr_samples=math.hypot(*(half.stderr_samples for half in found)) / 2,
        log_z=float(np.mean([half.log_z for half in found])),
        log_z_bias=float(np.mean([half.log_z_bias for half in found])),
    )


def residual_entropy(
    log_probs: Scores, lengths: Scores, log_odds: Scores, slope: float
) -> tuple[float, float]:
    """Estimate the entropy of p in nats per token, from samples of G, and its standard error.

    With weights w = exp(a d) normalised to a sum of 1, and n(y) the tokens of y, it is

        -Σ_y w(y) log p(y) / Σ_y w(y) n(y),    log p(y) = log G(y) + a d(y) - log Z

    The standard error is that of this function of the M samples, by the delta method; log Z is
    estimated from them as well.

    Args:
        log_probs: log G(y) (M,) of samples y of G, nats.
        lengths: n(y) (M,), tokens.
        log_odds: d(y) (M,).
        slope: a.

    Raises:
        InputError: as :func:`estimate_gain`.
    """
    own, counts, odds = (_checked(values) for values in (log_probs, lengths, log_odds))
    log_weights = slope * odds
    log_z = logsumexp(log_weights) - math.log(len(odds))
    weights = np.exp(log_weights - logsumexp(log_weights))
    surprise = log_z - own - log_weights
    tokens = float(weights @ counts)
    entropy = float(weights @ surprise) / tokens
    spread = weights * (surprise - entropy * counts) + (weights - 1 / len(weights))
    return entropy, float(np.sqrt(np.square(spread).sum()) / tokens)


def _effective(log_weights: np.ndarray) -> float:
    """Return (Σ w)² / Σ w² of weights w, of which *log_weights* (M,) are the logarithms."""
    weights = np.exp(log_weights - log_weights.max())
    return float(weights.sum() ** 2 / np.square(weights).sum())


def _stderr(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.nan


def _checked(scores: Scores) -> np.ndarray:
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or values.size == 0:
        raise InputError(f"a gain needs log-odds of sequences; there are {values.shape}")
    if not np.isfinite(values).all():
        raise InputError("a gain needs finite log-odds; there is a NaN or an infinity among them")
    return values
