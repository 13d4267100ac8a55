"""Files and folders that are there whole or not at all.

Each is written beside its place, flushed to the disk, and renamed; after a crash or a power failure
a path holds either the old content or the new one. This is the only module that does so.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .errors import InputError

_KEPT = 40  # characters of a name, of at most 4 bytes; 255 bytes are the most that a name may have


def require_folder(path: str | Path, option: str = "") -> None:
    """Check, before any work, that the folder of *path* exists.

    Raises:
        InputError: it does not; the message names *option*, if one is given, and *path*.
    """
    if not Path(path).resolve().parent.is_dir():
        raise InputError(f"{_named(option, path)}: there is no such folder")


def refuse_to_replace(paths: Iterable[Path], overwrite: bool, option: str = "") -> None:
    """Check before any work that *paths* can be written.

    Raises:
        InputError: one exists and *overwrite* is False, or its folder does not exist; the message
            names *option*, if one is given, and the path.
    """
    for path in paths:
        require_folder(path, option)
        if path.is_dir():
            raise InputError(f"{_named(option, path)}: is a folder")
        if path.exists() and not path.is_file():
            raise InputError(f"{_named(option, path)}: is no regular file")
        if (path.exists() or path.is_symlink()) and not overwrite:  # or a link to nothing
            raise InputError(f"{_named(option, path)}: exists; give --overwrite to replace it")


def write(contents: Mapping[Path, bytes | str], option: str = "") -> None:
    """Write files: all of them beside their places first, then rename each; text is UTF-8.

    A file that is there is replaced: whether it may be, the caller checks.

    Raises:
        InputError: a file cannot be written; the message names *option*, if one is given, and the
            file.
    """
    beside = {path: _beside(path) for path in contents}
    try:
        for path, content in contents.items():
            with beside[path].open("xb") as file:
                file.write(content.encode("utf-8") if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
        for path in contents:
            beside[path].replace(path)
    except OSError as error:
        raise InputError(f"{_named(option, path)}: {error.strerror}") from error
    finally:
        for temporary in beside.values():
            _remove(temporary)


def write_large(path: Path, fill: Callable[[BinaryIO], object], own_name: bool = False) -> None:
    """Write the file that *fill* fills: beside *path*, flushed to the disk, then renamed.

    It is written as ``PATH.tmp``, where the next attempt replaces what a killed one has left; with
    *own_name* under a name that no file has.

    Raises:
        OSError: the file cannot be written; *path* is as it was, and nothing stands beside it.
    """
    temporary = _beside(path) if own_name else path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        _remove(temporary)
        raise
    with suppress(OSError):  # some file systems cannot
        _flush(path.parent)  # a power failure may undo a rename that is not on the disk


@contextmanager
def new_folder(dest: Path, check: Callable[[Path], None]) -> Iterator[Path]:
    """Yield an empty folder beside *dest* that replaces *dest* if the block ends without error.

    What stood at *dest* is removed last; after an error it stands there as before.

    Args:
        check: raises an exception if the folder that it is given, which stood at *dest*, may not
            be removed. By then nobody can add a file to it under its own name.

    Raises:
        OSError: a folder or file cannot be written.
    """
    temporary = _beside(dest)
    made = [folder for folder in temporary.parents if not folder.exists()]
    temporary.mkdir(parents=True)
    try:
        yield temporary
        for path in temporary.rglob("*"):
            if path.is_file():
                _flush(path)
        _replace_folder(temporary, dest, check)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        for folder in made:  # the innermost first
            with suppress(OSError):  # it holds something by now
                folder.rmdir()


def _flush(path: Path) -> None:
    """Wait until the file or the folder *path* is on the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _beside(path: Path) -> Path:
    """Return a name beside *path* that no file has; it is short where that of *path* is long."""
    return path.with_name(f".{path.name[:_KEPT]}.{secrets.token_hex(8)}")


def _remove(temporary: Path) -> None:
    """Remove what an attempt has left; the error that ended it is the one to tell of."""
    with suppress(OSError):
        temporary.unlink()


def _replace_folder(temporary: Path, dest: Path, check: Callable[[Path], None]) -> None:
    if not dest.exists():
        temporary.rename(dest)
        return
    old = _beside(dest)
    dest.rename(old)
    try:
        check(old)
        temporary.rename(dest)
    except BaseException:
        old.rename(dest)
        raise
    shutil.rmtree(old)


def _named(option: str, path: str | Path) -> str:
    return f"{option} {path}" if option else str(path)
