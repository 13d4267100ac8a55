"""Where a training is in its schedule, from the first update to the last."""

import logging
from typing import Any

from fairseq.models import BaseFairseqModel
from fairseq.optim import FairseqOptimizer

from ..policy.trial import try_out
from ..support import compat_models, distributed
from .clock import Clock
from .objective import check_stored_reference
from .pace import Pace
from .start import Start
from .stored_schedule import StoredSchedule
from .trainer import AdversarialTrainer
from .update_iterator import UpdateIterator

logger = logging.getLogger(__name__)


class Progress:
    """Moves a trainer through its schedule, and stores and compares where it is.

    Args:
        trainer: of this process.
        start: what the training begins with.
        symbols: the number of symbols in the dictionary.
        parts: of each update (``--update-freq``).
        name: of the generator, in a message.
    """

    def __init__(
        self,
        trainer: AdversarialTrainer,
        start: Start,
        symbols: int,
        parts: int = 1,
        name: str = "the generator",
    ) -> None:
        self.trainer, self.start, self.symbols, self.parts = trainer, start, symbols, parts
        self.clock, self.pace = Clock(start.updates), Pace(trainer.schedule)
        self.stored = StoredSchedule(trainer)
        self._reported = 0  # of the clock's lost batches
        self.name, self._tried = name, False

    def rest_of_epoch(self) -> UpdateIterator:
        """Return the updates that the present epoch still has."""
        if self.clock.lost > self._reported:
            lost, self._reported = self.clock.lost - self._reported, self.clock.lost
            logger.info("%d batches made no update, of update %d now", lost, self.clock.updates)
        return UpdateIterator(self.trainer.schedule, self.clock.updates, self.parts)

    def pretrains(self, epoch: int) -> bool:
        """Return whether *epoch* is one of D's pre-training, in which G stays as it is."""
        return epoch <= self.trainer.schedule.pretrain_d_steps

    def begin_epoch(self, model: BaseFairseqModel) -> None:
        """Try out *model*, the generator, and the copies of it that a G step needs.

        This happens before the first update.

        Raises:
            InputError: G cannot be trained adversarially, a copy cannot be used, or there is too
                little memory for the rollouts.
        """
        if not self._tried:
            policy = self.trainer.make_policy(model)
            if distributed.rank() == 0:
                compat_models.warn_of_wide_kernels(model, policy.length)
            try_out(policy, self.name)
            self.trainer.g_step.try_out(policy, self.name)
            self._tried = True

    def make_batch(self, model: BaseFairseqModel, update: int, part: int) -> dict[str, Any]:
        """Return the batch for part *part* of fairseq's update number *update*.

        Raises:
            InputError: it is not the update that comes next.
            DivergenceError: hundreds of batches in a row have made no update.
        """
        self.clock.begin(update, part)
        if not part:
            self.pace.begin(update)
        return self.trainer.make_batch(model, update, part, self.parts)

    def after_update(
        self, update: int, model: BaseFairseqModel, optimizer: FairseqOptimizer
    ) -> None:
        """Finish *update* after the optimizer has changed the weights."""
        self.trainer.after_update(self.trainer.schedule(update), model, optimizer)
        self.stored.follow(optimizer)
        self.clock.tick(update)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed training needs beyond the nets and the optimizer."""
        return self.stored.add_to(self.trainer.state_dict(), self.clock.updates)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned, unless this is a new training.

        Raises:
            InputError: it is incomplete, or of another schedule.
        """
        if not self.start.resumes:
            return
        self.stored.check(self.start.path, state, self.clock.updates, self.symbols)
        if self.clock.updates > self.trainer.schedule.pretrain_updates:  # until then G is its start
            stored = state.get("reference") is not None
            check_stored_reference(self.trainer.options, self.start.path, stored)
        self.trainer.load_state_dict(state)
