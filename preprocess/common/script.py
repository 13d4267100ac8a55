"""What every script for public raw data does besides reading and cleaning the data.

A script takes its parser from :func:`get_parser`, adds its own options, and defines a function that
turns raw data into a :class:`DataSet`; :func:`run` does the rest. ``preprocess/poems.py`` is the
shortest example.
"""

from __future__ import annotations

import argparse

from . import arguments, split
from .make_folder import DataSet, MakeData, make_folder
from .source import Public, get_source
from .source import add_arguments as add_source

__all__ = ["DataSet", "get_parser", "run"]


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
    make_folder(args, lambda: get_source(args, public), make_data, extra_files)
