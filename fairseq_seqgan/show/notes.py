"""How samples look and sound to people: sentences, poems of four lines, tunes.

A sample comes as tokens, one string each. A tune is a list of keys of the piano, one for every step
of equal length: 1 is the lowest A, 49 the A of 440 Hz, 88 the highest C, and 0 is silence.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from ..support.errors import InputError

KEYS = 88
STEP_SECONDS = 0.4  # between two pitches of the paper's music
LOWEST_PITCH = 21  # MIDI number of key 1; key 49 is MIDI's 69, the A of 440 Hz

_PUNCTUATION = "，。，。"
_POEMS = {20: 5, 24: 6, 28: 7, 32: 8}  # tokens of a quatrain: tokens of a line
_RARE = re.compile(r"<.+>|\[.+\]")  # such as <R> and <unk>
_LACUNA = "□"


def sentence(tokens: Sequence[str]) -> str:
    """Return a sentence as one line; pieces of sentencepiece (with ▁) become words again."""
    if any("▁" in token for token in tokens):
        return "".join(tokens).replace("▁", " ").strip()
    return " ".join(tokens)


def poem_lines(tokens: Sequence[str], where: str) -> list[str]:
    """Return a quatrain as four lines without spaces.

    A poem of 20 or 28 tokens gets its punctuation here (，。，。); one of 24 or 32 brings its
    own. A symbol for a rare word, such as ``<unk>``, is shown as the sign of a lacuna, □.

    Raises:
        InputError: another number of tokens, or a token that is no character; it names *where*.
    """
    width = _POEMS.get(len(tokens))
    if width is None:
        raise InputError(
            f"{where}: {len(tokens)} tokens; a poem has 20 or 28, or 24 or 32 with punctuation, "
            "with spaces between them"
        )
    characters = [_character(token, where) for token in tokens]
    lines = ["".join(characters[i : i + width]) for i in range(0, len(characters), width)]
    if len(tokens) in (20, 28):
        lines = [line + mark for line, mark in zip(lines, _PUNCTUATION, strict=True)]
    return lines


def _character(token: str, where: str) -> str:
    if _RARE.fullmatch(token):
        return _LACUNA
    character = unicodedata.normalize("NFC", token)
    if len(character) != 1:
        raise InputError(f"{where}: '{token}' is not one character, as in a poem")
    return character


def piano_keys(tokens: Sequence[str], where: str) -> list[int]:
    """Return a tune's keys, 1 to 88, or 0 for a silent step.

    Raises:
        InputError: there is no token, or one is no such number; it names *where*.
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


class Note(NamedTuple):
    """A key that is held, in steps."""

    key: int  # 1 to 88
    start: int
    steps: int


def notes(keys: Sequence[int]) -> list[Note]:
    """Return what is played: the same key in consecutive steps is one note, 0 is none."""
    found, start = [], 0
    for key, group in groupby(keys):
        steps = len(list(group))
        if key:
            found.append(Note(key, start, steps))
        start += steps
    return found
