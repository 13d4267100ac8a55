"""What a checkpoint says about the schedule of its training, and the checks when it is resumed.

The meaning of an update number depends on the options of the schedule, the seed and the data. All
of them are stored and must be equal in a resumed training; only the rounds may become more.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from fairseq.optim import FairseqOptimizer
from torch import Tensor

from ..support.errors import InputError, flag

if TYPE_CHECKING:
    from .trainer import AdversarialTrainer

logger = logging.getLogger(__name__)

# They decide which updates of D's pre-training are skipped.
_ENDS_PRETRAINING = ("pretrain_d_keep", "pretrain_d_select", "pretrain_d_patience")
# Entries that earlier versions did not store, with what they stand for there.
_ADDED = {"prefix_size": 0}
# What the entries that are no options are called in a message.
_WORDS = {
    "positives": "the number of training sequences",
    "length": "the number of tokens of the longest sequence",
    "data": "the checksum of the training sequences",
    "batches": "the number of D's minibatches in a pass",
}


def describe(trainer: AdversarialTrainer) -> dict[str, int | str]:
    """Return all that decides which update is what: options, seed, and what the data add."""
    schedule, pool = trainer.schedule, trainer.pool
    positives = pool.positives.to(torch.int32).contiguous().numpy()
    return {
        "pretrain_d_steps": schedule.pretrain_d_steps,
        "rounds": schedule.rounds,
        "g_steps": schedule.g_steps,
        "d_steps": schedule.d_steps,
        "k": schedule.k,
        "seed": trainer.options.seed,
        **{name: str(getattr(trainer.options, name)) for name in _ENDS_PRETRAINING},
        "prefix_size": trainer.prefixes.size,
        "d_batch_size": pool.batch_size,
        "positives": len(positives),
        "length": positives.shape[1],
        "negative_pool_size": pool.size,
        "batches": schedule.batches,
        "data": hashlib.blake2b(positives.tobytes(), digest_size=8).hexdigest(),
    }


class StoredSchedule:
    """Adds to a trainer's state what a resumed training is compared with, and compares it.

    Args:
        trainer: of this process.
    """

    def __init__(self, trainer: AdversarialTrainer) -> None:
        self.trainer, self.own = trainer, describe(trainer)
        self.entries = 0  # parameters of which the optimizer holds a state

    def follow(self, optimizer: FairseqOptimizer) -> None:
        """Note how much state *optimizer* holds after an update."""
        self.entries = len(optimizer.optimizer.state)

    def add_to(self, state: dict[str, Any], updates: int) -> dict[str, Any]:
        """Return the trainer's *state* after *updates*, with what :meth:`check` reads."""
        parts = sorted([*state, "schedule", "updates", "optimizer_entries"])
        return state | {
            "schedule": dict(self.own),
            "updates": updates,
            "optimizer_entries": self.entries,
            "parts": parts,
        }

    def check(self, path: str, state: dict[str, Any], updates: int, symbols: int) -> None:
        """Check the *state* of the task in checkpoint *path* before it is taken over.

        Args:
            updates: fairseq's number of them in the same checkpoint.
            symbols: the number of symbols in the dictionary.

        Raises:
            InputError: names the part that is missing, or the option and both values.
        """
        for name in [*state.get("parts", []), "pool"]:
            if name not in state:
                raise InputError(f"{path}: its task state holds no {name.replace('_', ' ')}")
        stored = state.get("schedule")
        if stored is None:
            logger.warning(
                "%s is of an earlier version, which stored no schedule: nothing was compared", path
            )
        else:
            self._compare(path, stored)
            if state.get("updates") != updates:
                raise InputError(
                    f"{path}: fairseq's number of updates is {updates}, the task's is "
                    f"{state.get('updates')}: it has been changed"
                )
        self._check_pool(path, state["pool"], symbols)
        self._check_early_stopping(path, state.get("early_stopping"), updates)
        if stored is not None:
            self._check_number(path, state, updates)
        self.entries = state.get("optimizer_entries", 0)

    def _compare(self, path: str, stored: Any) -> None:
        if not isinstance(stored, Mapping):
            raise InputError(f"{path}: its schedule is damaged")
        for name, own in self.own.items():
            theirs = stored.get(name, _ADDED.get(name))
            numbers = isinstance(theirs, int) and isinstance(own, int)
            grows = name == "rounds" and numbers and theirs <= own
            # Without pre-training they do nothing, and earlier versions took them.
            idle = name in _ENDS_PRETRAINING and not stored.get("pretrain_d_steps")
            if theirs == own or grows or idle:
                continue
            what = _WORDS.get(name) or flag(name)
            raise InputError(
                f"{path}: {what} is {own}, in the checkpoint {theirs}; a training is resumed with "
                "the schedule that it began with"
                + (", of which only the rounds may become more" if name == "rounds" else "")
            )
        logger.info("%s: the schedule is the one that it was trained with", path)

    def _check_pool(self, path: str, pool: Any, symbols: int) -> None:
        """Check the shape and the symbols of the stored *pool* of negatives."""
        number: Any = None
        negatives: Any = None
        if isinstance(pool, Mapping):
            number, negatives = pool.get("number"), pool.get("negatives")
        if not isinstance(number, int) or number < 0 or not _holds_integers(negatives):
            raise InputError(f"{path}: its pool of negatives is damaged")
        own = self.trainer.pool
        expected = (own.size if number else 0, own.positives.size(1))
        if tuple(negatives.shape) != expected:
            raise InputError(
                f"{path}: its pool of negatives is {' x '.join(map(str, negatives.shape))} tokens, "
                f"not {' x '.join(map(str, expected))}"
            )
        if number and not 0 <= int(negatives.min()) <= int(negatives.max()) < symbols:
            raise InputError(
                f"{path}: its pool of negatives holds a symbol that is not in 0 ... {symbols - 1}"
            )

    def _check_number(self, path: str, state: dict[str, Any], updates: int) -> None:
        """Check that the pool is the one that update number *updates* works with.

        The first batch on a pool draws it, also if it overflows and makes no update. Pools that
        early stopping skips are not drawn.
        """
        schedule, number = self.trainer.schedule, state["pool"]["number"]
        drawn = schedule.pools_before(updates)
        early = state.get("early_stopping") or {}
        skipped = early.get("ended") and drawn <= schedule.pretrain_d_steps
        if number in (drawn, schedule.pools_before(updates + 1)) or (
            skipped and 0 < number < drawn
        ):
            return
        raise InputError(
            f"{path}: holds pool {number} at update {updates}, which needs pool {drawn}"
        )

    def _check_early_stopping(self, path: str, early: Any, updates: int) -> None:
        """Check what early stopping has stored of the best D."""
        if early is None or self.trainer.early_stopping is None:
            return
        own = self.trainer.early_stopping
        if not isinstance(early, Mapping) or not {"pool", "weights"} <= early.keys():
            raise InputError(f"{path}: what early stopping has stored is damaged")
        over = early.get("ended") or updates >= self.trainer.schedule.pretrain_updates
        weights = early["weights"]
        if not weights and (over or not own.keep_best or not early["pool"]):
            return
        shapes = {name: w.shape for name, w in own.discriminator.state_dict().items()}
        found = {name: w.shape for name, w in weights.items()} if weights else {}
        trained = {name for name, _ in own.discriminator.named_parameters()}
        if found != shapes or not trained <= early.get("optimizer", {}).keys():
            raise InputError(f"{path}: holds no whole copy of the best discriminator")


def _holds_integers(tensor: Any) -> bool:
    """Return whether *tensor* is a matrix of integers."""
    return (
        isinstance(tensor, Tensor)
        and tensor.dim() == 2
        and not tensor.is_floating_point()
        and not tensor.is_complex()
    )
