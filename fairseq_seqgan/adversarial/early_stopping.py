"""Early stopping of D's pre-training, by its AUC on held-out data.

D memorises its positives: on these it improves with every pool, while on other real sequences it
gets worse after some pool. The AUC is the probability that D scores a real sequence above a sample
of G. The schedule is a function of the update number and cannot become shorter, so D is trained on
all pools; then D and its part of the optimizer's state are restored to what they were after the
pool with the highest held-out AUC.

Shapes: M sequences, T tokens.
"""

import logging
from dataclasses import dataclass, field
from typing import Any

import torch
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from fairseq.optim import FairseqOptimizer
from torch import Tensor

from ..metrics.discrimination import auc
from ..models.discriminator import Discriminator
from ..policy.policy import Policy
from ..policy.rollouts import sample
from ..support import distributed
from ..support.eval_mode import eval_mode
from ..support.rng import seeded_rng

logger = logging.getLogger(__name__)


@dataclass
class EarlyStoppingConfig(FairseqDataclass):
    """Options of early stopping."""

    pretrain_d_keep: ChoiceEnum(["last", "best"]) = field(
        default="last",
        metadata={
            "help": "which D the first round starts with: 'best': as it was after the pool with "
            "the highest AUC on held-out sequences; 'last' (the paper): as pre-training leaves it"
        },
    )


class EarlyStopping:
    """Measures D after every pool of its pre-training, and keeps a copy of the best one.

    Args:
        discriminator: D.
        heldout: real sequences (M, T) that D is not trained on, padded at the end.
        seed: seeds the M samples that are drawn from G after every pool.
    """

    def __init__(self, discriminator: Discriminator, heldout: Tensor, seed: int) -> None:
        self.discriminator, self.heldout, self.seed = discriminator, heldout, seed
        self.best = {"pool": 0, "auc": -1.0, "weights": {}, "optimizer": {}}

    def after_pool(self, pool: int, policy: Policy, optimizer: FairseqOptimizer) -> None:
        """Measure D after *pool*, and keep a copy if it is the best so far."""
        # Every rank draws the same samples. Should processors round differently, rank 0 decides.
        generator = seeded_rng("early stopping", self.seed, pool)
        drawn = sample(policy, len(self.heldout), generator).tokens
        device = next(self.discriminator.parameters()).device
        with eval_mode(self.discriminator):
            real, fake = (
                self.discriminator.score(rows.long().to(device)).cpu().numpy()
                for rows in (self.heldout, drawn)
            )
        found = torch.tensor([auc(real, fake)], dtype=torch.float64, device=device)
        found = float(distributed.gather(found)[0])
        better = found > self.best["auc"]
        if better:
            self.best = {
                "pool": pool,
                "auc": found,
                "weights": _copy(self.discriminator.state_dict()),
                "optimizer": {
                    name: _copy(optimizer.optimizer.state[parameter])
                    for name, parameter in self.discriminator.named_parameters()
                },
            }
        mark = ", the best so far" if better else ""
        logger.info("D after pool %d: AUC %.4f on held-out sequences%s", pool, found, mark)

    def restore(self, optimizer: FairseqOptimizer) -> None:
        """Restore D and its part of the optimizer's state to the best pool; drop the copy."""
        if not self.best["weights"]:
            return
        self.discriminator.load_state_dict(self.best["weights"])
        for name, parameter in self.discriminator.named_parameters():
            state = optimizer.optimizer.state[parameter]
            for key, value in self.best["optimizer"][name].items():
                if torch.is_tensor(value):
                    state[key].copy_(value)  # from main memory to its device
                else:
                    state[key] = value
        logger.info("D is again what it was after pool %d", self.best["pool"])
        self.best = self.best | {"weights": {}, "optimizer": {}}

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed training needs."""
        return self.best

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned."""
        self.best = state


def _copy(state: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of *state* in main memory, which later updates do not change."""
    return {k: v.detach().cpu().clone() if torch.is_tensor(v) else v for k, v in state.items()}
