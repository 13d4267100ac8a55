"""What D knows about held-out data: its AUC, its gain, and the slope of its log-odds.

Shapes: H held-out sequences, M samples of G, T tokens.
"""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..metrics.discrimination import auc
from ..metrics.gain import Gain, crossfitted_gain
from ..models.discriminator import Discriminator
from ..policy.policy import Policy
from ..policy.rollouts import sample
from ..support import distributed
from ..support.eval_mode import eval_mode
from ..support.finite import require_finite
from ..support.rng import seeded_rng
from .prefixes import Prefixes


class Calibration(NamedTuple):
    """What D knows about held-out data."""

    auc: float  # the probability that D scores a real sequence above a sample
    gain: Gain  # in nats per sequence; its slope turns D's log-odds into those of the best D


# Of a single sequence.
_UNKNOWN = Gain(
    gain=math.nan,
    stderr_heldout=math.nan,
    stderr_samples=math.nan,
    slope=math.nan,
    effective_samples=math.nan,
    log_z=math.nan,
    log_z_bias=math.nan,
    heldout=1,
    samples=1,
)


def calibrate(discriminator: Discriminator, heldout: Tensor, samples: Tensor) -> Calibration:
    """Measure D on *heldout* (H, T) and *samples* (M, T) of G, in eval mode.

    D's slope is fitted on one half of the sequences and its gain measured on the other half, in
    both directions, because no third set of sequences is there. Every rank has all sequences,
    scores its share of them, and returns the same numbers.
    """
    log_odds = [_log_odds(discriminator, rows) for rows in (heldout, samples)]
    _require_finite(discriminator, log_odds)
    gain = _UNKNOWN if min(map(len, log_odds)) < 2 else crossfitted_gain(*log_odds)
    return Calibration(auc(*log_odds), gain)


def calibrate_on_samples(
    discriminator: Discriminator,
    policy: Policy,
    heldout: Tensor,
    *key: int | str,
    prefix_size: int = 0,
) -> Calibration:
    """Measure D on *heldout* (H, T) and as many samples of *policy*, seeded by *key*.

    With a *prefix_size* k, the samples continue the first k tokens of the held-out sequences. Every
    rank draws its share of the samples. Should processors round differently, rank 0 decides.
    """
    own = (distributed.rank(),) if distributed.size() > 1 else ()
    share = distributed.share(len(heldout))
    prefix = Prefixes(prefix_size, heldout).in_order(share)
    drawn = sample(policy, share, seeded_rng(*key, *own), prefix=prefix).tokens
    samples = distributed.gather(drawn)[: len(heldout)]
    found = calibrate(discriminator, heldout, samples)
    device = next(discriminator.parameters()).device
    numbers = torch.tensor([[found.auc, *found.gain]], dtype=torch.float64, device=device)
    first, *gain = distributed.gather(numbers)[0].tolist()
    numbers_of_gain = dict(zip(Gain._fields, gain, strict=True))
    sizes = {"heldout": len(heldout), "samples": len(samples)}  # as whole numbers
    return Calibration(first, Gain(**(numbers_of_gain | sizes)))


def _require_finite(discriminator: Discriminator, scores: list[np.ndarray]) -> None:
    """Stop the training if one of *scores* is not finite."""
    device = next(discriminator.parameters()).device
    values = torch.from_numpy(np.concatenate(scores)).to(device)
    require_finite(values, "sequence, held-out or drawn,", "D's score")


def _log_odds(discriminator: Discriminator, rows: Tensor) -> np.ndarray:
    device = next(discriminator.parameters()).device
    score = partial(discriminator.score, log_odds=True)
    with eval_mode(discriminator):
        return distributed.divide(rows.long().to(device), score).cpu().numpy()
