"""Reading a line of text as a Chinese quatrain: four lines of five or seven characters."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

import regex
from fairseq_seqgan.preprocess.common.dataset import SPECIAL_SYMBOLS

FORMS = (5, 7)  # characters in a line
_LINES = 4
_TOKEN = re.compile(r"<[^<>\s]+>|\t|\S")  # a rare token such as <R>, a line's end, a character
_HAN = regex.compile(r"\p{Han}")


class Quatrain(NamedTuple):
    """A poem of four lines of equal length."""

    lines: tuple[tuple[str, ...], ...]  # 4 lines of n characters
    marks: tuple[str, ...]  # the punctuation behind each line; "" where there is none

    @property
    def form(self) -> int:
        """Characters in a line."""
        return len(self.lines[0])

    def tokens(self, keep_punctuation: bool = False) -> list[str]:
        """Return the poem as 4 n tokens, or with *keep_punctuation* as 4 (n + 1)."""
        if keep_punctuation:
            pairs = zip(self.lines, self.marks, strict=True)
            return [token for line, mark in pairs for token in (*line, mark)]
        return [token for line in self.lines for token in line]


class NoQuatrainError(ValueError):
    """A line of text is not a quatrain; the message says why and fits behind "3 lines"."""


def parse(text: str) -> Quatrain:
    """Return the quatrain in a line of *text*.

    A line of the poem ends with punctuation or a tab. Without either, 20 or 28 characters are
    divided into four equal lines. Spaces between characters are ignored.

    Raises:
        NoQuatrainError: a sign is not a Han character, or the poem is not four lines of 5 or 7.
    """
    lines, marks = _lines(unicodedata.normalize("NFC", text))
    if len(lines) == 1 and len(lines[0]) in [_LINES * form for form in FORMS]:
        form = len(lines[0]) // _LINES
        lines = [lines[0][i : i + form] for i in range(0, len(lines[0]), form)]
        marks = ["", "", "", marks[0]]
    if len(lines) != _LINES:
        raise NoQuatrainError("without four lines")
    if len({len(line) for line in lines}) > 1:
        raise NoQuatrainError("with lines of unequal length")
    if len(lines[0]) not in FORMS:
        raise NoQuatrainError("with lines of neither 5 nor 7 characters")
    return Quatrain(tuple(map(tuple, lines)), tuple(marks))


def han_characters(text: str) -> set[str]:
    """Return the Han characters in *text*."""
    return set(_HAN.findall(text))


def _lines(text: str) -> tuple[list[list[str]], list[str]]:
    """Return the lines of a poem and the punctuation behind each."""
    lines: list[list[str]] = [[]]
    marks = [""]
    ended = False
    for token in _TOKEN.findall(text):
        if token == "\t" or _is_punctuation(token):
            ended = bool(lines[-1])
            if ended and token != "\t":
                marks[-1] = marks[-1] or token
            continue
        if token in SPECIAL_SYMBOLS:
            raise NoQuatrainError(f"with {token}, which means something else to fairseq")
        if len(token) == 1 and not _HAN.fullmatch(token):
            raise NoQuatrainError("with a lacuna (□) or another sign that is no Han character")
        if ended:
            lines.append([])
            marks.append("")
            ended = False
        lines[-1].append(token)
    return lines, marks


def _is_punctuation(token: str) -> bool:
    return len(token) == 1 and unicodedata.category(token).startswith("P")
