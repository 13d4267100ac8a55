"""The data of D: positives, and a pool of negatives that is drawn anew for every d-step.

Shapes: n_pos positives, n_neg negatives, T tokens.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from fairseq.dataclass import FairseqDataclass
from torch import Tensor

from ..models.discriminator import FAKE, REAL
from ..support.rng import seeded_rng
from .schedule import Step


@dataclass
class MinibatchConfig(FairseqDataclass):
    """Options of D's training data."""

    negative_pool_size: int = field(
        default=0, metadata={"help": "negatives in a pool; 0: as many as training sequences"}
    )
    d_batch_size: int = field(
        default=64,
        metadata={"help": "sequences in a minibatch of D, positives and negatives, over all GPUs"},
    )


class Minibatch(NamedTuple):
    """Sequences that D is trained to tell apart."""

    tokens: Tensor  # (R, T) int64, padded at the end
    labels: Tensor  # (R,) int64: REAL or FAKE


class Pool:
    """Positives and the current negatives, cut into shuffled minibatches.

    One pass over the pool takes every negative and as many positives, shuffled together. If there
    are more positives than negatives, each pass takes a new random choice; if there are fewer,
    they repeat.

    Args:
        positives: (n_pos, T) int32.
        size: n_neg.
        batch_size: sequences in a minibatch, positives and negatives together, over all ranks.
        seed: seeds the shuffling.
    """

    def __init__(self, positives: Tensor, size: int, batch_size: int, seed: int) -> None:
        self.positives, self.size, self.batch_size, self.seed = positives, size, batch_size, seed
        self.number = 0  # number of the pool in `negatives`, from 1; 0: none yet
        self.negatives = positives.new_empty(0, positives.size(1))
        self._pass: tuple[int, int] | None = None
        self._order = torch.empty(0, dtype=torch.long)
        self._chosen = torch.empty(0, dtype=torch.long)

    @property
    def batches(self) -> int:
        """Minibatches in one pass."""
        return -(-2 * self.size // self.batch_size)

    def refill(self, number: int, negatives: Tensor) -> None:
        """Replace the negatives by pool *number*, (n_neg, T)."""
        self.number, self.negatives = number, negatives.cpu()
        self._pass = None

    def minibatch(self, step: Step, share: int = 0, shares: int = 1) -> Minibatch:
        """Return share number *share* of *shares* of the minibatch of *step*.

        Shares and sequences are counted from 0: share 1 of 4 holds the sequences 1, 5, 9 ... The
        result is a function of the step, the seed and the negatives alone.
        """
        if self._pass != (step.pool, step.pass_index):
            self._shuffle(step)
        begin = step.minibatch_index * self.batch_size
        index = self._order[begin : begin + self.batch_size][share::shares]
        fake = index >= self.size  # 0 ... n_neg - 1 are positives, n_neg ... 2 n_neg - 1 negatives
        tokens = torch.empty(len(index), self.positives.size(1), dtype=torch.long)
        tokens[~fake] = self.positives[self._chosen[index[~fake]]].long()
        tokens[fake] = self.negatives[index[fake] - self.size].long()
        return Minibatch(tokens, torch.where(fake, FAKE, REAL))

    def empty_minibatch(self) -> Minibatch:
        """Return a minibatch of no sequences, for an update that trains nothing."""
        tokens = torch.empty(0, self.positives.size(1), dtype=torch.long)
        return Minibatch(tokens, torch.empty(0, dtype=torch.long))

    def _shuffle(self, step: Step) -> None:
        """Choose the positives of the pass that *step* belongs to, and shuffle its sequences."""
        generator = seeded_rng("shuffle", self.seed, step.pool, step.pass_index)
        rounds = -(-self.size // len(self.positives))
        order = [torch.randperm(len(self.positives), generator=generator) for _ in range(rounds)]
        self._chosen = torch.cat(order)[: self.size]
        self._order = torch.randperm(2 * self.size, generator=generator)
        self._pass = (step.pool, step.pass_index)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed training needs: the negatives and the number of their pool."""
        return {"number": self.number, "negatives": self.negatives.to(torch.int32)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned."""
        self.refill(int(state["number"]), state["negatives"].long())
