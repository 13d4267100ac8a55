"""Samples of text as people read them: a sentence on one line, a poem on four.

A sample is a list of tokens, one string each.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from ..support.errors import InputError

_PUNCTUATION = "，。，。"  # behind the four lines of a poem that has none
_LINE_WIDTHS = {20: 5, 24: 6, 28: 7, 32: 8}  # tokens of a quatrain: tokens of one of its lines
_RARE = re.compile(r"<.+>|\[.+\]")  # a symbol for a rare word, such as <R> or <unk>
_LACUNA = "□"
_SPACE = "▁"  # in the pieces of sentencepiece, and among characters
# Unicode's control and format characters, halves of surrogate pairs, and white space.
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"}


def sentence(tokens: Sequence[str], characters: bool = False) -> str:
    """Return a sentence as one line; pieces of sentencepiece become words again.

    Example: the pieces ``▁walk ing ▁home`` become "walking home". *characters*: the tokens are
    characters (:func:`are_characters`), with no space between them if none is a token.
    """
    if characters or any(_SPACE in token for token in tokens):
        return "".join(tokens).replace(_SPACE, " ").strip()
    return " ".join(tokens)


def sentences(samples: Sequence[Sequence[str]]) -> list[str]:
    """Return each sample as one line; where all tokens are single characters, without spaces.

    Example: ``a n n a`` and ``t o m`` become "anna" and "tom"; ``I am`` keeps its space.
    """
    characters = are_characters(samples)
    return [sentence(tokens, characters) for tokens in samples]


def are_characters(samples: Iterable[Sequence[str]]) -> bool:
    """Return whether all tokens are single characters, as ``--tokenizer char`` makes them."""
    return all(len(token) == 1 for tokens in samples for token in tokens)


def poem_lines(tokens: Sequence[str], where: str) -> list[str]:
    """Return a quatrain as four lines without spaces.

    A poem of 20 or 28 tokens has no punctuation; each line gets its mark here (，。，。). A poem
    of 24 or 32 tokens has its own. A symbol for a rare word, such as ``<unk>``, becomes □, the sign
    of a lacuna.

    Args:
        tokens: one character each, or a symbol for a rare word.
        where: names the sample in an error message: a file and its line.

    Raises:
        InputError: the number of tokens is another, or a token is not a character.
    """
    width = _LINE_WIDTHS.get(len(tokens))
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
    if len(character) != 1 or unicodedata.category(character) in _INVISIBLE:
        raise InputError(f"{where}: '{token}' is not one character, as in a poem")
    return character
