"""From tokenized sequences to a complete folder: texts, dictionary, binarized data, statistics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from fairseq_seqgan.support.errors import InputError

from .binarize import binarize
from .folder import SPLITS, write_stats

# Training sequences: one batch of the paper's size. The recipes need at least one batch.
MIN_TRAIN = 64
SPECIAL_SYMBOLS = frozenset(("<s>", "<pad>", "</s>", "<unk>"))  # of every fairseq dictionary

Sequences = Sequence[Sequence[str]]


def write_dataset(
    folder: Path,
    splits: dict[str, Sequences],
    words: Iterable[str] | None,
    stats: dict[str, object],
    least: int = MIN_TRAIN,
) -> tuple[dict[str, dict[str, int]], int]:
    """Write train, valid and test, ``dict.txt``, the binarized data and ``stats.json``.

    Args:
        folder: an existing folder to write to.
        splits: the sequences of every split; a token is a word without white space.
        words: the dictionary in its order, or None for all words of train, the most frequent
            first. A token that is not in it is ``<unk>`` in the binarized data.
        stats: the entries of ``stats.json`` besides the counts of the splits.
        least: fewer training sequences are an error.

    Returns:
        The counts of every split, as in ``stats.json``, and the number of words in the dictionary.

    Raises:
        InputError: a split is too small, or a token is empty, holds white space or is one of
            fairseq's special symbols.
    """
    if len(splits["train"]) < least:
        batch = ", one batch," if least == MIN_TRAIN else ""
        raise InputError(
            f"only {len(splits['train'])} training sequences are left; at least {least}{batch} "
            "are needed"
        )
    for split in SPLITS:
        if not splits[split]:
            raise InputError(f"no sequence is left for {split}")
        _write_text(folder / f"{split}.txt", splits[split])
    counts = Counter(token for sequence in splits["train"] for token in sequence)
    order = by_frequency(counts) if words is None else list(words)
    _write_dictionary(folder / "dict.txt", order, counts)
    known = set(order)
    numbers = {split: _describe(splits[split], known) for split in SPLITS}
    summary = {**stats, "dictionary_words": len(order), "splits": numbers}
    binarize(folder, folder / "dict.txt", folder)
    write_stats(folder, summary)
    return numbers, len(order)


def by_frequency(counts: Counter[str]) -> list[str]:
    """Return the words of *counts*, the most frequent first; ties in the order of their codes."""
    return sorted(counts, key=lambda word: (-counts[word], word))


def _write_text(path: Path, sequences: Sequences) -> None:
    lines = []
    for sequence in sequences:
        line = " ".join(sequence)
        # What fairseq reads must be what was meant: it splits at any white space.
        if line.split() != list(sequence) or not sequence:
            raise InputError(f"{path.name}: a token is empty or holds white space: {line[:100]!r}")
        if not SPECIAL_SYMBOLS.isdisjoint(sequence):
            symbols = ", ".join(sorted(SPECIAL_SYMBOLS.intersection(sequence)))
            raise InputError(f"{path.name}: the raw data holds fairseq's special symbol {symbols}")
        lines.append(line + "\n")
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


def _write_dictionary(path: Path, words: list[str], counts: Counter[str]) -> None:
    lines = (f"{word} {counts[word]}\n" for word in words)
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


def _describe(sequences: Sequences, known: set[str]) -> dict[str, int]:
    unknown = [sum(token not in known for token in sequence) for sequence in sequences]
    return {
        "sequences": len(sequences),
        "tokens": sum(map(len, sequences)),
        "shortest": min(map(len, sequences)),
        "longest": max(map(len, sequences)),
        "unknown_tokens": sum(unknown),
        "sequences_with_unknown_tokens": sum(map(bool, unknown)),
    }
