"""Checkpoints as files: written whole, checked when they are read, replaced if they are damaged.

torch stores a checkpoint as a zip archive with a checksum (CRC-32) of every tensor, and does not
compare them when it reads one. Here they are compared, so a flipped bit is found.
"""

from __future__ import annotations

import logging
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import torch

from . import atomic_write, distributed
from .errors import InputError, first_line

logger = logging.getLogger(__name__)

LAST = "checkpoint_last.pt"  # fairseq's name for what a training resumes from
# Its other names: of an epoch, of an update, of the best, of one of the best.
_OTHERS = re.compile(r"checkpoint(\d+|_\d+_\d+|_best|\.best_.+)\.pt")


# ---- writing --------------------------------------------------------------------------------


def save(state: Any, path: str, resumes: bool = True) -> None:
    """Write *state* as the checkpoint *path*, whole or not at all.

    Args:
        resumes: a training does, from the checkpoints beside it. If not, nothing beside *path* is
            replaced, as :func:`atomic_write.write_large` has it with a name of its own.

    Raises:
        InputError: it cannot be written; *path* is as it was.
    """
    _write(path, lambda file: torch.save(state, file), resumes)


def copy(source: str, path: str) -> None:
    """Copy the checkpoint *source* to *path*, whole or not at all.

    A hard link would be faster, but what damages one file would damage the other as well.

    Raises:
        InputError: it cannot be written; *path* is as it was.
    """

    def fill(file: BinaryIO) -> None:
        with Path(source).open("rb") as content:
            shutil.copyfileobj(content, file, 1 << 20)

    _write(path, fill)


def _write(path: str, fill: Any, resumes: bool = True) -> None:
    try:
        atomic_write.write_large(Path(path), fill, own_name=not resumes)
    except (OSError, RuntimeError) as error:
        cause = _system_error(error)
        if cause is None:
            raise
        hint = "; the checkpoints that were there are whole, and the same command resumes from the "
        raise InputError(
            f"{path}: cannot be written ({cause.strerror})" + (f"{hint}last one" if resumes else "")
        ) from error


def _system_error(error: BaseException | None) -> OSError | None:
    """Return the system's reason behind *error*; torch raises a RuntimeError after it."""
    while error is not None and not isinstance(error, OSError):
        error = error.__context__
    return error


# ---- reading --------------------------------------------------------------------------------


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Return the contents of the checkpoint *path*; nothing in it is run.

    Raises:
        InputError: it is missing, damaged, or not a checkpoint; the message names a whole
            checkpoint of the same training, if there is one.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such checkpoint")
    try:
        state = _read(Path(path))
        if not isinstance(state, dict):
            raise TypeError(f"it holds a {type(state).__name__}")
        return state
    except Exception as error:  # damaged bytes can make torch.load raise anything
        other = newest_whole(Path(path).parent, Path(path))
        hint = f"; {other} is whole" if other is not None else ""
        raise InputError(f"{path}: {_reason(error)}{hint}") from error


def require_whole(path: str | Path) -> None:
    """Compare the checksums of the checkpoint *path*, and do no more.

    Raises:
        InputError: as :func:`read_checkpoint` does.
    """
    try:
        _compare_checksums(Path(path))
    except Exception:
        read_checkpoint(path)  # which words the error


def whole_last(folder: Path) -> Path:
    """Return the checkpoint from which to resume in *folder*, where there is a last one.

    It is the last one or, if that is damaged, the newest whole one; a warning says so.

    Raises:
        InputError: the last one is damaged, and no other is whole.
    """
    last = folder / LAST
    try:
        _read(last)
        return last
    except Exception as error:
        other = newest_whole(folder, last)
        if other is None:
            raise InputError(
                f"{last}: {_reason(error)}, and there is no other whole checkpoint in its folder; "
                "move it away to train from the start, or name another one with --restore-file"
            ) from error
        if distributed.rank() == 0:
            logger.warning(
                "%s: %s. THE TRAINING RESUMES FROM %s, the newest whole checkpoint, written "
                "after %d updates",
                last,
                _reason(error),
                other,
                _updates(other),
            )
        return other


def newest_whole(folder: Path, but: Path) -> Path | None:
    """Return the checkpoint of the most updates in *folder* that is not damaged, other than *but*.

    Only files with fairseq's names count. Equal files of one save are told apart by their names, so
    every process chooses the same one.
    """
    known = [path for path in folder.iterdir() if _OTHERS.fullmatch(path.name) and path != but]
    dated = [(updates, path) for path in known if (updates := _updates(path)) is not None]
    for _, path in sorted(dated, reverse=True):
        try:
            _read(path)
            return path
        except Exception:
            continue
    return None


def _read(path: Path) -> dict[str, Any]:
    _compare_checksums(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def _compare_checksums(path: Path) -> None:
    """Raise a BadZipFile if a tensor of *path* differs from its checksum.

    A file without checksums is accepted: torch can leave them out, and old formats have none.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        if any(entry.CRC for entry in archive.infolist()):
            damaged = archive.testzip()
            if damaged is not None:
                raise zipfile.BadZipFile(f"{damaged} differs from its checksum")


def _updates(path: Path) -> int | None:
    """Return after how many updates *path* was written, reading little; None: it cannot be told."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        return int(state["optimizer_history"][-1]["num_updates"])
    except Exception:
        return None


def _reason(error: Exception) -> str:
    """Say in a line why a checkpoint could not be read."""
    if isinstance(error, zipfile.BadZipFile):
        return f"damaged ({first_line(error)})"
    # What torch says is about its own options, or that an argument was invalid.
    known = isinstance(error, TypeError | PermissionError)
    return "not a readable checkpoint, perhaps truncated" + (
        f" ({first_line(error)})" if known else ""
    )
