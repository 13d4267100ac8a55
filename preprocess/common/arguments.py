"""Command-line options that all scripts share; needs none of the libraries for raw data."""

from __future__ import annotations

import argparse
from pathlib import Path

from fairseq_seqgan.support import option_values
from fairseq_seqgan.support.errors import InputError, flag


def get_parser(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser with ``--dest`` and ``--overwrite``, described by the first line of *doc*."""
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    add_folder(parser)
    return parser


def add_folder(parser: argparse.ArgumentParser) -> None:
    """Add ``--dest`` and ``--overwrite``."""
    parser.add_argument("--dest", type=Path, required=True, help="folder to make")
    parser.add_argument("--overwrite", action="store_true", help="replace DEST if it exists")


def require_at_least(minimum: int, args: argparse.Namespace, *names: str) -> None:
    """Check the options *names* of *args*; one that is None was not given.

    Raises:
        InputError: one is smaller than *minimum*, or larger than anything that can be counted;
            the message names it.
    """
    for name in names:
        value = getattr(args, name)
        if value is not None and value < minimum:
            raise InputError(f"{flag(name)} must be at least {minimum}, not {value}")
        if value is not None:
            option_values.at_most(option_values.MOST, **{name: value})
