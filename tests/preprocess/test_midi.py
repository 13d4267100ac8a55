"""preprocess/midi.py and melody.py: notes in exact time, and one pitch a step."""

import io
from fractions import Fraction

import mido
import pytest
from fairseq_seqgan.preprocess.midi import MidiError, read_notes
from helpers.raw_data import midi

from fairseq_seqgan.preprocess import melody

STEP = Fraction("0.4")
# Steps of 0.4 s at 120 beats a minute and 480 ticks a beat.
TUNE = [(0, 383, 60), (384, 1151, 62), (1152, 1535, 64)]


def notes(file, **options):
    """Return (start, end, pitch) of the notes in *file*, in seconds."""
    data = io.BytesIO()
    file.save(file=data)
    return [tuple(note) for note in read_notes(data.getvalue(), **options)]


def keys(file, step=STEP, **options):
    data = io.BytesIO()
    file.save(file=data)
    return melody.sample(read_notes(data.getvalue(), **options), step)


# --- time


def test_no_tempo_event_means_120_beats_a_minute():
    assert notes(midi([(480, 960, 60)])) == [(Fraction(1, 2), 1, 60)]
    assert keys(midi(TUNE)) == [40, 42, 42, 44]


@pytest.mark.parametrize("division", [24, 96, 480, 960, 32767])
def test_divisions(division):
    assert notes(midi([(division, 2 * division, 60)], division=division)) == [
        (Fraction(1, 2), 1, 60)
    ]


@pytest.mark.parametrize("form", [0, 1])
def test_tempo_changes_are_honoured_to_the_tick(form):
    """One beat of 0.5 s, two of 0.25 s, then 1 s each; the change cuts the note in two."""
    tempos = [(480, 250_000), (1440, 1_000_000)]
    file = midi([(240, 960, 60), (960, 1920, 62)], tempos=tempos, form=form)
    quarter = Fraction(1, 4)
    assert notes(file) == [(quarter, 3 * quarter, 60), (3 * quarter, 2, 62)]
    assert notes(file, ignore_tempo=True) == [(quarter, 1, 60), (1, 2, 62)]


def test_last_of_several_tempos_at_once_counts():
    tempos = [(0, 500_000), (0, 250_000)]
    assert notes(midi([(0, 480, 60)], tempos=tempos, form=1)) == [(0, Fraction(1, 4), 60)]


def test_tempo_in_any_track_is_that_of_all():
    file = midi([(0, 960, 60)], [(0, 10, 40)], form=1)
    file.tracks[2].insert(0, mido.MetaMessage("set_tempo", tempo=250_000))
    assert notes(file) == [(0, Fraction(1, 2), 60)]


def test_mido_agrees_on_the_length():
    tempos = [(100, 333_333), (1000, 444_444), (1500, 700_001)]
    file = midi([(0, 2345, 60)], tempos=tempos, form=1)
    assert float(notes(file)[0][1]) == pytest.approx(file.length, rel=1e-12)


@pytest.mark.parametrize(
    ("frames", "rate"), [(24, 24), (25, 25), (29, Fraction(30000, 1001)), (30, 30)]
)
def test_smpte_divisions_are_honoured_and_know_no_tempo(frames, rate):
    division = -(frames << 8) | 40
    file = midi([(80, 400, 60)], division=division, tempos=[(0, 100_000)], form=1)
    assert notes(file) == [(2 / Fraction(rate), 10 / Fraction(rate), 60)]


# --- notes


def test_melody_is_the_first_track_with_notes():
    file = midi([], [(0, 480, 72)], [(0, 480, 48)], form=1)
    assert [pitch for *_, pitch in notes(file)] == [72]
    assert [pitch for *_, pitch in notes(file, track=3)] == [48]


def test_single_track_of_format_0():
    file = midi(TUNE)
    assert (file.type, len(file.tracks)) == (0, 1)
    assert [pitch for *_, pitch in notes(file)] == [60, 62, 64]


def test_percussion_is_no_melody():
    file = midi([(0, 480, 36, 9)], [(0, 480, 72)], form=1)
    assert [pitch for *_, pitch in notes(file)] == [72]
    with pytest.raises(MidiError, match="no melody: no notes"):
        notes(midi([(0, 480, 36, 9)]))


def test_note_on_without_velocity_ends_a_note():
    track = mido.MidiTrack()
    track.append(mido.Message("note_on", note=60, velocity=64, time=0))
    track.append(mido.Message("note_on", note=60, velocity=0, time=480))
    track.append(mido.Message("note_off", note=60, time=480))  # ends nothing
    file = mido.MidiFile(type=0, ticks_per_beat=480)
    file.tracks.append(track)
    assert notes(file) == [(0, Fraction(1, 2), 60)]


