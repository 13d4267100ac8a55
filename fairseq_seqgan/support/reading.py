"""Reading a user's file without waiting for ever; the examples load this module alone."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MIB = 2**20
_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_bytes(path: str | Path, most: int) -> bytes:
    """Return the content of the file *path*, of at most *most* bytes.

    A pipe that the shell has opened, as ``<(command)`` and ``/dev/stdin`` are, is read to its end.

    Raises:
        OSError: it cannot be read, is longer, or is a pipe, for whose other end a program would
            wait for ever, or a device; ``strerror`` says which.
    """
    try:
        mode = Path(path).stat().st_mode
    except ValueError as error:  # a null character
        raise OSError(errno.EINVAL, "not the name of a file", str(path)) from error
    kind = _KINDS.get(stat.S_IFMT(mode))
    if kind is not None and not os.path.realpath(path).rpartition("/")[2].startswith("pipe:["):
        raise OSError(errno.EINVAL, f"{kind}, not a file", str(path))
    with Path(path).open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"larger than {most // MIB:,} MiB", str(path))
    return content
