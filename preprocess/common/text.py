"""Reading a text file from elsewhere, with a clear message if it cannot be read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from fairseq_seqgan.support.errors import InputError

MAX_BYTES = 512 * 2**20  # of a text file
MAX_LINE = 100_000  # characters; a longer "line" is a file of another kind

_BOM = b"\xef\xbb\xbf"
_OTHER_KINDS = (
    (b"PK\x03\x04", "a zip file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"%PDF", "a PDF file"),
    (b"\xff\xfe", "UTF-16 or UTF-32"),
    (b"\xfe\xff", "UTF-16"),
)
# *+ gives nothing back: n comments could otherwise be divided in 2 ** n ways.
_HTML = re.compile(rb"\s*(<!--.*?-->\s*)*+<(!doctype\s+html|html|head|body)\b", re.I | re.S)


class Text(NamedTuple):
    """The lines of a text file."""

    lines: list[str]  # without their ends; the i-th is line i + 1 of the file
    notes: list[str]  # what was corrected: a byte order mark, Windows line ends


def read_text(path: Path) -> Text:
    """Return the lines of the UTF-8 file *path*; a byte order mark and CRLF are accepted.

    Only line feeds and carriage returns end a line: Unicode's other separators stay in it.

    Raises:
        InputError: it is missing, empty, too large, not UTF-8, an HTML page or another kind of
            file, or has a line of more than ``MAX_LINE`` characters.
    """
    data = read_bytes(path, MAX_BYTES)
    notes = []
    if data.startswith(_BOM):
        data = data[len(_BOM) :]
        notes.append("byte order mark removed")
    refuse_other_kinds(data, str(path))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}, line {number}: not UTF-8 (byte 0x{data[error.start]:02x}); convert the file "
            "with iconv first, and check that it arrived whole"
        ) from error
    if "\r" in text:
        notes.append("Windows or old Mac line ends converted")
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise InputError(f"{path}: is empty, or holds only white space")
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    for number, line in enumerate(lines, start=1):
        if len(line) > MAX_LINE:
            raise InputError(
                f"{path}, line {number}: {len(line):,} characters; a line may have {MAX_LINE:,}"
            )
    return Text(lines, notes)


def read_bytes(path: Path, limit: int) -> bytes:
    """Return the content of the file *path*.

    Raises:
        InputError: it is missing, not a file, empty, unreadable, or larger than *limit* bytes.
    """
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not data:
        raise InputError(f"{path}: is empty")
    if len(data) > limit:
        raise InputError(f"{path}: larger than {limit // 2**20:,} MiB, the most that is read")
    return data


def refuse_other_kinds(data: bytes, name: str) -> None:
    """Stop if *data*, the first bytes of file *name*, are not those of UTF-8 text.

    Raises:
        InputError: it is another kind of file, which the message names: an HTML page, an
            archive, UTF-16, binary data.
    """
    if looks_like_html(data):
        raise InputError(f"{name}: an HTML page, not the data; download the raw file instead")
    for magic, kind in _OTHER_KINDS:
        if data.startswith(magic):
            raise InputError(f"{name}: {kind}, not UTF-8 text")
    if b"\0" in data:
        raise InputError(f"{name}: binary data or UTF-16, not UTF-8 text")


def looks_like_html(data: bytes) -> bool:
    """Return whether *data* begins as a web page does."""
    return _HTML.match(data[:4096].removeprefix(_BOM)) is not None
