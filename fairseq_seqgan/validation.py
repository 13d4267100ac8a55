"""What is measured on the side during validation: samples of G, scored by the oracle and by D.

Shapes: M samples, T tokens.
"""

from __future__ import annotations

import torch
from fairseq.logging import metrics
from torch import Tensor

from .metrics.discrimination import auc
from .models.cnn_highway import CNNHighway
from .oracle import OFFSET, Oracle
from .policy import Policy, evaluating
from .rollout import sample

Measured = dict[str, tuple[float, int]]  # name: (sum, count), as the criterion logs it


def measure(
    policy: Policy,
    discriminator: CNNHighway | None,
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
    with evaluating(discriminator):
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