def test_note_that_is_never_ended_sounds_to_the_end_of_its_track():
    file = midi([(0, None, 60), (480, 960, 62)])
    assert sorted(notes(file)) == [(0, 1, 60), (Fraction(1, 2), 1, 62)]


def test_same_pitch_on_two_channels_is_two_notes():
    file = midi([(0, 960, 60, 0), (240, 480, 60, 1)])
    assert sorted(notes(file)) == [(0, 1, 60), (Fraction(1, 4), Fraction(1, 2), 60)]


@pytest.mark.parametrize(
    ("file", "options", "message"),
    [
        (midi([]), {}, "no melody: no notes$"),
        (midi([(100, 100, 60)]), {}, "no melody: no notes$"),
        (midi(TUNE, [], form=1), {"track": 2}, "no notes in track 2"),
        (midi(TUNE, [], form=1), {"track": 3}, "no track 3; it has 3, counted from 0"),
        (midi(TUNE, TUNE, form=2), {}, "MIDI format 2"),
        (midi(TUNE, division=0), {}, "the ticks in a beat, is 0"),
        (midi(TUNE, division=-(23 << 8) | 4), {}, r"\(23 frames a second, 4 ticks a frame\)"),
        (midi(TUNE, division=-(25 << 8)), {}, "0 ticks a frame"),
        (midi(TUNE, tempos=[(5, 0)], form=1), {}, "a tempo of 0"),
    ],
)
def test_files_without_a_melody_say_why(file, options, message):
    with pytest.raises(MidiError, match=message):
        notes(file, **options)


@pytest.mark.parametrize("data", [b"", b"MThd", b"RIFF" + bytes(100), b"<html></html>"])
def test_what_is_no_midi_file(data):
    with pytest.raises(MidiError, match="not a MIDI file, or a broken one"):
        read_notes(data)


def test_truncated_file_is_broken_wherever_it_ends():
    file = io.BytesIO()
    midi(TUNE).save(file=file)
    whole = file.getvalue()
    for size in range(len(whole)):
        with pytest.raises(MidiError):
            read_notes(whole[:size])


# --- steps


def test_steps_sample_what_sounds_at_their_beginning():
    """At 0.4 s the first note has just ended, and the third has just begun."""
    tune = [(0, 384, 60), (100, 200, 90), (384, 385, 62), (700, 768, 65), (768, 1100, 64)]
    assert keys(midi(tune)) == [40, 42, 44]


def test_highest_of_several_notes_counts():
    tune = [(0, 1535, 60), (384, 767, 55), (384, 1151, 67), (768, 1151, 66)]
    assert keys(midi(tune)) == [40, 47, 47, 40]


def test_silence_before_and_between_but_not_behind():
    tune = [(384, 767, 60), (1536, 1919, 62)]
    assert keys(midi(tune)) == [0, 40, 0, 0, 42]


def test_step_can_be_set():
    assert keys(midi(TUNE), Fraction("0.2")) == [40, 40, 42, 42, 42, 42, 44, 44]
    assert keys(midi(TUNE), Fraction(1)) == [40, 42]


def test_all_keys_of_a_piano_and_no_other():
    assert keys(midi([(0, 383, 21), (384, 767, 108)])) == [1, 88]
    for pitch in (20, 109):
        with pytest.raises(MidiError, match=f"pitch {pitch} is not on a piano"):
            keys(midi([(0, 383, pitch)]))


def test_notes_between_two_steps_are_no_tune():
    """At 0.4 s a step and 384 ticks a second: one note that begins and ends within a step."""
    with pytest.raises(MidiError, match="no note sounds at the beginning of a step"):
        keys(midi([(10, 30, 60)]))


def test_file_of_days_is_broken():
    with pytest.raises(MidiError, match=r"steps long; 100,000 is the most"):
        keys(midi([(0, 0x0FFFFFFF, 60)]))


@pytest.mark.parametrize(
    ("silence", "expected"),
    [
        ("hold", [5, 5, 5, 5, 7, 7, 3]),
        ("rest", [0, 0, 5, 0, 7, 0, 3]),
        ("drop", [5, 7, 3]),
    ],
)
def test_what_becomes_of_silence(silence, expected):
    assert melody.fill([0, 0, 5, 0, 7, 0, 3], silence) == expected


def test_windows_do_not_overlap():
    assert melody.windows(range(10), 3) == [(0, 1, 2), (3, 4, 5), (6, 7, 8)]
    assert melody.windows(range(3), 3) == [(0, 1, 2)]
    assert melody.windows(range(2), 3) == []
