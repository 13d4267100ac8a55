"""Writing what the commands were asked for: whole files, or none."""

from __future__ import annotations

import os
from pathlib import Path

from ..support.errors import InputError


def require_folder(option: str, path: str | Path) -> None:
    """Check before the work is done that the folder of *path* is there.

    Raises:
        InputError: it is not; the message names *option*.
    """
    if not Path(path).resolve().parent.is_dir():
        raise InputError(f"{option} {path}: there is no such folder")


def write_file(option: str, path: str | Path, content: bytes) -> None:
    """Write *content* beside *path* and rename it, so that nobody finds half a file.

    Raises:
        InputError: it cannot be written; the message names *option*.
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        raise InputError(f"{option} {path}: {error.strerror}") from error
    finally:
        beside.unlink(missing_ok=True)
