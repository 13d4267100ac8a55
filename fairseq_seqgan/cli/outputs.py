"""The files that a command writes, and what it tells beside them; options are named in errors.

No command replaces a file that is there unless ``--overwrite`` is given.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..support import atomic_write
from ..support.errors import InputError
from ..support.escaping import visible


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


def check_apart(
    outputs: Mapping[str, Path | None], inputs: Iterable[Path | None], data: Path | None = None
) -> None:
    """Check, before any work, that *outputs*, by option, are different files and none of *inputs*.

    Args:
        data: a folder of binarized data; its dictionary and its splits are inputs as well.

    Raises:
        InputError: two are the same file, even under two names; the message names the option.
    """
    read = [path for path in inputs if path is not None]
    if data is not None:
        read += [data / "dict.txt", *data.glob("*.bin"), *data.glob("*.idx")]
    taken = {path.resolve(): "the command reads it" for path in read}
    for option, path in outputs.items():
        if path is None:
            continue
        if (use := taken.get(path.resolve())) is not None:
            raise InputError(f"{option} {path}: {use}; give another file")
        taken[path.resolve()] = f"{option} names the same file"


def refuse_to_replace(path: Path) -> None:
    """Check that nothing stands at *path*.

    Raises:
        InputError: something does.
    """
    if path.exists() or path.is_symlink():
        raise InputError(f"{path}: exists; nothing is overwritten, give another name")


def note(message: str) -> None:
    """Tell the user what was assumed or left out; on stderr, so that printed JSON stays JSON."""
    print(f"note: {visible(message)}", file=sys.stderr)


def write_file(option: str, path: Path, content: bytes, overwrite: bool) -> None:
    """Write a file whole or not at all.

    Raises:
        InputError: it cannot be written, or appeared since :func:`check`; the message names
            *option*.
    """
    check(option, path, overwrite)
    atomic_write.write({path: content}, option)
