"""From raw data to a complete folder, whoever reads and cleans the data."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from fairseq_seqgan.support.escaping import visible

from . import report, split
from .dataset import MIN_TRAIN, Sequences, write_dataset
from .folder import SPLITS, new_folder
from .local import Source, get_local


class DataSet(NamedTuple):
    """What a script makes of raw data."""

    splits: dict[str, Sequences]  # the sequences of train, valid and test
    counts: Mapping[str, int]  # of the raw data, by name
    expected: Mapping[str, int]  # the same where the raw file is known; {} where it is not
    words: Iterable[str] | None = None  # the dictionary in its order; None: all words of train
    about: Mapping[str, object] = {}  # what stats.json says of the raw data besides its checksum
    removed: Mapping[str, int] = {}  # what cleaning took out of the items that were kept
    more: Mapping[str, object] = {}  # other entries of stats.json
    lines: tuple[str, ...] = ()  # other lines of the printed summary
    files: Mapping[str, bytes] = {}  # other files of the folder, by name


# Options without effect on the data, or whose effect is stated otherwise.
_PLACES = ("dest", "overwrite", "source", "train", "valid", "test", "sha256", "download_dir")
_COMMAND = ("command", "run")  # of fairseq-seqgan, which calls a script as one of its commands

MakeData = Callable[[Source, argparse.Namespace, report.Dropped], DataSet]


def make_folder(
    args: argparse.Namespace,
    find: Callable[[], Source],
    make_data: MakeData,
    extra_files: tuple[str, ...] = (),
    least: int = MIN_TRAIN,
) -> None:
    """Make the folder ``--dest`` and print a summary.

    Args:
        args: the command line; its parser had the options of ``arguments`` and ``split``.
        find: returns the raw data, downloaded if need be.
        make_data: reads and cleans the raw data; counts what it drops.
        extra_files: the names that ``DataSet.files`` may have.
        least: fewer training sequences are an error.

    Raises:
        InputError: an option or file cannot be used; nothing has been written then.
    """
    with new_folder(args.dest, args.overwrite, extra_files) as folder:
        raw = find()
        own = {file.split: get_local(file.path) for file in split.files(raw.path, args)[:-1]}
        dropped = report.Dropped()
        data = make_data(raw, args, dropped)
        about = {f"own_{name}": source.describe() for name, source in own.items()}
        _write(args, {**raw.describe(), **about}, data, dropped, folder, least)
    print(f"written to {args.dest}")


def _write(
    args: argparse.Namespace,
    described: dict[str, object],
    data: DataSet,
    dropped: report.Dropped,
    folder: Path,
    least: int,
) -> None:
    rows = report.compare(data.counts, data.expected)
    stats = {
        **described,
        **data.about,
        "options": _options(args),
        "read": rows,
        **({"removed": data.removed} if data.removed else {}),
        "dropped": dropped.summary(),
        **data.more,
        "kept": sum(len(data.splits[s]) for s in SPLITS),
    }
    for name, content in data.files.items():
        (folder / name).write_bytes(content)
    numbers, words = write_dataset(folder, data.splits, data.words, stats, least)
    report.print_comparison(rows)
    removed = (f"removed: {number:,} {what}" for what, number in data.removed.items())
    for line in (*removed, *dropped.lines(), *data.lines):
        print(visible(line))
    report.print_splits(numbers, words)


def _options(args: argparse.Namespace) -> dict[str, object]:
    """Return the options that the data depend on, a script's own before those of the splits."""
    left_out = (*_PLACES, *_COMMAND)
    own = {name: value for name, value in vars(args).items() if name not in left_out}
    last = {name: own.pop(name) for name in split.OPTIONS}
    plain = (bool, int, float, str, type(None))
    return {n: v if isinstance(v, plain) else str(v) for n, v in (own | last).items()}
