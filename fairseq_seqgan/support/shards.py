"""Training data in several folders, ``DATA1:DATA2``: fairseq's shards.

fairseq reads another folder in every epoch. That suits a language model. But an epoch of
adversarial training is a round, and D needs its positives before the first update: it gets those of
all folders.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fairseq.data import ConcatDataset, Dictionary, FairseqDataset
from fairseq.data.data_utils import load_indexed_dataset
from fairseq.utils import split_paths

from .binarized_data import check_split
from .errors import InputError


def folder(data: str, epoch: int) -> Path:
    """Return the folder of *data* that fairseq reads in *epoch*, which starts at 1."""
    folders = split_paths(data)
    return Path(folders[(epoch - 1) % len(folders)])


def check(data: str) -> None:
    """Check that the folders of *data* were binarized with one dictionary, that of the first.

    Raises:
        InputError: one is missing, or has another dictionary.
    """
    first, *others = split_paths(data)
    for other in others:
        if not Path(other).is_dir():
            raise InputError(f"{other}: no such folder of binarized data")
        own = Path(other, "dict.txt")
        if own.is_file() and own.read_bytes() != Path(first, "dict.txt").read_bytes():
            raise InputError(
                f"{own}: differs from {first}/dict.txt, by which all folders of '{data}' are read"
            )


def longest_of_folders(data: str, split: str, dictionary: Dictionary, combine: bool = False) -> int:
    """Return how many tokens the longest sequence of *split* in all folders of *data* has.

    The end symbol does not count. 0: *data* is a single folder, of which fairseq reads it itself.

    Raises:
        InputError: a file is missing or damaged.
    """
    found, folders = 0, split_paths(data)
    for name in map(Path, folders if len(folders) > 1 else ()):
        check_split(name, split, dictionary, combine)
        # The sizes are a view of a file that is closed with the dataset.
        dataset = load_indexed_dataset(str(name / split), dictionary, combine=combine)
        found = max(found, int(dataset.sizes.max()) - 1)
    return found


def load_all(load: Callable[[int], FairseqDataset], data: str) -> FairseqDataset:
    """Return the sequences of all folders of *data*, in their order.

    Args:
        load: returns those of the folder of one epoch.
    """
    parts = [load(epoch) for epoch in range(1, len(split_paths(data)) + 1)]
    return parts[0] if len(parts) == 1 else ConcatDataset(parts)
