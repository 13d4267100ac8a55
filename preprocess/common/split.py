"""Dividing data into train, valid and test, unless each comes from a file of its own."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fairseq_seqgan.support import option_values
from fairseq_seqgan.support.errors import InputError

from .folder import SPLITS

OPTIONS = ("valid_share", "test_share", "seed")


class File(NamedTuple):
    """A raw file or folder."""

    path: Path
    split: str | None = None  # which all of it belongs to; None: it is to be divided

    def where(self, line: int) -> str:
        """Return the place of a *line*, counted from 1, for reports."""
        return f"line {line}" if self.split is None else f"{self.split}, line {line}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--valid``, ``--test``, ``--valid-share``, ``--test-share`` and ``--seed``."""
    for split in ("valid", "test"):
        parser.add_argument(
            f"--{split}",
            type=Path,
            metavar="PATH",
            help=f"raw data that becomes {split}; then all of the other becomes train "
            "(default: the data is divided)",
        )
    for split, share in (("valid", 0.05), ("test", 0.1)):
        parser.add_argument(
            f"--{split}-share",
            type=float,
            default=share,
            metavar="X",
            help=f"share of the data that becomes {split} (default: %(default)s)",
        )
    parser.add_argument(
        "--seed", type=option_values.seed, default=1, help="of the split (default: %(default)s)"
    )


def files(raw: Path, args: argparse.Namespace) -> list[File]:
    """Return the files to read: *raw*, and before it those of ``--test`` and ``--valid``.

    Of items that occur in several files a script keeps the first: the one that is held out.

    Raises:
        InputError: one of the two options is missing.
    """
    given = {split: getattr(args, split) for split in ("test", "valid")}
    missing = [f"--{split}" for split, path in given.items() if path is None]
    if len(missing) == 2:
        return [File(raw)]
    if missing:
        raise InputError(f"{missing[0]} is missing: give --valid and --test, or none of them")
    return [*(File(path, split) for split, path in given.items()), File(raw, "train")]


def assign(
    groups: Sequence[str], owners: Sequence[str | None], args: argparse.Namespace, what: str = ""
) -> dict[str, list[int]]:
    """Return for each split the indices of its items, in their order.

    Args:
        groups: of the items; :func:`divide` keeps a group together.
        owners: the splits of their files, if each split has its own.
        what: the items' file, for messages.

    Raises:
        InputError: the items cannot be divided.
    """
    if any(owner is None for owner in owners):
        return divide(groups, args.valid_share, args.test_share, args.seed, what)
    return {s: [i for i, owner in enumerate(owners) if owner == s] for s in SPLITS}


def divide(
    groups: Sequence[str], valid_share: float, test_share: float, seed: int, what: str = ""
) -> dict[str, list[int]]:
    """Return for each split the indices of its items, in their order.

    Item i belongs to ``groups[i]``, and a group stays together. The groups are ordered by a hash of
    seed and name; the first become test, the next valid. So the same names give the same split on
    every machine, and changing another option moves few items between splits.

    Example: the groups ``a b a c``, with ``b`` in test and ``c`` in valid, give
    ``{"train": [0, 2], "valid": [3], "test": [1]}``.

    Raises:
        InputError: the shares make no sense, or there are fewer than three groups.
    """
    for name, share in (("--valid-share", valid_share), ("--test-share", test_share)):
        if not 0 < share < 1:
            raise InputError(f"{name} must be between 0 and 1, not {share}")
    if valid_share + test_share >= 1:
        raise InputError("--valid-share and --test-share leave nothing to train on")
    names = sorted(set(groups), key=lambda name: (_hash(seed, name), name))
    num_test = max(1, round(test_share * len(names)))
    num_valid = max(1, round(valid_share * len(names)))
    if len(names) - num_test - num_valid < 1:
        found = f"{what}: {len(names)}" if what else len(names)
        raise InputError(f"{found} different items cannot be divided into {', '.join(SPLITS)}")
    split_of = dict.fromkeys(names, "train")
    split_of |= dict.fromkeys(names[:num_test], "test")
    split_of |= dict.fromkeys(names[num_test : num_test + num_valid], "valid")
    divided: dict[str, list[int]] = {split: [] for split in SPLITS}
    for index, name in enumerate(groups):
        divided[split_of[name]].append(index)
    return divided


def _hash(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{name}".encode()).digest()
