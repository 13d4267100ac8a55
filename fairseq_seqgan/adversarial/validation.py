"""What is measured during validation beside the held-out loss: samples of G.

Shapes: M samples, T tokens.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Optional

import torch
from fairseq.dataclass import FairseqDataclass
from fairseq.logging import metrics
from torch import Tensor

from ..metrics.discrimination import auc
from ..models.discriminator import Discriminator
from ..oracle.lstm import OFFSET, Oracle
from ..policy.policy import Policy
from ..policy.rollouts import sample
from ..support import distributed
from ..support.errors import InputError
from ..support.eval_mode import eval_mode
from ..support.rng import seeded_rng

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
    """Measures samples of G once in each validation, whatever the number of its batches.

    Args:
        options: the task's: ``num_eval_samples``, ``seed``, ``oracle`` and ``fixed_length``.
    """

    def __init__(self, options: Any) -> None:
        self.options, self.num, self.seed = options, options.num_eval_samples, options.seed
        self.oracle: Oracle | None = None
        self._due = False

    def load_oracle(self, symbols: int) -> None:
        """Load the ``--oracle``, if there is one, for a dictionary of so many *symbols*.

        Raises:
            InputError: it cannot be used, or sequences have no fixed length.
        """
        if not self.options.oracle:
            return
        self.oracle = Oracle.load_for(self.options.oracle, symbols)
        if not self.options.fixed_length:
            raise InputError("--oracle needs --fixed-length: an oracle knows no end of sequence")

    def begin(self) -> None:
        """Measure with the next batch."""
        self._due = True

    def measure_samples(
        self,
        policy: Policy,
        discriminator: Discriminator,
        real: Callable[[], dict[str, Tensor]],
    ) -> Measured:
        """Return what :func:`measure` finds; nothing if this validation has been measured.

        Every rank draws its share of the samples from its own stream.

        Args:
            real: returns the real sequences (n, T) under the names of the AUCs.
        """
        if not self._due:
            return {}
        self._due = False
        generator = seeded_rng("validation", self.seed, distributed.rank())
        share = -(-self.num // distributed.size())
        return measure(policy, discriminator, self.oracle, real(), share, generator)

    def log_language_model(self, policy: Policy, tokens: Tensor | None) -> None:
        """Log of a plain language model, whatever its criterion, what adversarial training logs.

        Args:
            tokens: held-out sequences (B, T); None where a row of the data is no sequence.
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
        ``entropy``, the mean of -log G over the drawn tokens, in nats per token;
        ``nll_oracle``, the mean of -log G_oracle over the same tokens, in nats per token (Eq. 9),
        if there is an oracle; and for every entry of *positives* the probability that D scores a
        real sequence above a sample (the area under the ROC curve; 0.5: D cannot tell them apart).
        Without positives, D is not asked.
    """
    drawn = sample(policy, num, generator)
    tokens = int(drawn.mask.sum())
    measured = {"entropy": (-float(drawn.log_probs.sum()), tokens)}
    if oracle is not None:
        nll = oracle.nll(drawn.tokens.cpu() - OFFSET)
        measured["nll_oracle"] = (float(nll.sum()), num)
    if not positives:
        return measured
    with eval_mode(discriminator):
        device = next(discriminator.parameters()).device
        fake = discriminator.score(drawn.tokens.to(device)).cpu()
        for name, real in positives.items():
            scores = discriminator.score(real.long().to(device)).cpu()
            measured[name] = (auc(scores.numpy(), fake.numpy()), 1)
    return measured


def log_heldout(policy: Policy, tokens: Tensor) -> None:
    """Log ``nll``, that of the held-out *tokens* (B, T) under *policy*, in nats per token.

    For criteria that know no policy: fairseq's cross-entropy counts the end of a sequence of fixed
    length, and logs in base 2.
    """
    count = int(policy.scored(tokens).sum())
    if count:
        nll = -float(policy.log_probs(tokens).double().sum()) / count
        metrics.log_scalar("nll", nll, count, round=4)


def log_means(measured: Measured) -> None:
    """Log what :func:`measure` returned, for criteria that do not."""
    for name, (total, count) in measured.items():
        metrics.log_scalar(name, total / count, count, round=4)
