"""Tunes as piano keys and as notes.

A tune is a list of piano keys, one for each step of equal length: 1 is the lowest A, 49 the A of
440 Hz, 88 the highest C, and 0 is silence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from ..support.errors import InputError

SILENCE = 0  # the "key" of a step in which nothing sounds
KEYS = 88  # of a piano, numbered 1 to 88
LOWEST_PITCH = 21  # MIDI's number of key 1
STEP_SECONDS = 0.4  # the paper samples its music every 0.4 s


class Note(NamedTuple):
    """A key that is held for some steps."""

    key: int  # 1 to 88
    start: int  # the first step, from 0
    steps: int


def key_of(pitch: int) -> int:
    """Return the piano key of a MIDI pitch: 21 is key 1, and 69, the A of 440 Hz, is key 49."""
    return pitch - LOWEST_PITCH + 1


def pitch_of(key: int) -> int:
    """Return the MIDI pitch of a piano key: key 1 is 21, and key 49, the A of 440 Hz, is 69."""
    return key - 1 + LOWEST_PITCH


def piano_keys(tokens: Sequence[str], where: str) -> list[int]:
    """Return the keys of a tune, 1 to 88, or 0 for a silent step.

    Args:
        tokens: one decimal number for each step.
        where: names the sample in an error message: a file and its line.

    Raises:
        InputError: there is no token, or a token is not such a number.
    """
    if not tokens:
        raise InputError(f"{where}: an empty line, not a tune")
    keys = []
    for token in tokens:
        if not re.fullmatch("[0-9]{1,2}", token) or int(token) > KEYS:
            raise InputError(
                f"{where}: '{token[:40]}' is not a pitch (1 to {KEYS}, or 0 for silence)"
            )
        keys.append(int(token))
    return keys


def notes(keys: Sequence[int]) -> list[Note]:
    """Return the notes of a tune: the same key in consecutive steps is one note, 0 is none.

    Example: the keys ``40 40 0 44`` are the notes (40, from step 0, 2 steps) and (44, from step 3,
    1 step).
    """
    found, start = [], 0
    for key, group in groupby(keys):
        steps = len(list(group))
        if key != SILENCE:
            found.append(Note(key, start, steps))
        start += steps
    return found
