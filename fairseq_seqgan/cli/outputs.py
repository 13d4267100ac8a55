"""The files that a command writes; their options are named in error messages.

No command replaces a file that is there unless ``--overwrite`` is given.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..support import atomic_write


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--overwrite`` to *parser*."""
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there")


def check(option: str, path: Path | None, overwrite: bool) -> None:
    """Check, before any work, that *path* can be written; None: it was not asked for.

    Raises:
        InputError: its folder does not exist, or it exists and *overwrite* is False; the message
            names *option*.
    """
    if path is not None:
        atomic_write.refuse_to_replace([path], overwrite, option)


def write_file(option: str, path: Path, content: bytes, overwrite: bool) -> None:
    """Write a file whole or not at all.

    Raises:
        InputError: it cannot be written, or appeared since :func:`check`; the message names
            *option*.
    """
    check(option, path, overwrite)
    atomic_write.write({path: content}, option)
