"""The files of a folder or zip file, read without unpacking anything to the disk."""

from __future__ import annotations

import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from fairseq_seqgan.support.errors import InputError

from .text import looks_like_html

MAX_FILE = 16 * 2**20  # bytes of one file, unpacked
MAX_TOTAL = 512 * 2**20  # bytes of all files wanted, unpacked
MAX_FILES = 100_000

# What zipfile and the decompressors raise when the bytes make no sense.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    LookupError,
    OverflowError,
    RuntimeError,  # NotImplementedError, too: encrypted, or of an unknown method
    ValueError,  # names that are not UTF-8, too
)


class UnreadableError(ValueError):
    """One of the files cannot be read; the message says why and does not name it."""


class Files(Protocol):
    """A set of files with paths relative to a common root, with ``/`` between the parts."""

    names: list[str]

    def read(self, name: str) -> bytes:
        """Return the content of a file; UnreadableError if it is damaged or too large."""


@contextmanager
def open_files(path: Path, endings: tuple[str, ...]) -> Iterator[Files]:
    """Yield the files of folder or zip file *path* that have one of *endings*, sorted by name.

    Hidden files, and the files that macOS adds to zip files, are left out.

    Raises:
        InputError: it is neither, it is damaged, a path in the zip leaves its folder, or it would
            unpack to more than ``MAX_TOTAL`` bytes.
    """
    if path.is_dir():
        yield _Folder(path, endings)
        return
    try:
        with path.open("rb") as file:
            head = file.read(4096)
        if looks_like_html(head):
            raise InputError(f"{path}: an HTML page, not the data; download the raw file instead")
        if not head:
            raise InputError(f"{path}: is empty")
        with _open_zip(path) as archive:
            yield _Zip(path, archive, endings)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except _DAMAGED as error:
        raise InputError(f"{path}: not a zip file, or a damaged one ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


class _Folder:
    def __init__(self, path: Path, endings: tuple[str, ...]) -> None:
        self._path = path
        files = (file.relative_to(path) for file in path.rglob("*") if file.is_file())
        self.names = _wanted([file.as_posix() for file in files], endings)
        _check_number(path, len(self.names))

    def read(self, name: str) -> bytes:
        try:
            with (self._path / name).open("rb") as file:
                return _at_most(file, MAX_FILE)
        except OSError as error:
            raise UnreadableError(error.strerror or str(error)) from error


class _Zip:
    def __init__(self, path: Path, archive: zipfile.ZipFile, endings: tuple[str, ...]) -> None:
        self._path, self._archive = path, archive
        members = archive.infolist()
        _check_number(path, len(members))
        for member in members:
            _check_path(path, member)
        files = {member.filename: member for member in members if not member.is_dir()}
        self.names = _wanted(list(files), endings)
        total = sum(files[name].file_size for name in self.names)
        if total > MAX_TOTAL:
            raise InputError(
                f"{path}: would unpack to {total // 2**20:,} MiB; "
                f"{MAX_TOTAL // 2**20:,} MiB is the most"
            )

    def read(self, name: str) -> bytes:
        try:
            with self._archive.open(name) as file:
                return _at_most(file, MAX_FILE)  # the size that the archive states may be a lie
        except UnreadableError:
            raise
        except (*_DAMAGED, MemoryError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # it is the disk's; that of a damaged bz2 has no number
            raise UnreadableError(f"cannot be unpacked: {_reason(error)}") from error


def _at_most(file: IO[bytes], limit: int) -> bytes:
    data = file.read(limit + 1)
    if len(data) > limit:
        raise UnreadableError(f"larger than {limit // 2**20} MiB")
    return data


def _wanted(names: list[str], endings: tuple[str, ...]) -> list[str]:
    return sorted(
        name
        for name in names
        if name.lower().endswith(endings)
        and not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)
    )


def _check_number(path: Path, number: int) -> None:
    if number > MAX_FILES:
        raise InputError(f"{path}: holds {number:,} files; {MAX_FILES:,} is the most")


def _check_path(archive: Path, member: zipfile.ZipInfo) -> None:
    name = member.filename.replace("\\", "/")
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or ":" in (parts or ("",))[0]:
        raise InputError(f"{archive}: its entry {member.filename!r} leaves the folder; not read")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise InputError(f"{archive}: its entry {member.filename!r} is a link; not read")
