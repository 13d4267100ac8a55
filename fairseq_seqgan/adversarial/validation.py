"""Metrics of validation that need samples of the generator G, beside the held-out loss.

Shapes: M samples, T tokens.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Optional

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
from ..support.rng import seeded_rng
from .calibration import calibrate

HELDOUT = "d_auc_heldout"
Measured = dict[str, tuple[float, int]]  # name: (sum, count), as the criterion logs it


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
        options: the task's: ``num_eval_samples``, ``seed``, ``oracle`` and ``fixed_length``.
    """

    def __init__(self, options: Any) -> None:
        self.options, self.num, self.seed = options, options.num_eval_samples, options.seed
        self.oracle: Oracle | None = None
        self._due = False

    def load_oracle(self, symbols: int) -> None:
        """Load the file of ``--oracle``, if it is given, for a dictionary of *symbols* symbols.

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
        real: Callable[[], dict[str, Tensor]],
    ) -> Measured:
        """Return the result of :func:`measure`, or {} after the first batch of a validation.

        Every rank draws its share of the samples from its own stream.

        Args:
            real: returns the real sequences (n, T) under the names of the AUCs.
        """
        if not self._due:
            return {}
        self._due = False
        generator = seeded_rng("validation", self.seed, distributed.rank())
        share = distributed.share(self.num)
        return measure(policy, discriminator, self.oracle, real(), share, generator)

    def log_language_model(self, policy: Policy, tokens: Tensor | None) -> None:
        """Log for a plain language model what adversarial training logs, whatever its criterion.

        Args:
            tokens: held-out sequences (B, T); None where rows of the data are not sequences.
        """
        if tokens is not None:
            log_heldout(policy, tokens)
        if self._due and self.oracle is not None:
            self._due = False
            generator = seeded_rng("validation", self.seed, 0)
            log_means(measure(policy, None, self.oracle, {}, self.num, generator))


def measure(
    policy: Policy,
    discriminator: Discriminator | None,
    oracle: Oracle | None,
    positives: dict[str, Tensor],
    num: int,
    generator: torch.Generator,
) -> Measured:
    """Draw *num* samples from *policy* and measure them.

    Args:
        positives: real sequences (n, T), padded at the end, under the names of the AUCs.

    Returns:
        By name, with the mean taken over the tokens y_t of the samples, in nats per token:

            entropy    = mean of -log G(y_t | y_1 ... y_t-1)
            nll_oracle = mean of -log G_oracle(y_t | y_1 ... y_t-1)    if there is an oracle

        and for every entry of *positives* the AUC: the probability that D scores a real sequence
        above a sample (0.5: D cannot tell them apart). With held-out ones also ``d_gain``, what D
        knows that G does not, in nats per sequence, and ``d_slope``, the factor of D's log-odds at
        which it is worth that (metrics/gain.py). Without positives, D is not used.
    """
    drawn = sample(policy, num, generator)
    tokens = int(drawn.mask.sum())
    measured = {"entropy": (-float(drawn.log_probs.sum()), tokens)}
    if oracle is not None:
        nll = oracle.nll(drawn.tokens.cpu() - OFFSET)
        measured["nll_oracle"] = (float(nll.sum()), num)
    if not positives:
        return measured
    samples = distributed.gather(drawn.tokens)
    for name, real in positives.items():
        found = calibrate(discriminator, real, samples)
        measured[name] = (found.auc, 1)
        if name == HELDOUT and not math.isnan(found.gain.gain):
            measured |= {"d_gain": (found.gain.gain, 1), "d_slope": (found.gain.slope, 1)}
    return measured


def log_heldout(policy: Policy, tokens: Tensor) -> None:
    """Log ``nll``, the mean of -log G(x_t | x_1 ... x_t-1) over held-out *tokens* (B, T), in nats.

    It is for criteria that do not log it: fairseq's cross-entropy counts the end symbol of a
    sequence of fixed length, and logs in base 2.
    """
    count = int(policy.scored(tokens).sum())
    if count:
        nll = -float(policy.log_probs(tokens).double().sum()) / count
        metrics.log_scalar("nll", nll, count, round=4)


def log_means(measured: Measured) -> None:
    """Log the result of :func:`measure`, for criteria that do not."""
    for name, (total, count) in measured.items():
        metrics.log_scalar(name, total / count, count, round=4)
