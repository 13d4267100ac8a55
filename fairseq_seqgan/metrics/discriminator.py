"""What a trained discriminator is worth, and how well an independent one tells samples apart.

The discriminator D comes from a checkpoint of adversarial training (``--discriminator``), a judge
from another one (``--judge``), which was trained with another seed on other samples.

Shapes: H held-out sequences, M fresh samples of G, S samples of the file.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from ..support.errors import InputError
from .base import Direction, Metric, MetricInputs, Score, register_metric
from .discrimination import auc
from .gain import Gain, crossfitted_gain, estimate_gain, fit_slope, residual_entropy

_TABLE = "the discriminator"


class LogOdds(NamedTuple):
    """D's log-odds d(x) in nats, of real sequences and of fresh samples of G."""

    heldout: np.ndarray  # (H,), of the held-out split
    samples: np.ndarray  # (M,)
    log_probs: np.ndarray  # (M,): log G of these samples, nats
    lengths: np.ndarray  # (M,): their tokens
    slope_heldout: np.ndarray | None  # of the split that the slope is fitted on; None: the same
    slope_samples: np.ndarray | None  # of other samples than *samples*
    tokens: float  # mean number of tokens of the H sequences
    nll: float  # of G on the H sequences, nats per token
    slope_split: str  # its name


