"""Whether a checkpoint was trained with the words of a dictionary, in their order."""

from __future__ import annotations

import hashlib
from typing import Any

from fairseq.data import Dictionary

from .errors import InputError
from .stored_options import stored_task

WORDS = "words"  # what the task's state in a checkpoint calls the fingerprint


def fingerprint(dictionary: Dictionary) -> str:
    """Return the SHA-256 of the words of *dictionary* in their order, in hexadecimal digits."""
    return hashlib.sha256("\n".join(dictionary.symbols).encode()).hexdigest()


def require_same_words(path: str, state: dict[str, Any], dictionary: Dictionary) -> None:
    """Check that *state*, the checkpoint *path*, was trained with the words of *dictionary*.

    A checkpoint of fairseq's own tasks, or of an earlier version, does not say so, and passes.

    Raises:
        InputError: it was trained with other words, or with these in another order.
    """
    stored = stored_task(state).get(WORDS)
    if stored is not None and stored != fingerprint(dictionary):
        raise InputError(
            f"{path}: trained with another dictionary; it has other words than the dict.txt of the "
            "data, or has them in another order"
        )
