"""From the notes of a MIDI file to a melody of one piano key a step, and to windows of it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil

import numpy as np
from fairseq_seqgan.preprocess.midi import MidiError, Note

from fairseq_seqgan.metrics.pitch import hold
from fairseq_seqgan.show.notes import KEYS, SILENCE, key_of, pitch_of

MAX_STEPS = 100_000  # 11 hours of 0.4 s: a longer file is broken
SILENCES = ("hold", "rest", "drop")


def sample(notes: Sequence[Note], step: Fraction) -> list[int]:
    """Return the key that sounds at the beginning of every step: 1 to 88, or 0 for silence.

    Step k begins k *step* seconds after the beginning of the file. Of several notes the highest
    counts. The last step is the last one that begins before all notes have ended. Example: notes
    that end at 1.0 s have the steps 0, 1 and 2 of 0.4 s, which begin at 0, 0.4 and 0.8 s.

    Args:
        notes: at least one.
        step: length of a step, in seconds.

    Raises:
        MidiError: a pitch is not on a piano, no note sounds at a step, or there are too many steps.
    """
    for note in notes:
        if not 1 <= key_of(note.pitch) <= KEYS:
            lowest, highest = pitch_of(1), pitch_of(KEYS)
            raise MidiError(
                f"pitch {note.pitch} is not on a piano (MIDI numbers {lowest} to {highest})"
            )
    length = ceil(max(note.end for note in notes) / step)
    if length > MAX_STEPS:
        raise MidiError(f"{length:,} steps long; {MAX_STEPS:,} is the most")
    keys = np.full(length, SILENCE)
    for note in notes:
        # Steps k with start <= k step < end.
        sounding = keys[ceil(note.start / step) : ceil(note.end / step)]
        np.maximum(sounding, key_of(note.pitch), out=sounding)
    if not keys.any():
        raise MidiError(f"no note sounds at the beginning of a step of {float(step):g} s")
    return keys.tolist()


def fill(keys: Sequence[int], silence: str) -> list[int]:
    """Return a tune in which the silent steps are filled, kept or left out.

    Args:
        keys: 1 to 88, or 0 for silence, one for each step.
        silence: "hold": a silent step takes the key before it, and one before the first note takes
            the first key; "rest": a silent step stays 0; "drop": it is left out.

    Example: ``0 5 0 7`` becomes ``5 5 5 7`` with "hold" and ``5 7`` with "drop".
    """
    if silence == "rest":
        return list(keys)
    if silence == "drop":
        return [key for key in keys if key != SILENCE]
    return hold(np.array([keys]))[0].tolist()


def windows(keys: Sequence[int], size: int) -> list[tuple[int, ...]]:
    """Return the consecutive pieces of *size* steps; the steps left at the end are not used.

    Example: 70 steps are two windows of 32, steps 0 to 31 and 32 to 63; the last 6 are not used.
    """
    return [tuple(keys[i : i + size]) for i in range(0, len(keys) - size + 1, size)]