class DiscriminatorInputs(MetricInputs, Protocol):
    """What these metrics ask for."""

    def discriminator_log_odds(self) -> LogOdds:
        """Return the log-odds of ``--discriminator``."""

    def judge_scores(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the log-odds (H,) and (S,) that ``--judge`` gives real sequences and samples."""


def measured_gain(inputs: DiscriminatorInputs) -> tuple[Gain, LogOdds]:
    """Return the gain on the held-out split, with the slope of another split where there is one."""

    def measure() -> tuple[Gain, LogOdds]:
        found = inputs.discriminator_log_odds()
        if found.slope_heldout is None:
            return crossfitted_gain(found.heldout, found.samples), found
        slope = fit_slope(found.slope_heldout, found.slope_samples)
        return estimate_gain(found.heldout, found.samples, slope), found

    return inputs.once("discriminator_gain", measure)


class _DiscriminatorMetric(Metric):
    """What the metrics of ``--discriminator`` share."""

    needs = ("discriminator",)
    table = _TABLE
    rank = 60

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add the options of D."""
        group = parser.add_argument_group("the discriminator")
        group.add_argument(
            "--discriminator",
            type=Path,
            metavar="CHECKPOINT",
            help="of adversarial training: measure what its D knows that G does not",
        )
        group.add_argument(
            "--discriminator-samples",
            type=int,
            default=20_000,
            metavar="M",
            help="fresh samples of G for it; default %(default)s",
        )
        group.add_argument(
            "--slope-subset",
            default="valid",
            metavar="SPLIT",
            help="where the slope of D's log-odds is fitted; default %(default)s. If it is the "
            "held-out split, each half gets the slope of the other half",
        )

    @classmethod
    def check(cls, options: argparse.Namespace) -> None:
        """Check the number of samples.

        Raises:
            InputError: it is too small.
        """
        if options.discriminator_samples < 2:
            raise InputError(
                f"--discriminator-samples is {options.discriminator_samples}: at least 2 are needed"
            )


@register_metric("d_gain")
class DiscriminatorGain(_DiscriminatorMetric):
    """The gain of D in nats per sequence (metrics/gain.py)."""

    title, row_title = "D's gain", "gain of D over G"
    reported = ("d_gain_stderr", "d_gain_per_token")
    unit, direction = "nats per sequence", Direction.HIGHER
    formula = (
        "mean of a d(x) over the held-out sequences x − log Z, with Z the mean of exp(a d(y)) over "
        "samples y of G and d the log-odds of D; the slope a is fitted on `--slope-subset`"
    )

    def compute(self, inputs: DiscriminatorInputs) -> Score:
        gain, found = measured_gain(inputs)
        low, high = gain.interval
        verdict = "; of one sequence, it is unknown" if math.isnan(low) else ""
        if high < 0:
            verdict = "; all of it is below 0, so D misleads"
        elif not gain.teaches and not math.isnan(low):
            verdict = "; 0 is inside, so D has nothing to teach"
        effective = f"{gain.effective_samples:,.0f} of {gain.samples:,} samples effective"
        over = f"95 % interval {low:.4f} … {high:.4f}{verdict}; slope {gain.slope:.3g}, {effective}"
        details = {
            "d_gain_per_token": gain.gain / found.tokens,
            "d_gain_stderr_heldout": gain.stderr_heldout,
            "d_gain_stderr_samples": gain.stderr_samples,
            "d_slope": gain.slope,
            "d_effective_samples": gain.effective_samples,
            "d_log_z_bias": gain.log_z_bias,
        }
        signature = f"{gain.signature()}|slope-split:{found.slope_split}"
        return Score(gain.gain, gain.stderr, over, signature, details)


@register_metric("nll_with_d")
class NLLWithDiscriminator(_DiscriminatorMetric):
    """The held-out NLL of the residual model p(x) ∝ G(x) exp(a d(x)), a bound."""

    title, row_title = "held-out NLL with D", "held-out NLL of G with D (a bound)"
    unit, direction = "nats per token", Direction.LOWER
    formula = (
        "`nll_without_d` − `d_gain` / (mean tokens of a held-out sequence), both of the held-out "
        "sequences that G can draw; `nll_without_d` is the NLL of G on these. The estimate of "
        "log Z is too small by `d_log_z_bias` on average, so the NLL is too low by that, divided "
        "by the tokens of a sequence"
    )

    def compute(self, inputs: DiscriminatorInputs) -> Score:
        gain, found = measured_gain(inputs)
        value = found.nll - gain.gain / found.tokens
        over = f"{len(found.heldout):,} sequences of {inputs.split}"
        over += f"; log Z is {abs(gain.log_z_bias):.2g} nats per sequence too small on average"
        return Score(value, over=over, details={"nll_without_d": found.nll})


@register_metric("entropy_with_d")
class EntropyWithDiscriminator(_DiscriminatorMetric):
    """The entropy per token of the residual model p(x) ∝ G(x) exp(a d(x))."""

    title, row_title = "entropy with D", "entropy of G with D"
    unit, direction = "nats per token", Direction.NEITHER
    formula = (
        "mean of log Z − log G(y) − a d(y) over samples y of G, divided by their mean number of "
        "tokens; both means are weighted by exp(a d(y))"
    )

    def compute(self, inputs: DiscriminatorInputs) -> Score:
        gain, found = measured_gain(inputs)
        entropy = residual_entropy(found.log_probs, found.lengths, found.samples, gain.slope)
        return Score(*entropy, over=f"{len(found.samples):,} fresh samples of the model")


@register_metric("d_auc")
class DiscriminatorAUC(_DiscriminatorMetric):
    """How well D tells held-out sequences from fresh samples of G."""

    title, unit, direction = "D's AUC", "probability", Direction.NEITHER
    formula = (
        "probability that D scores a held-out sequence above a sample of G; ½: it cannot tell them "
        "apart"
    )

    def compute(self, inputs: DiscriminatorInputs) -> Score:
        _, found = measured_gain(inputs)
        sizes = f"{len(found.heldout):,} against {len(found.samples):,}"
        return Score(auc(found.heldout, found.samples), over=sizes)


@register_metric("judge_auc")
class JudgeAUC(Metric):
    """How well an independent discriminator tells held-out sequences from the samples."""

    title, row_title = "judge's AUC", "AUC of the judge"
    reported = ("judge_auc_stderr",)
    unit, direction = "probability", Direction.LOWER
    needs, table, rank = ("judge",), _TABLE, 61
    formula = (
        "probability that the D of `--judge`, trained with another seed on other samples, scores a "
        "held-out sequence above one of the samples; ½: it cannot tell them apart"
    )

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add ``--judge``."""
        parser.add_argument(
            "--judge",
            type=Path,
            metavar="CHECKPOINT",
            help="of adversarial training: let its D tell the samples from held-out data",
        )

    def compute(self, inputs: DiscriminatorInputs) -> Score:
        real, fake = inputs.judge_scores()
        value = auc(real, fake)
        # Hanley and McNeil (1982), from the AUC and the sizes alone.
        q1, q2 = value / (2 - value), 2 * value**2 / (1 + value)
        variance = value * (1 - value) + (len(real) - 1) * (q1 - value**2)
        variance += (len(fake) - 1) * (q2 - value**2)
        stderr = math.sqrt(max(0.0, variance) / (len(real) * len(fake)))
        return Score(value, stderr, over=f"{len(real):,} against {len(fake):,}")
