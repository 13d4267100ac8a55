"""Writing files that are complete or absent, never partial."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from .errors import InputError


def refuse_to_replace(paths: list[Path], overwrite: bool) -> None:
    """Check before any work that *paths* can be written.

    Raises:
        InputError: one exists and *overwrite* is False, or its folder does not exist.
    """
    for path in paths:
        if not path.resolve().parent.is_dir():
            raise InputError(f"{path}: there is no such folder")
        if path.is_dir():
            raise InputError(f"{path}: is a folder")
        if path.exists() and not overwrite:
            raise InputError(f"{path}: exists; give --overwrite to replace it")


def write(contents: Mapping[Path, bytes | str]) -> None:
    """Write every file beside its place first, then rename all of them; text is UTF-8.

    Raises:
        InputError: a file cannot be written.
    """
    temporary = {path: path.with_name(f".{path.name}.{os.getpid()}") for path in contents}
    try:
        for path, content in contents.items():
            data = content.encode("utf-8") if isinstance(content, str) else content
            temporary[path].write_bytes(data)
        for path in contents:
            temporary[path].replace(path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    finally:
        for path in temporary.values():
            path.unlink(missing_ok=True)
