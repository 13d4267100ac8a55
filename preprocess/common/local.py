"""Raw files and folders on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from fairseq_seqgan.support.binarized_data import digest
from fairseq_seqgan.support.errors import InputError


class Source(NamedTuple):
    """A raw file or folder on this machine."""

    path: Path
    origin: str  # the address, or the file's name without its folder
    sha256: str | None  # None for a folder

    def describe(self) -> dict[str, object]:
        """Return its entries in ``stats.json``; none depends on this machine."""
        size = self.path.stat().st_size if self.path.is_file() else None
        return {"source": self.origin, "bytes": size, "sha256": self.sha256}


def get_local(path: Path, sha256: str | None = None) -> Source:
    """Return the file or folder *path*, which must have the checksum *sha256* if one is given.

    Raises:
        InputError: it is missing, cannot be read, or has another checksum.
    """
    try:
        found = digest(path) if path.is_file() else None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if found is None and not path.is_dir():
        reason = "neither a file nor a folder" if path.exists() else "no such file or folder"
        raise InputError(f"{path}: {reason}")
    if sha256 is not None and found != sha256:
        raise InputError(
            f"{path}: its sha256 is {found or 'not defined, it is a folder'}, not {sha256}"
        )
    return Source(path, path.resolve().name, found)
