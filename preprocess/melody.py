"""From the notes of a MIDI file to a melody of one pitch a step, and to windows of it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil

import numpy as np

from preprocess.midi import MidiError, Note

LOWEST, HIGHEST = 1, 88  # the keys of a piano
KEY_OFFSET = 20  # MIDI's number of a key, less the key
MAX_STEPS = 100_000  # 11 hours of 0.4 s: a longer file is broken
REST = 0  # a step in which nothing sounds; it is written so, too
SILENCES = ("hold", "rest", "drop")


def sample(notes: Sequence[Note], step: Fraction) -> list[int]:
    """Return the key, 1 to 88, that sounds at 0, *step*, 2 *step* ... seconds; ``REST`` if none.

    Of several notes the highest counts. The last step is the last one before all notes have ended.

    Raises:
        MidiError: a pitch is not on a piano, or there are too many steps.
    """
    for note in notes:
        if not LOWEST <= note.pitch - KEY_OFFSET <= HIGHEST:
            raise MidiError(f"pitch {note.pitch} is not on a piano (MIDI numbers 21 to 108)")
    length = ceil(max(note.end for note in notes) / step)
    if length > MAX_STEPS:
        raise MidiError(f"{length:,} steps long; {MAX_STEPS:,} is the most")
    keys = np.full(length, REST)
    for note in notes:
        # Steps k with start <= k step < end.
        sounding = keys[ceil(note.start / step) : ceil(note.end / step)]
        np.maximum(sounding, note.pitch - KEY_OFFSET, out=sounding)
    return keys.tolist()


def fill(keys: Sequence[int], silence: str) -> list[int]:
    """Return *keys* without what *silence* says of silent steps.

    "hold": the key before goes on, and before the first note the first key is there already;
    "rest": silent steps stay, as ``REST``; "drop": they are left out.
    """
    if silence == "rest":
        return list(keys)
    if silence == "drop":
        return [key for key in keys if key != REST]
    held = next((key for key in keys if key != REST), REST)
    filled = []
    for key in keys:
        held = held if key == REST else key
        filled.append(held)
    return filled


def windows(keys: Sequence[int], size: int) -> list[tuple[int, ...]]:
    """Return the consecutive pieces of *size* steps; what is left at the end is not used."""
    return [tuple(keys[i : i + size]) for i in range(0, len(keys) - size + 1, size)]
