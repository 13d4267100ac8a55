"""Early stopping of D's pre-training, by its AUC or its gain on held-out data.

D memorises its positives: on these it improves with every pool, while on other real sequences it
gets worse after some pool. The AUC is the probability that D scores a real sequence above a sample
of G; the gain says in nats what D knows that G does not (metrics/gain.py). The schedule is a
function of the update number and cannot become shorter. So either D is trained on all pools, or the
updates on the pools left are skipped; then D and its part of the optimizer's state are restored to
what they were after the best pool.

Shapes: M sequences, T tokens.
"""

import logging
import math
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from fairseq.optim import FairseqOptimizer
from torch import Tensor

from ..models.discriminator import Discriminator
from ..policy.policy import Policy
from .d_gain import calibrate_on_samples

logger = logging.getLogger(__name__)


@dataclass
class EarlyStoppingConfig(FairseqDataclass):
    """Options of early stopping."""

    pretrain_d_keep: ChoiceEnum(["last", "best"]) = field(
        default="last",
        metadata={
            "help": "which D the first round starts with: 'best': as it was after the pool with "
            "the highest value of --pretrain-d-select; 'last' (the paper): as pre-training leaves "
            "it"
        },
    )
    pretrain_d_select: ChoiceEnum(["auc", "gain"]) = field(
        default="auc",
        metadata={
            "help": "what says how good D is, on held-out sequences: its AUC, or its gain in nats "
            "per sequence"
        },
    )
    pretrain_d_patience: int = field(
        default=0,
        metadata={
            "help": "above 0, D's pre-training ends when --pretrain-d-select has not grown for "
            "this number of pools"
        },
    )


@dataclass
class Best:
    """The best pool so far, and D as it was after it."""

    pool: int = 0  # 0: none yet
    auc: float = -1.0
    gain: float = -math.inf  # nats per sequence
    # By parameter; empty where only the pool matters, and once D has become what they say.
    weights: dict[str, Any] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)


class EarlyStopping:
    """Measures D after every pool of its pre-training, and keeps a copy of the best one.

    Args:
        discriminator: D.
        heldout: real sequences (M, T) that D is not trained on, padded at the end.
        options: of the task; ``seed`` seeds the M samples that are drawn from G after every pool,
            and with ``prefix_size`` they continue the held-out sequences.
    """

    def __init__(
        self, discriminator: Discriminator, heldout: Tensor, options: EarlyStoppingConfig
    ) -> None:
        self.discriminator, self.heldout, self.seed = discriminator, heldout, options.seed
        self.prefix_size = options.prefix_size
        self.keep_best = str(options.pretrain_d_keep) == "best"
        self.select, self.patience = str(options.pretrain_d_select), options.pretrain_d_patience
        self.best = Best()
        self.ended = False  # before the last pool; the pools left are skipped

    def after_pool(
        self, pool: int, policy: Policy, optimizer: FairseqOptimizer, last: bool
    ) -> None:
        """Measure D after *pool*; keep a copy if it is the best so far.

        After the *last* pool, or when the best one is ``--pretrain-d-patience`` pools back,
        pre-training ends, and D becomes what it was after the best pool if that is asked for.
        """
        found = calibrate_on_samples(
            self.discriminator,
            policy,
            self.heldout,
            "early stopping",
            self.seed,
            pool,
            prefix_size=self.prefix_size,
        )
        values = {"auc": found.auc, "gain": found.gain.gain}
        better = values[self.select] > getattr(self.best, self.select)
        if better:
            self.best = replace(self.best, pool=pool, auc=found.auc, gain=found.gain.gain)
            if self.keep_best:
                self.best.weights = _copy(self.discriminator.state_dict())
                self.best.optimizer = {
                    # A parameter that is frozen, or that D does not use, has no moments.
                    name: _copy(optimizer.optimizer.state.get(parameter, {}))
                    for name, parameter in self.discriminator.named_parameters()
                }
        logger.info(
            "D after pool %d: AUC %.4f, gain %.4f +- %.4f nats per sequence on held-out data%s",
            pool,
            found.auc,
            found.gain.gain,
            found.gain.stderr,
            ", the best so far" if better else "",
        )
        if self.patience and pool - self.best.pool >= self.patience and not last:
            logger.info("D's pre-training ends: no better one for %d pools", self.patience)
            self.ended = True
        if last or self.ended:
            self.restore(optimizer)

    def restore(self, optimizer: FairseqOptimizer) -> None:
        """Restore D and its part of the optimizer's state to the best pool; drop the copy."""
        if not self.best.weights:
            return
        self.discriminator.load_state_dict(self.best.weights)
        for name, parameter in self.discriminator.named_parameters():
            state = optimizer.optimizer.state.get(parameter)
            for key, value in self.best.optimizer[name].items():
                if torch.is_tensor(value):
                    state[key].copy_(value)  # from main memory to its device
                else:
                    state[key] = value
        logger.info("D is again what it was after pool %d", self.best.pool)
        self.best = replace(self.best, weights={}, optimizer={})

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed training needs."""
        return {**vars(self.best), "ended": self.ended}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned."""
        known = {name: state[name] for name in vars(self.best) if name in state}
        self.best, self.ended = replace(self.best, **known), state.get("ended", False)


def _copy(state: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of *state* in main memory, which later updates do not change."""
    return {k: v.detach().cpu().clone() if torch.is_tensor(v) else v for k, v in state.items()}
