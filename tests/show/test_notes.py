"""fairseq_seqgan/show/notes.py: piano keys and notes."""

import pytest

from fairseq_seqgan.show.notes import KEYS, Note, key_of, notes, piano_keys, pitch_of
from fairseq_seqgan.support.errors import InputError


def test_keys_and_pitches():
    assert [pitch_of(key) for key in (1, 40, 49, 88)] == [21, 60, 69, 108]
    assert [key_of(pitch_of(key)) for key in range(1, KEYS + 1)] == list(range(1, KEYS + 1))


def test_notes_are_held():
    assert notes([50, 50, 0, 50, 52, 0, 0]) == [Note(50, 0, 2), Note(50, 3, 1), Note(52, 4, 1)]
    assert notes([0, 0]) == []


@pytest.mark.parametrize("token", ["89", "-1", "1.5", "C4", "１", "<unk>", "1000"])
def test_other_tokens_are_not_pitches(token):
    with pytest.raises(InputError, match=r"f, line 3: '.*' is not a pitch \(1 to 88"):
        piano_keys(["1", token, "88"], "f, line 3")
    assert piano_keys(["1", "0", "88"], "") == [1, 0, 88]
