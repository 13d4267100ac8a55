"""The data iterator of adversarial training: one item for each update of the schedule.

What an update trains on depends on the current weights, so the trainer makes the batch when the
update begins; fairseq's loop only counts. Every rank gets every item.
"""

import torch
from fairseq.data import FairseqDataset
from fairseq.data.iterators import EpochBatchIterator


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


def update_iterator(updates: int, parts: int, epoch: int) -> EpochBatchIterator:
    """Return the iterator of fairseq's epoch number *epoch*, which has *updates* updates."""
    items = Updates(updates, parts)
    order = torch.arange(len(items)).unsqueeze(1).tolist()
    return EpochBatchIterator(
        items, items.collater, order, epoch=epoch, disable_shuffling=True, reuse_dataloader=False
    )
