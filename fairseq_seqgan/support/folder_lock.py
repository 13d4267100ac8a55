"""One training at a time writes into a folder of checkpoints."""

import fcntl
import os
import socket
from pathlib import Path

from .errors import InputError

NAME = ".lock"
_held: dict[Path, int] = {}  # open files: closing one would release its lock


def hold(folder: Path) -> None:
    """Lock *folder* until this process ends, however it ends.

    It is a record lock of POSIX: it works over NFS, and processes that this one forks, such as
    those that load data, do not keep it.

    Raises:
        InputError: another training holds it, or its file cannot be opened.
    """
    path = (folder / NAME).resolve()
    if path in _held:
        return
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise InputError(f"--save-dir: {path}: cannot be opened ({error.strerror})") from error
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        holder = os.read(file, 200).decode(errors="replace").strip()
        os.close(file)
        raise InputError(
            f"--save-dir {folder}: another training ({holder}) is writing into it; processes that "
            "train together are started by torchrun, or get --distributed-world-size"
        ) from None
    except OSError:  # a file system without locks
        os.close(file)
        return
    os.ftruncate(file, 0)
    os.write(file, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
    _held[path] = file
