"""Tunes as MIDI files and as piano-roll pictures."""

from __future__ import annotations

import io
from collections.abc import Sequence

import mido
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from ..support.errors import InputError
from .notes import STEP_SECONDS, notes, pitch_of

_DIVISION = 480  # MIDI ticks in a quarter note
_TEMPO = mido.bpm2tempo(120)  # microseconds in a quarter note
_MOST_TICKS = 2**28 - 1  # between two events of a MIDI file
_MOST_SECONDS = mido.tick2second(_MOST_TICKS, _DIVISION, _TEMPO)
_VELOCITY = 80  # how hard a key is struck, of 127
_NAMES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
_LEAST_KEYS = 24  # a picture shows at least two octaves, so that small intervals look small


def check_steps(steps: int, step_seconds: float) -> None:
    """Check that a tune of *steps* can be a MIDI file.

    Raises:
        InputError: a step is too short or too long.
    """
    fits = step_seconds <= _MOST_SECONDS  # 1e308 seconds are infinitely many ticks
    ticks = _ticks(step_seconds) if fits else _MOST_TICKS
    if ticks < 1 or ticks * steps > _MOST_TICKS:
        limit = "short" if ticks < 1 else "long"
        raise InputError(f"--step-seconds is {step_seconds:g}: too {limit} for a MIDI file")


def _ticks(step_seconds: float) -> int:
    return round(mido.second2tick(step_seconds, _DIVISION, _TEMPO))


def midi(keys: Sequence[int], step_seconds: float = STEP_SECONDS) -> bytes:
    """Return a tune as a MIDI file of one track (format 0) for a piano.

    Equal keys in a row are one held note. The track lasts as long as all steps together, also if
    the last ones are silent. Equal keys give equal bytes.

    Args:
        keys: 1 to 88, or 0 for silence, one for each step.
        step_seconds: length of a step, in seconds.
    """
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=_TEMPO)])
    track.append(mido.Message("program_change", program=0))
    ticks = _ticks(step_seconds)
    now = 0  # steps
    for note in notes(keys):
        pitch, pause = pitch_of(note.key), (note.start - now) * ticks
        track.append(mido.Message("note_on", note=pitch, velocity=_VELOCITY, time=pause))
        track.append(mido.Message("note_off", note=pitch, velocity=0, time=note.steps * ticks))
        now = note.start + note.steps
    track.append(mido.MetaMessage("end_of_track", time=(len(keys) - now) * ticks))
    buffer = io.BytesIO()
    mido.MidiFile(type=0, ticks_per_beat=_DIVISION, tracks=[track]).save(file=buffer)
    return buffer.getvalue()


def picture(keys: Sequence[int], title: str, step_seconds: float = STEP_SECONDS) -> bytes:
    """Return a tune as a piano roll in a PNG file: time from left to right, pitch upwards.

    The same arguments give the same bytes with the same version of matplotlib.

    Args:
        keys: 1 to 88, or 0 for silence, one for each step.
        title: text above the picture.
        step_seconds: length of a step, in seconds.
    """
    played = notes(keys)
    low = min((note.key for note in played), default=40)
    high = max((note.key for note in played), default=52)
    margin = max(2, (_LEAST_KEYS - (high - low + 1)) // 2)
    figure = Figure(figsize=(8, 3.2), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    axes.set_axisbelow(True)
    for note in played:
        span = (note.start * step_seconds, note.steps * step_seconds)
        axes.broken_barh(
            [span], (note.key - 0.45, 0.9), facecolor="#2b5d7d", edgecolor="white", linewidth=0.8
        )
    axes.set_xlim(0, len(keys) * step_seconds)
    axes.set_ylim(low - margin, high + margin)
    axes.yaxis.set_major_locator(MultipleLocator(12, offset=4))  # every C
    axes.yaxis.set_minor_locator(MultipleLocator(1))
    axes.yaxis.set_major_formatter(lambda key, _: key_name(round(key)))
    axes.tick_params(axis="y", which="minor", length=0)
    axes.grid(which="major", color="0.8")
    axes.grid(which="minor", axis="y", color="0.93")
    axes.set(title=title, xlabel="seconds", ylabel="pitch")
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


def key_name(key: int) -> str:
    """Return the name of a piano key: 1 is A0, 40 the middle C (C4), 88 is C8."""
    pitch = pitch_of(key)
    return f"{_NAMES[pitch % 12]}{pitch // 12 - 1}"
