"""Reading what the commands are given: samples, binarized data and checkpoints.

Every problem is an ``InputError`` that names the file and, in a text file, the line.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from fairseq.data import Dictionary
from fairseq.data.data_utils import load_indexed_dataset

from ..oracle.lstm import OFFSET
from ..support import input_checks
from ..support.binarized_data import check_split
from ..support.errors import InputError, first_line
from .sample_files import read_texts

Sequences = list[tuple[int, ...]]


class Sample(NamedTuple):
    """A sequence that was read from a text file, or from a split."""

    ids: tuple[int, ...]  # in the dictionary; no end symbol
    line: int  # its line number in the file, or its number in the split, from 1


@dataclass
class Corpus:
    """What samples and model are measured on; sequences are ids without the end symbol."""

    folder: Path  # of the binarized data
    dictionary: Dictionary
    samples_path: Path | None  # None: the samples are real data
    samples_split: str | None  # the split that they are, if they are
    samples: list[Sample]
    split: str  # the name of the held-out split
    heldout: Sequences
    training: Sequences

    def where(self, line: int) -> str:
        """Return the place of the sample with this *line*, for messages."""
        if self.samples_path is None:
            return f"split '{self.samples_split}', sequence {line}"
        return f"{self.samples_path}, line {line}"

    def oracle_length(self) -> int:
        """Return T of the held-out data, which the oracle must be able to score."""
        lengths = {len(sequence) for sequence in self.heldout}
        if lengths == {0}:
            raise InputError(f"--oracle: split '{self.split}' holds nothing but empty sequences")
        if len(lengths) > 1:
            raise InputError(
                f"--oracle: the sequences of split '{self.split}' have {min(lengths)} to "
                f"{max(lengths)} tokens; an oracle has no end symbol, so all must have one length"
            )
        if any(index < OFFSET for sequence in self.heldout for index in sequence):
            raise InputError(
                f"--oracle: split '{self.split}' holds a special symbol such as <unk>, which the "
                "oracle cannot score"
            )
        return lengths.pop()

    def require_length(self, length: int) -> None:
        """Check that the oracle can score the samples."""
        for ids, line in self.samples:
            where = self.where(line)
            if len(ids) != length:
                raise InputError(f"{where}: {len(ids)} tokens; the oracle's data have {length}")
            if min(ids) < OFFSET:
                raise InputError(f"{where}: <unk>, which the oracle cannot score")


def read_corpus(
    folder: Path, samples: Path | None, split: str | None, real_split: str | None = None
) -> Corpus:
    """Read the dictionary, the *samples*, the held-out *split* and the training data of *folder*.

    Without *samples*, the sequences of *real_split* take their place.

    Raises:
        InputError: one of them cannot be read, or *real_split* is the held-out split itself.
    """
    dictionary = read_dictionary(folder)
    split = split or default_split(folder)
    if samples is None and real_split == split:
        raise InputError(
            f"--real-split {split}: that is the held-out split, which must not be its own "
            "reference; --valid-subset names another"
        )
    if samples is not None:
        given = read_samples(samples, dictionary)
    else:
        sequences = read_split(folder, str(real_split), dictionary)
        given = [Sample(ids, number) for number, ids in enumerate(sequences, start=1)]
    return Corpus(
        folder,
        dictionary,
        samples,
        real_split,
        given,
        split,
        read_split(folder, split, dictionary),
        read_split(folder, "train", dictionary),
    )


def read_dictionary(folder: Path) -> Dictionary:
    """Return the dictionary of the binarized data in *folder*.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    if ":" in str(folder) and not folder.is_dir():
        raise InputError(f"--data {folder}: one folder is needed")
    input_checks.data_folder(str(folder))
    return Dictionary.load(str(folder / "dict.txt"))


def read_samples(path: Path, dictionary: Dictionary) -> list[Sample]:
    """Return the samples in *path*: plain text, one a line, or ``fairseq-generate``'s raw output.

    The latter is recognised by its ``H-<id>\\t<score>\\t<text>`` lines. They are put into the
    order of their ids, and all other lines are ignored. An empty line is an empty sample.

    Raises:
        InputError: the file is missing or empty, or a word is not in *dictionary*.
    """
    texts = read_texts(path)
    return [Sample(_encode(path, line, text, dictionary), line) for line, text in texts]


def _encode(path: Path, line: int, text: str, dictionary: Dictionary) -> tuple[int, ...]:
    ids = []
    for word in text.split():
        index = dictionary.indices.get(word)
        if index is None:
            raise InputError(f"{path}, line {line}: '{word}' is not in the dictionary")
        if index in (dictionary.bos(), dictionary.pad(), dictionary.eos()):
            raise InputError(f"{path}, line {line}: '{word}' is a special symbol, not a word")
        ids.append(index)
    return tuple(ids)


def default_split(folder: Path) -> str:
    """Return the name of the held-out split to use: ``test`` if there is one, else ``valid``."""
    return "test" if (folder / "test.idx").is_file() else "valid"


def read_split(folder: Path, split: str, dictionary: Dictionary) -> Sequences:
    """Return the sequences of a binarized split as ids, without the end symbol.

    Raises:
        InputError: the split is missing, truncated, empty or made with another dictionary.
    """
    check_split(folder, split, dictionary, combine=split == "train")
    path = str(folder / split)
    try:
        # As in training, train1, train2, ... belong to train.
        dataset = load_indexed_dataset(path, dictionary, combine=split == "train")
        if dataset.supports_prefetch:  # the older format reads nothing else
            dataset.prefetch(range(len(dataset)))
        sequences = [tuple(dataset[i].tolist()) for i in range(len(dataset))]
    except Exception as error:  # whatever numpy, struct and fairseq make of broken bytes
        raise InputError(
            f"{path}.bin or .idx cannot be read, perhaps truncated ({first_line(error)})"
        ) from error
    if not sequences:
        raise InputError(f"{path}.bin: the split is empty")
    eos = dictionary.eos()
    return [s[:-1] if s and s[-1] == eos else s for s in sequences]
