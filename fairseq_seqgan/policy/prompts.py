"""What ``fairseq-generate`` goes through: new samples, or sentences that are to be continued.

Shapes: B sentences in a batch, T tokens at most.
"""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from fairseq.data import Dictionary, FairseqDataset
from fairseq.data.iterators import EpochBatchIterator
from torch import Tensor

from ..support import compat
from ..support.errors import InputError
from ..support.option_values import positive

logger = logging.getLogger(__name__)


class Prompts(FairseqDataset):
    """The items that ``fairseq-generate`` processes, in order.

    Args:
        num: how many; each is an unconditional sample, or continues a sentence of *source*.
        eos: the only symbol of an empty source sentence.
        pad: the padding symbol.
        source: sentences to continue. If there are fewer than *num*, they are used again: with 10
            sentences, items 0, 10 and 20 continue sentence 0.
    """

    def __init__(self, num: int, eos: int, pad: int, source: FairseqDataset | None = None) -> None:
        self.num, self.eos, self.pad, self.source = num, eos, pad, source

    def __len__(self) -> int:
        return self.num

    def __getitem__(self, index: int) -> tuple[int, Tensor | None]:
        if self.source is None:
            return index, None
        return index, self.source[index % len(self.source)]["target"]

    def collater(self, items: list[tuple[int, Tensor | None]]) -> dict[str, Any]:
        """Return a batch as ``fairseq-generate`` reads it; ``target`` (B, T) or None.

        One without items is empty: fairseq-generate leaves it out.
        """
        if not items:  # fairseq adds one to a shard that has fewer batches than another
            return {}
        ids = torch.tensor([index for index, _ in items])
        target = None
        if self.source is not None:
            rows = [tokens for _, tokens in items]
            target = torch.nn.utils.rnn.pad_sequence(rows, True, self.pad)
        empty = torch.full((len(items), 1), self.eos)
        return {
            "id": ids,
            "last": int(ids[-1]) == self.num - 1,
            "nsentences": len(items),
            "ntokens": len(items),
            "net_input": {"src_tokens": empty, "src_lengths": torch.ones_like(ids)},
            "target": target,
        }


def make_prompts(
    options: Any,
    saved: Any,
    dictionary: Dictionary,
    load_source: Callable[[], FairseqDataset],
) -> Prompts | None:
    """Return the items that ``fairseq-generate`` processes; None if they are those of the split.

    Where *options* give no length, the length that the checkpoint was trained with is set.

    Args:
        options: the task's.
        saved: the task's options in the checkpoint, or None.
        dictionary: the dictionary of the data.
        load_source: returns the split, whose sentences are continued with ``--prefix-size``.

    Raises:
        InputError: ``--sampling`` without a number of samples and without a prefix, or
            ``--max-length`` for a model whose sequences do not end.
    """
    root = compat.root_config(options)
    generation = root.generation if root is not None else None
    if options.max_length and not options.fixed_length and saved and saved.get("fixed_length"):
        raise InputError(
            f"--max-length {options.max_length}: the checkpoint's sequences have a fixed length of "
            f"{saved.get('fixed_length')} tokens and no end symbol"
        )
    for name in ("fixed_length", "max_length"):
        if not getattr(options, name) and saved is not None and saved.get(name):
            setattr(options, name, saved.get(name))
    prefix = generation.prefix_size if generation is not None else 0
    if prefix < 0:
        raise InputError(f"--prefix-size is {prefix}: it must be 0 or more")
    if not options.num_samples and not prefix:
        if generation is not None and generation.sampling:
            raise InputError(
                "--sampling: say --num-samples N to draw new sequences, or --prefix-size N to "
                "continue the first N words of those of the split"
            )
        return None
    if generation is not None and not generation.sampling and options.num_samples > 1:
        logger.warning(
            "--num-samples %d without --sampling: a search finds the most likely continuation, so "
            "%s; add --sampling to draw different ones",
            options.num_samples,
            "each prefix has the same one every time" if prefix else "all of them are the same",
        )
    source = load_source() if prefix else None
    num = options.num_samples or (0 if source is None else len(source))
    positive(num_samples=num)
    return Prompts(num, dictionary.eos(), dictionary.pad(), source)


def refuse_too_long(indices: np.ndarray, dataset: FairseqDataset, max_positions: Any) -> None:
    """Check that the model has a position for each token of the items *indices* of *dataset*.

    Raises:
        InputError: one is longer; fairseq-interactive typed it, or it stands in a split.
    """
    _, ignored = dataset.filter_indices_by_size(indices, max_positions)
    if len(ignored):
        size = int(np.max(dataset.size(ignored[0])))
        raise InputError(
            f"sequence {int(ignored[0]) + 1} has {size - 1} tokens and an end symbol; the model "
            f"has {max_positions} positions (--skip-invalid-size-inputs-valid-test leaves it out)"
        )


def prompt_iterator(
    prompts: Prompts, batch_size: int | None, num_shards: int = 1, shard_id: int = 0
) -> EpochBatchIterator:
    """Return the items of *prompts* in order, *batch_size* (1,024 unless given) at a time.

    Raises:
        InputError: *batch_size* is below 0, or there are fewer batches than *num_shards*: a shard
            without one would end in a division by the time that it took.
    """
    size = batch_size or 1024
    positive(batch_size=size)
    order = range(len(prompts))
    batches = [list(order[i : i + size]) for i in order[::size]]
    if len(batches) < num_shards:
        raise InputError(
            f"--distributed-world-size {num_shards}: there are {len(batches)} batches for them; a "
            "smaller --batch-size makes more"
        )
    return EpochBatchIterator(
        prompts,
        prompts.collater,
        batches,
        num_shards=num_shards,
        shard_id=shard_id,
        disable_shuffling=True,
    )
