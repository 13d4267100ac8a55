"""A workaround for ``--lr-scheduler reduce_lr_on_plateau``, of whose state fairseq stores half."""

import math
from typing import Any

from fairseq.dataclass.configs import DatasetConfig
from fairseq.optim.lr_scheduler import LR_SCHEDULER_REGISTRY
from fairseq.optim.lr_scheduler.reduce_lr_on_plateau import ReduceLROnPlateauLRSchedule

_BAD = "num_bad_epochs"  # torch's name for validations in a row without improvement


class PlateauSchedule(ReduceLROnPlateauLRSchedule):
    """fairseq's schedule, which a resumed training continues as if it had not been interrupted.

    fairseq does not store how many validations in a row were bad. And at the end of an epoch it
    writes the checkpoint before the schedule sees the validation; a resumed training would never
    show it.

    While D is pre-trained G stays as it is. Only the first validation counts then, for the others
    would lower G's rate before its first update.
    """

    pretraining: int = 0  # epochs of D's pre-training, with which the training begins
    unseen: float | None = None  # of the checkpoint: a validation that the schedule has not seen
    _to_show: float | None = None

    def state_dict(self) -> dict[str, Any]:
        """Return fairseq's state, and the number of bad validations."""
        return {**super().state_dict(), _BAD: self.lr_scheduler.num_bad_epochs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned; fairseq's own has no number."""
        super().load_state_dict(state_dict)
        self.lr_scheduler.num_bad_epochs = state_dict.get(_BAD, 0)
        self._to_show, PlateauSchedule.unseen = PlateauSchedule.unseen, None

    def step(self, epoch: int, val_loss: float | None = None) -> float:
        """Change the rate after a validation, or after the one that the schedule has not seen.

        fairseq calls this without a validation as soon as it has loaded a checkpoint.
        """
        ended = epoch if val_loss is not None else epoch - 1
        if val_loss is None:
            val_loss = self._to_show
        self._to_show = None
        if ended <= self.pretraining and math.isfinite(self.lr_scheduler.best):
            return super().step(ended + 1)
        return super().step(epoch, val_loss)


def keep_plateaus(dataset: DatasetConfig, state: dict[str, Any] | None, pretraining: int) -> None:
    """Let fairseq use :class:`PlateauSchedule`, in a training that begins with checkpoint *state*.

    Args:
        dataset: says when a training that is not interrupted validates.
        pretraining: epochs of D's pre-training, with which the training begins.
    """
    LR_SCHEDULER_REGISTRY["reduce_lr_on_plateau"] = PlateauSchedule
    PlateauSchedule.unseen = None if state is None else _unseen(dataset, state)
    PlateauSchedule.pretraining = pretraining


def _unseen(dataset: DatasetConfig, state: dict[str, Any]) -> float | None:
    """Return what the validation at the end of an epoch measured, with which *state* was saved.

    The end of a training, such as ``--max-update``, makes one more validation than there would be;
    that one does not count.
    """
    extra, history = state.get("extra_state") or {}, state.get("optimizer_history") or [{}]
    iterator = extra.get("train_iterator") or {}
    if iterator.get("iterations_in_epoch") != 0:  # stored in the middle of an epoch
        return None
    ended = iterator.get("epoch", 0) - 1
    every, updates = dataset.validate_interval_updates, history[-1].get("num_updates", 0)
    planned = ended % dataset.validate_interval == 0 or (every > 0 and updates % every == 0)
    return extra.get("val_loss") if planned else None
