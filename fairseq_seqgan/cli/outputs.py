"""The files that a command writes; their options are named in error messages."""

from __future__ import annotations

from pathlib import Path

from ..support import atomic_write


def require_folder(option: str, path: str | Path) -> None:
    """Check, before any work, that the folder of *path* exists.

    Raises:
        InputError: it does not; the message names *option*.
    """
    atomic_write.require_folder(path, option)


def write_file(option: str, path: str | Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        InputError: it cannot be written; the message names *option*.
    """
    atomic_write.write({Path(path): content}, option)
