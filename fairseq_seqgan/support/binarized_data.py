"""Whether a binarized split is what ``fairseq-preprocess`` wrote, checked before it is used.

fairseq trusts an ``.idx`` file: with one pointer changed it reads another sequence, and says
nothing. Three things are compared here, each with what follows from the others:

* the index with itself: every offset is the sum of the sizes before it, and its own size and that
  of ``.bin`` are those that the number of sequences and their sizes give;
* the tokens with the dictionary: every symbol is in it, and the end symbol stands at the end of
  every sequence and nowhere else;
* the files with the SHA-256 that ``stats.json`` beside them states, if a script of ``preprocess/``
  made them. Without it a token that was changed to another token cannot be found.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .errors import InputError

if TYPE_CHECKING:  # writing data needs the names below, and not fairseq
    from fairseq.data import Dictionary

PIECES_MODEL = "sentencepiece.model"  # what splits words into pieces, where prepare has trained one
STATS, FILES = "stats.json", "files"  # where the checksums are, and under which key

# An .idx file of fairseq's usual format, mmap: magic, version, code of the tokens' type, number n
# of sequences; then n sizes (int32, in tokens) and n offsets (int64, in bytes).
_MMAP_HEAD, _MMAP_MAGIC = struct.Struct("<9sQBQ"), b"MMIDIDX\0\0"
# One of its older format: magic, version, code and bytes of a token, n, m; then n + 1 positions in
# the sizes, n + 1 offsets in tokens and m sizes (all int64).
_OLD_HEAD, _OLD_MAGIC = struct.Struct("<8sQQQQQ"), b"TNTIDX\0\0"


class _Index(NamedTuple):
    """What an ``.idx`` file says."""

    sizes: np.ndarray  # (n,) int64, in tokens
    dtype: np.dtype  # of a token
    first: int = 0  # the number by which symbol 0 is stored


def check_split(
    folder: Path, split: str, dictionary: Dictionary, combine: bool = False, whole: bool = True
) -> None:
    """Check the files of *split*, and with *combine* those of ``split1``, ``split2``, ... as well.

    Args:
        whole: an item is a sequence, so the end symbol is its last one.

    Raises:
        InputError: a file is missing or damaged, or a sequence is; the message names it.
    """
    for name in _parts(folder, split, combine):
        _check_part(folder, name, dictionary, whole)


def _parts(folder: Path, split: str, combine: bool) -> Iterator[str]:
    yield split
    for number in count(1) if combine else ():
        name = f"{split}{number}"
        if not any((folder / (name + suffix)).exists() for suffix in (".idx", ".bin")):
            return
        yield name


def _check_part(folder: Path, split: str, dictionary: Dictionary, whole: bool) -> None:
    index, content = (folder / (split + suffix) for suffix in (".idx", ".bin"))
    for path in (index, content):
        if not path.is_file():
            raise InputError(f"{path}: missing; there is no split '{split}'")
    read = _read_index(index)
    if len(read.sizes) == 0:
        raise InputError(f"{index}: split '{split}' is empty")
    shortest = int(np.argmin(read.sizes))
    if read.sizes[shortest] < (1 if whole else 0):
        raise InputError(
            f"{index}: damaged; sequence {shortest + 1} has {read.sizes[shortest]} tokens"
        )
    _check_size(content, int(read.sizes.sum()) * read.dtype.itemsize)
    if content.stat().st_size:
        _check_tokens(content, read, dictionary, whole)
    require_unchanged(index, content)


def _read_index(path: Path) -> _Index:
    """Return what the ``.idx`` file *path* says, once it has been found consistent."""
    with path.open("rb") as file:
        magic = file.read(8)
    if len(magic) < 8:
        raise InputError(f"{path}: truncated; it has {len(magic)} bytes")
    if magic == _MMAP_MAGIC[:8]:
        return _read_mmap_index(path)
    if magic == _OLD_MAGIC:
        return _read_old_index(path)
    raise InputError(f"{path}: not an index of fairseq-preprocess with --dataset-impl mmap")


def _read_mmap_index(path: Path) -> _Index:
    magic, version, code, n = _read_head(path, _MMAP_HEAD)
    if magic != _MMAP_MAGIC:
        raise InputError(f"{path}: damaged; it does not begin as an index does")
    dtype = _dtype(path, version, code)
    _check_size(path, _MMAP_HEAD.size + n * (4 + 8))
    sizes = np.fromfile(path, "<i4", n, offset=_MMAP_HEAD.size).astype(np.int64)
    offsets = np.fromfile(path, "<i8", n, offset=_MMAP_HEAD.size + 4 * n)
    _check_offsets(path, offsets, sizes * dtype.itemsize)
    return _Index(sizes, dtype)


def _read_old_index(path: Path) -> _Index:
    _, version, code, width, n, m = _read_head(path, _OLD_HEAD)
    dtype = _dtype(path, version, code)
    _check_size(path, _OLD_HEAD.size + 8 * (2 * (n + 1) + m))
    numbers = np.fromfile(path, "<i8", offset=_OLD_HEAD.size)
    positions, offsets, sizes = np.split(numbers, [n + 1, 2 * (n + 1)])
    if width != dtype.itemsize or m != n:
        raise InputError(f"{path}: damaged; its head contradicts itself")
    _check_offsets(path, positions[:-1], np.ones(n, np.int64))
    _check_offsets(path, offsets[:-1], sizes)
    if positions[-1] != n or offsets[-1] != sizes.sum():
        raise InputError(f"{path}: damaged; its last offset is not the sum of the sizes")
    return _Index(sizes, dtype, first=1)


def _read_head(path: Path, head: struct.Struct) -> tuple:
    with path.open("rb") as file:
        content = file.read(head.size)
    if len(content) < head.size:
        raise InputError(f"{path}: truncated; it has {len(content)} bytes")
    return head.unpack(content)


def _dtype(path: Path, version: int, code: int) -> np.dtype:
    from fairseq.data.indexed_dataset import _code_to_dtype

    dtype = np.dtype(_code_to_dtype.get(code, np.float64))
    if version != 1 or dtype.kind not in "iu":
        raise InputError(f"{path}: damaged; version {version}, and {code} as the type of a token")
    return dtype


def _check_offsets(path: Path, offsets: np.ndarray, sizes: np.ndarray) -> None:
    """Check that each of *offsets* (n,) is the sum of the *sizes* (n,) before it."""
    expected = np.cumsum(sizes) - sizes
    wrong = np.flatnonzero(offsets != expected)
    if len(wrong):
        i = wrong[0]
        raise InputError(
            f"{path}: damaged; sequence {i + 1} begins at {offsets[i]}, and those before it end "
            f"at {expected[i]}"
        )


def _check_size(path: Path, expected: int) -> None:
    size = path.stat().st_size
    if size != expected:
        raise InputError(f"{path}: damaged or truncated; it has {size} bytes, not {expected}")


def _check_tokens(path: Path, index: _Index, dictionary: Dictionary, whole: bool) -> None:
    """Check every token of the ``.bin`` file *path*."""
    tokens = np.memmap(path, index.dtype.newbyteorder("<"), mode="r")
    low, high = int(tokens.min()) - index.first, int(tokens.max()) - index.first
    if low < 0 or high >= len(dictionary):
        raise InputError(
            f"{path}: holds the symbol {low if low < 0 else high}, but dict.txt beside it makes a "
            f"dictionary of {len(dictionary)} symbols"
        )
    if not whole:
        return
    ends = np.cumsum(index.sizes) - 1
    found = np.flatnonzero(tokens == dictionary.eos() + index.first)
    if not np.array_equal(ends, found):
        shorter = min(len(ends), len(found))
        wrong = np.flatnonzero(ends[:shorter] != found[:shorter])
        raise InputError(
            f"{path}: sequence {(wrong[0] if len(wrong) else shorter) + 1} does not end with </s>, "
            "or holds it before its end; damaged, or not what fairseq-preprocess writes"
        )


def digest(path: Path) -> str:
    """Return the SHA-256 of the file *path* as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_unchanged(*paths: Path) -> None:
    """Check that *paths*, in one folder, are as ``stats.json`` there says, if it names them.

    Raises:
        InputError: one is not.
    """
    known = stated_digests(paths[0].parent)
    for path in paths:
        if path.name in known and digest(path) != known[path.name]:
            raise InputError(
                f"{path}: damaged or replaced; its SHA-256 is not the one in {STATS} beside it "
                f"(make the data anew, or remove {STATS} if another program wrote the file)"
            )


def stated_digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 by file name that ``stats.json`` in *folder* states; {} without any."""
    try:
        found = json.loads((folder / STATS).read_text(encoding="utf-8"))[FILES]
        return {name: digest for name, digest in found.items() if isinstance(digest, str)}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}  # no file of ours
