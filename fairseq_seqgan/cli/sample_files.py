"""Reading files of samples; needs neither fairseq nor torch."""

from __future__ import annotations

from pathlib import Path

from ..support import hypotheses
from ..support.errors import InputError, first_line
from ..support.reading import MIB, read_bytes

MOST = 1024 * MIB  # of a file of samples


def read_texts(path: Path) -> list[tuple[int, str]]:
    """Return (line number, text) of every sample in *path*, a file as ``fairseq-seqgan`` takes one.

    Raises:
        InputError: the file is missing, empty or not UTF-8, or an ``H-`` line is incomplete.
    """
    try:
        text = read_bytes(path, MOST).decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: cannot be read ({first_line(error)})") from error
    # As a file that was opened as text: any end of line counts.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if lines[-1] == "":
        lines.pop()
    if not lines:
        raise InputError(f"{path}: is empty, there are no samples in it")
    try:
        generated = hypotheses.parse(lines)
    except ValueError as error:
        raise InputError(f"{path}, {error}") from error
    return [(found.line, found.text) for found in generated] or list(enumerate(lines, start=1))
