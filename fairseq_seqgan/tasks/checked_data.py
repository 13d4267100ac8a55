"""Loading one split of binarized data, checked before and after fairseq reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fairseq.data import Dictionary, FairseqDataset

from ..support import compat, input_checks, shards
from ..support.binarized_data import check_split
from ..support.errors import InputError


def load_checked(
    load: Callable[[], None],
    datasets: Mapping[str, FairseqDataset],
    options: Any,
    dictionary: Dictionary,
    split: str,
    epoch: int,
    combine: bool,
) -> None:
    """Have fairseq *load* the *split* that *epoch* reads, if it is whole and of this dictionary.

    Args:
        load: reads it and puts it into *datasets*.
        options: the task's.
        combine: read ``split1``, ``split2``, ... as well.

    Raises:
        InputError: a file is missing or damaged, or a sequence does not fit the options.
    """
    folder = shards.folder(options.data, epoch)
    whole = str(options.sample_break_mode) == "eos"  # otherwise rows are not sequences
    check_split(folder, split, dictionary, combine, whole)
    try:
        load()
    except Exception as e:  # whatever numpy, struct and fairseq make of broken bytes
        raise InputError(
            f"{folder}/{split}.bin or .idx cannot be read, perhaps truncated ({e})"
        ) from e
    root = compat.root_config(options)
    if root is not None and root.get("criterion"):  # a training
        trains = split == options.train_subset
        most, of_valid = root.dataset.max_tokens, root.dataset.max_tokens_valid
        batch = ("--max-tokens", most)
        if not trains and of_valid != most:  # it is the same unless given
            batch = ("--max-tokens-valid", of_valid)
        for option, tokens in (
            batch,
            ("--max-target-positions", options.max_target_positions),
        ):
            input_checks.room_for_longest(datasets[split].sizes, split, option, tokens)
    if whole:
        limits = options.tokens_per_sample, options.fixed_length
        input_checks.sequence_lengths(datasets[split].sizes, split, *limits)
