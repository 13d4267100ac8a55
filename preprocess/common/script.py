"""What every script for raw data does besides reading and cleaning the data.

A script takes its parser from :func:`get_parser`, adds its own options, and defines a function that
turns raw data into a :class:`DataSet`; :func:`run` does the rest. ``preprocess/poems.py`` is the
shortest example.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from fairseq_seqgan.support.escaping import visible

from . import arguments, report, split
from .dataset import Sequences, write_dataset
from .folder import SPLITS, new_folder
from .source import Public, Source, get_source
from .source import add_arguments as add_source


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


_PLACES = ("dest", "overwrite", "source", "sha256", "download_dir")  # options without effect on it

MakeData = Callable[[Source, argparse.Namespace, report.Dropped], DataSet]


def get_parser(doc: str | None, public: Public, what: str) -> argparse.ArgumentParser:
    """Return a parser with the options for the raw data, the splits and the folder to make.

    Args:
        doc: docstring of the script.
        public: where the raw data is downloaded by default.
        what: describes the raw data in the help of ``--source``.
    """
    parser = arguments.get_parser(doc)
    add_source(parser, public, what)
    split.add_arguments(parser)
    return parser


def run(
    args: argparse.Namespace,
    public: Public,
    make_data: MakeData,
    extra_files: tuple[str, ...] = (),
) -> None:
    """Make the folder ``--dest`` and print a summary.

    Args:
        args: the command line, parsed by what :func:`get_parser` returned.
        public: where the raw data is downloaded by default.
        make_data: reads and cleans the raw data; counts what it drops.
        extra_files: the names that ``DataSet.files`` may have.

    Raises:
        InputError: an option or file cannot be used; nothing has been written then.
    """
    with new_folder(args.dest, args.overwrite, extra_files) as folder:
        raw = get_source(args, public)
        dropped = report.Dropped()
        data = make_data(raw, args, dropped)
        _write(raw, args, data, dropped, folder)
    print(f"written to {args.dest}")


def _write(
    raw: Source,
    args: argparse.Namespace,
    data: DataSet,
    dropped: report.Dropped,
    folder: Path,
) -> None:
    rows = report.compare(data.counts, data.expected)
    stats = {
        **raw.describe(),
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
    numbers, words = write_dataset(folder, data.splits, data.words, stats)
    report.print_comparison(rows)
    removed = (f"removed: {number:,} {what}" for what, number in data.removed.items())
    for line in (*removed, *dropped.lines(), *data.lines):
        print(visible(line))
    report.print_splits(numbers, words)


def _options(args: argparse.Namespace) -> dict[str, object]:
    """Return the options that the data depend on, a script's own before those of the splits."""
    own = {name: value for name, value in vars(args).items() if name not in _PLACES}
    last = {name: own.pop(name) for name in split.OPTIONS}
    plain = (bool, int, float, str, type(None))
    return {n: v if isinstance(v, plain) else str(v) for n, v in (own | last).items()}
