"""Reading the notes of a MIDI file, in exact time."""

from __future__ import annotations

import io
from bisect import bisect_right
from collections import defaultdict
from fractions import Fraction
from typing import NamedTuple

import mido

DRUMS = 9  # the channel of percussion, "10" to musicians
_DEFAULT_TEMPO = mido.bpm2tempo(120)  # microseconds in a beat


class MidiError(ValueError):
    """A MIDI file cannot be used; the message says why and does not name the file."""


class Note(NamedTuple):
    """A note that sounds from *start* up to, but not including, *end*, in seconds."""

    start: Fraction
    end: Fraction
    pitch: int  # MIDI's number; 60 is middle C


def read_notes(data: bytes, track: int | None = None, ignore_tempo: bool = False) -> list[Note]:
    """Return the notes of one track of a MIDI file, without percussion.

    Args:
        data: content of a file of format 0 or 1.
        track: number of the track, from 0; None: the first track that has notes.
        ignore_tempo: take 120 beats a minute, whatever the file says. A file that divides SMPTE
            frames has no beats, so its notes stay the same.

    Raises:
        MidiError: the file cannot be read, is of format 2, or has no notes in that track.
    """
    try:
        file = mido.MidiFile(file=io.BytesIO(data))
    except Exception as error:  # a broken file makes mido fail in any way
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise MidiError(f"not a MIDI file, or a broken one ({reason})") from error
    if file.type == 2:
        raise MidiError("MIDI format 2, whose tracks are independent pieces; 0 and 1 can be read")
    clock = _Clock(file, ignore_tempo)
    if track is None:
        every = (_notes(messages, clock) for messages in file.tracks)
        notes = next((notes for notes in every if notes), [])
    elif track < len(file.tracks):
        notes = _notes(file.tracks[track], clock)
    else:
        raise MidiError(f"no track {track}; it has {len(file.tracks)}, counted from 0")
    if not notes:
        raise MidiError("no melody: no notes" + ("" if track is None else f" in track {track}"))
    return notes


class _Clock:
    """Converts ticks from the start of a file to seconds; tempo changes count."""

    def __init__(self, file: mido.MidiFile, ignore_tempo: bool) -> None:
        division = file.ticks_per_beat
        if division == 0:
            raise MidiError("its division, the ticks in a beat, is 0")
        changes = [(0, _DEFAULT_TEMPO)]
        if division > 0 and not ignore_tempo:
            for track in file.tracks:  # a tempo change in one track holds for all
                tick = 0
                for message in track:
                    tick += message.time
                    if message.type == "set_tempo":
                        if message.tempo == 0:
                            raise MidiError("a tempo of 0 microseconds a beat")
                        changes.append((tick, message.tempo))
            changes.sort(key=lambda change: change[0])  # stable: of several at once the last counts
        # Piece i of the file begins at these ticks and seconds; a tick lasts rate i there.
        self._ticks = [0]
        self._seconds = [Fraction(0)]
        self._rates = [_rate(division, changes[0][1])]
        for tick, tempo in changes[1:]:
            self._seconds.append(self.seconds(tick))
            self._ticks.append(tick)
            self._rates.append(_rate(division, tempo))

    def seconds(self, tick: int) -> Fraction:
        """Return the time of *tick*, in seconds from the start of the file."""
        i = bisect_right(self._ticks, tick) - 1
        return self._seconds[i] + (tick - self._ticks[i]) * self._rates[i]


def _rate(division: int, tempo: int) -> Fraction:
    """Return how long a tick lasts, in seconds; *tempo* is in microseconds a beat."""
    if division > 0:
        return Fraction(tempo, division * 1_000_000)
    # SMPTE: the high byte is minus the frames in a second, the low byte the ticks in a frame.
    frames, ticks = -(division >> 8), division & 0xFF
    if frames not in (24, 25, 29, 30) or ticks == 0:
        raise MidiError(
            f"its division ({frames} frames a second, {ticks} ticks a frame) is not valid"
        )
    rate = Fraction(30_000, 1001) if frames == 29 else Fraction(frames)
    return 1 / (rate * ticks)


def _notes(track: mido.MidiTrack, clock: _Clock) -> list[Note]:
    """Return the notes of *track*; a note that is never switched off ends with the track."""
    notes = []
    sounding: dict[tuple[int, int], list[int]] = defaultdict(list)
    tick = 0

    def end(start: int, pitch: int) -> None:
        if tick > start:
            notes.append(Note(clock.seconds(start), clock.seconds(tick), pitch))

    for message in track:
        tick += message.time
        if message.type not in ("note_on", "note_off") or message.channel == DRUMS:
            continue
        starts = sounding[message.channel, message.note]
        if message.type == "note_on" and message.velocity > 0:
            starts.append(tick)
        elif starts:
            end(starts.pop(0), message.note)
    for (_, pitch), starts in sounding.items():
        for start in starts:
            end(start, pitch)
    return notes
