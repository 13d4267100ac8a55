"""Cleaning the transcript of a speech: characters, speaker labels, stage directions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import ftfy

SPEECH_BREAK = 4  # empty lines in succession between two speeches; paragraphs have fewer


class Paragraph(NamedTuple):
    """A line of text in the transcript."""

    line: int  # its number in the file
    speech: int  # number of the speech, from 0
    text: str


def paragraphs(lines: list[str]) -> list[Paragraph]:
    """Return the *lines* that carry text, without the white space around it."""
    found: list[Paragraph] = []
    speech, blank = 0, 0
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            blank += 1
            continue
        if found and blank >= SPEECH_BREAK:
            speech += 1
        blank = 0
        found.append(Paragraph(number, speech, text))
    return found


# --- characters

# An ellipsis and closing quotation marks that a wrong encoding turned into ¼, ² and ¹ before the
# file was made. Behind a number or a unit these signs are meant.
_WRONGLY_DECODED = (
    (re.compile(r"(?<=[^\s\d])¼"), "..."),
    (re.compile(r"(?<=[.,;:!?\"'])²"), '"'),
    (re.compile(r"(?<=[.,;:!?\"'])¹"), "'"),
)
_FIXES = ftfy.TextFixerConfig(unescape_html=True, uncurl_quotes=True, normalization="NFC")


def normalise(text: str) -> str:
    """Return *text* in NFC with straight quotes, ``...``, `` -- `` for dashes, single spaces.

    Broken encodings (U+0092 for an apostrophe) are repaired by ftfy.
    """
    text = ftfy.fix_text(text, _FIXES)
    for wrong, right in _WRONGLY_DECODED:
        text = wrong.sub(right, text)
    text = text.replace("…", "...")
    # White space first: a search at each of n spaces would take n ** 2 steps.
    text = re.sub(r" ?[–—―] ?", _dash, " ".join(text.split()))
    return " ".join(text.split())


def _dash(match: re.Match) -> str:
    """Return `` -- ``, or a hyphen between two digits, as in the range 1999-2004."""
    before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    return "-" if before.isdigit() and after.isdigit() else " -- "


# --- speaker labels

_NAME = r"[A-Z][\w.'-]*"
_LABEL = re.compile(rf"({_NAME}(?: {_NAME}){{0,3}}):\s*")  # "President Obama: "
_TITLES = (
    "President Senator Governor Mayor Secretary Minister Chancellor Chairman Congressman "
    "Representative Speaker Chaplain General Admiral Justice Judge Reverend Pastor Mr. Mrs. Ms. Dr."
).split()
_ROLES = "Question Answer Audience Student Moderator Reporter Interviewer Host Member Members"
_SPEAKING = frozenset((*_TITLES, *_ROLES.split()))
_OFTEN = 5


def speakers(texts: Iterable[str]) -> set[str]:
    """Return the labels, up to four capitalised words before a colon, that name a speaker.

    A label names a speaker if it is in capitals, holds a title or role, or opens at least 5
    paragraphs. "Second:" and "America:" open fewer.
    """
    counts = Counter(match[1] for text in texts if (match := _LABEL.match(text)))
    return {
        label
        for label, count in counts.items()
        if label == label.upper() or count >= _OFTEN or not _SPEAKING.isdisjoint(label.split())
    }


def remove_label(text: str, labels: set[str]) -> str:
    """Return *text* without the speaker at its beginning; what was said stays."""
    match = _LABEL.match(text)
    return text[match.end() :] if match and match[1] in labels else text


# --- stage directions

# Words for sounds, and, in square brackets only, for scenes and remarks on the transcript.
_SOUNDS = (
    "applause applauds cheers cheering boos booing laughs laughter laughing inaudible "
    "unintelligible crosstalk cross.talk chant chants chanting sings singing"
)
_SCENES = (
    "audience music video tape photo toast teleprompters enter enters exit exits presented pause "
    "silence interrupts interruption beep click sic ph"
)
_HEARD, _SEEN = (
    re.compile(rf"\b(?:{words.replace(' ', '|')})\b", re.I)
    for words in (_SOUNDS, f"{_SOUNDS} {_SCENES}")
)
_EMPTY = re.compile(r"\(\s{0,9}\)|\[\s{0,9}\]")
_DEPTH = 3  # of brackets in brackets
_BRACKETS = re.compile(r"\(([^()\[\]]{1,200})\)|\[([^()\[\]]{1,200})\]")


def remove_notes(text: str) -> tuple[str, int]:
    """Return *text* without bracketed notes on what happened, and how many there were.

    A note holds a word such as "applause" and not the word "I". Other round brackets are speech and
    stay. Other square brackets are an editor's insertions, as in ``customer[s]``: the brackets go
    and the text stays.
    """
    removed = 0

    def replace(match: re.Match) -> str:
        nonlocal removed
        spoken, edited = match[1], match[2]
        inside = spoken or edited
        if (_HEARD if spoken else _SEEN).search(inside) and not re.search(r"\bI\b", inside):
            removed += 1
            return " "
        return match[0] if spoken else edited

    for _ in range(_DEPTH):  # the innermost brackets first
        text = _BRACKETS.sub(replace, text)
        text = _EMPTY.sub(" ", text)  # [(Applause.)] has become [ ]
    return " ".join(text.split()), removed
