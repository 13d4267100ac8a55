"""The data iterator of adversarial training: one item for each update of the schedule.

What an update trains on depends on the current weights, so the trainer makes the batch when the
update begins; fairseq's loop only counts. Every rank gets every item.
"""

from typing import Any

import torch
from fairseq.data import FairseqDataset
from fairseq.data.iterators import EpochBatchIterator

from .schedule import Schedule


class Updates(FairseqDataset):
    """*updates* × *parts* items: with ``--update-freq`` *parts*, each update takes *parts*."""

    def __init__(self, updates: int, parts: int) -> None:
        self.updates, self.parts = updates, parts

    def __len__(self) -> int:
        return self.updates * self.parts

    def __getitem__(self, index: int) -> int:
        return index

    def collater(self, items: list[int]) -> dict[str, int]:
        """Return which part of its update an item is; with 2 parts, item 5 is part 1 (from 0)."""
        return {"part": items[0] % self.parts, "parts": self.parts}


class UpdateIterator(EpochBatchIterator):
    """The rest of the epoch that a number of updates belongs to.

    fairseq asks for the iterator of an epoch by its number, and has a stored iterator skip the
    batches it has seen. Both follow from the number of updates, so neither is listened to. If
    batches of epoch 7 have made no update, the iterator after that of epoch 7 is again one of
    epoch 7, with what is missing.

    Args:
        updates: made so far.
        parts: of each update (``--update-freq``).
    """

    def __init__(self, schedule: Schedule, updates: int, parts: int) -> None:
        epoch, place = schedule.epoch_at(updates)
        items = Updates(schedule.epoch_updates(epoch), parts)
        order = torch.arange(len(items)).unsqueeze(1).tolist()
        super().__init__(items, items.collater, order, epoch=epoch, disable_shuffling=True)
        super().load_state_dict(
            {"version": 2, "epoch": epoch, "iterations_in_epoch": place * parts, "shuffle": False}
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Ignore the epoch and the batch that a checkpoint names; the updates have said both."""
