"""Metrics of validation that need samples of the generator G, beside the held-out loss.

Shapes: M samples, T tokens.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional

import torch
from fairseq.dataclass import FairseqDataclass
from fairseq.logging import metrics
from torch import Tensor

from ..models.discriminator import Discriminator
from ..oracle.lstm import OFFSET, Oracle
from ..policy.policy import Policy
from ..policy.rollouts import sample
from ..support import distributed
from ..support.errors import InputError
from ..support.finite import require_finite
from ..support.rng import seeded_rng
from .d_gain import calibrate
from .prefixes import Prefixes

HELDOUT = "d_auc_heldout"
# How many held-out sequences, and how many samples, a validation needs to log each.
NEEDED = {HELDOUT: 1, "d_gain": 2, "d_slope": 2}
LANGUAGE_MODEL = ("nll", "nll_oracle", "entropy")  # what is logged of a plain language model
_SUM, _COUNT = "_sum", "_count"
Measured = dict[str, tuple[float, int]]  # name: (sum, count), as the criterion logs it


class Real(NamedTuple):
    """What a validation needs of real data."""

    sequences: dict[str, Tensor]  # (n, T), padded at the end, under the names of the AUCs
    prefixes: Prefixes  # which the samples continue


@dataclass
class ValidationConfig(FairseqDataclass):
    """Options of the validation."""

    oracle: Optional[str] = field(  # noqa: UP045  (fairseq cannot read `str | None`)
        default=None, metadata={"help": "oracle file: validation logs nll_oracle"}
    )
    num_eval_samples: int = field(
        default=1000, metadata={"help": "samples that validation draws for its metrics"}
    )


class Validation:
    """Measures samples of G once in each validation, however many batches it has.

    Args:
        options: the task's.
    """

    def __init__(self, options: Any) -> None:
        self.options, self.num, self.seed = options, options.num_eval_samples, options.seed
        self.oracle: Oracle | None = None
        self._due = False

    def load_oracle(self, symbols: Sequence[str]) -> None:
        """Load the file of ``--oracle``, if it is given, for the *symbols* of a dictionary.

        Raises:
            InputError: the file cannot be used, or sequences have no fixed length.
        """
        if not self.options.oracle:
            return
        self.oracle = Oracle.load_for(self.options.oracle, symbols)
        if not self.options.fixed_length:
            raise InputError("--oracle needs --fixed-length: an oracle has no end symbol")

    def begin(self) -> None:
        """Start a validation: the next batch measures samples."""
        self._due = True

    def measure_samples(
        self,
        policy: Policy,
        discriminator: Discriminator,
        real: Callable[[], Real],
    ) -> Measured:
        """Return the result of :func:`measure`, or {} after the first batch of a validation.

        Every rank draws its share of the samples; D is measured on those of all ranks.

        Args:
            real: returns the real sequences.
        """
        if not self._due:
            return {}
        found = real()
        num, generator = self._draws()
        prefix = found.prefixes.in_order(num)
        drawn = num, generator, prefix
        measured = measure(policy, discriminator, self.oracle, found.sequences, *drawn)
        # Last: fairseq repeats a batch for which the memory did not suffice.
        self._due = False
        return measured

    @torch.no_grad()  # fairseq-validate does not say so itself, as fairseq-train does
    def measure_language_model(self, policy: Policy, tokens: Tensor) -> dict[str, float]:
        """Measure of a plain language model what adversarial training logs, for any criterion.

        Args:
            tokens: a held-out batch (B, T). Its NLL is measured if its rows are sequences.

        Returns:
            What :func:`log_measured` reads. Every rank has the same keys, because fairseq adds them
            up over the ranks one by one.
        """
        sequences = str(self.options.sample_break_mode) == "eos"
        # fairseq's cross-entropy counts the end symbol of a sequence of fixed length, in base 2.
        measured: Measured = {}
        if sequences:
            nll, count = policy.nll(tokens)
            measured["nll"] = float(nll), count
        if self._due and self.oracle is not None:
            measured |= measure(policy, None, self.oracle, {}, *self._draws())
            self._due = False
        log: dict[str, float] = {}
        for name, (total, count) in measured.items():
            log |= {name + _SUM: float(total), name + _COUNT: float(count)}
        return log

    def _draws(self) -> tuple[int, torch.Generator]:
        """Return how many samples this rank draws, and its own stream of random numbers."""
        generator = seeded_rng("validation", self.seed, distributed.rank())
        return distributed.share(self.num), generator


def measure(
    policy: Policy,
    discriminator: Discriminator | None,
    oracle: Oracle | None,
    positives: dict[str, Tensor],
    num: int,
    generator: torch.Generator,
    prefix: Tensor | None = None,
) -> Measured:
    """Draw *num* samples from *policy* and measure them.

    Args:
        positives: real sequences (n, T), padded at the end, under the names of the AUCs.
        prefix: (num, k), which the samples continue. Only the tokens that follow count in the
            means below; D judges the whole sequences.

    Returns:
        By name, with the mean taken over the tokens y_t of the samples, in nats per token:

            entropy    = mean of -log G(y_t | y_1 ... y_t-1)
            nll_oracle = mean of -log G_oracle(y_t | y_1 ... y_t-1)    if there is an oracle

        and for every entry of *positives* the AUC: the probability that D scores a real sequence
        above a sample (0.5: D cannot tell them apart). With held-out ones also ``d_gain``, what D
        knows that G does not, in nats per sequence, with ``d_gain_stderr``, its standard error, and
        ``d_slope``, the factor of D's log-odds at which it is worth that (metrics/gain.py). Without
        positives, D is not used.
    """
    drawn = sample(policy, num, generator, prefix=prefix)
    require_finite(drawn.log_probs, "sample", "the policy's log-probability")
    given = 0 if prefix is None else prefix.size(1)
    tokens = int(drawn.mask[:, given:].sum())
    measured = {"entropy": (-float(drawn.log_probs.sum()), tokens)}
    if oracle is not None:
        nll = -oracle.log_probs(drawn.tokens.cpu() - OFFSET)[:, given:].mean(dim=1)
        measured["nll_oracle"] = (float(nll.sum()), num)
    if not positives:
        return measured
    samples = distributed.gather(drawn.tokens)
    for name, real in positives.items():
        assert discriminator is not None, "positives are measured by D"
        found = calibrate(discriminator, real, samples)
        measured[name] = (found.auc, 1)
        if name == HELDOUT and not math.isnan(found.gain.gain):
            gain = found.gain
            measured |= {"d_gain": (gain.gain, 1), "d_slope": (gain.slope, 1)}
            if math.isfinite(gain.stderr):  # half of three is a single one, which has none
                measured["d_gain_stderr"] = (gain.stderr, 1)
    return measured


def log_measured(logging_outputs: list[dict[str, Any]]) -> None:
    """Log what :meth:`Validation.measure_language_model` returned on all ranks.

    Each metric is the sum of all ranks' numbers divided by the sum of their counts, so every rank
    logs the same. ``--patience`` then stops all of them or none.
    """
    for name in LANGUAGE_MODEL:
        total, count = (
            sum(float(log.get(name + part, 0)) for log in logging_outputs)
            for part in (_SUM, _COUNT)
        )
        if count:
            metrics.log_scalar(name, total / count, count, round=4)
