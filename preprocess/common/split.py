"""Dividing data into train, valid and test."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence

from fairseq_seqgan.support.errors import InputError

from .folder import SPLITS

OPTIONS = ("valid_share", "test_share", "seed")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--valid-share``, ``--test-share`` and ``--seed``."""
    for split, share in (("valid", 0.05), ("test", 0.1)):
        parser.add_argument(
            f"--{split}-share",
            type=float,
            default=share,
            metavar="X",
            help=f"share of the data that becomes {split} (default: %(default)s)",
        )
    parser.add_argument("--seed", type=int, default=1, help="of the split (default: %(default)s)")


def divide(
    groups: Sequence[str], valid_share: float, test_share: float, seed: int
) -> dict[str, list[int]]:
    """Return for each split the indices of its items, in their order.

    Item i belongs to ``groups[i]``, and a group stays together. The groups are ordered by a hash of
    seed and name; the first become test, the next valid. So the same names give the same split on
    every machine, and another option elsewhere moves few items from one split to another.

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
        raise InputError(f"{len(names)} different items cannot be divided into {', '.join(SPLITS)}")
    split_of = dict.fromkeys(names, "train")
    split_of |= dict.fromkeys(names[:num_test], "test")
    split_of |= dict.fromkeys(names[num_test : num_test + num_valid], "valid")
    divided: dict[str, list[int]] = {split: [] for split in SPLITS}
    for index, name in enumerate(groups):
        divided[split_of[name]].append(index)
    return divided


def _hash(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{name}".encode()).digest()
