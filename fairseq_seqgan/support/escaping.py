"""Text from a user's files, made safe for where it is shown: a terminal, or a Markdown page.

A sample, a label or a file name may hold anything: an escape sequence that clears the terminal, a
pipe that breaks a table, a tag that a browser runs. Whatever prints or writes such text uses this
module. It imports nothing of the package, so that the examples can load it alone.
"""

from __future__ import annotations

import re
import unicodedata

_JOINERS = "\u200c\u200d"  # invisible, and part of the spelling of several languages

# What Markdown or HTML give a meaning, wherever it stands in a line.
_SPECIAL = re.compile(r"[\\`*{}\[\]<>#|~$&]|(?<!\w)_|_(?!\w)")
# What has a meaning only at the beginning: items of lists, the lines under headings.
_FIRST = re.compile(r"^(\d{0,9})([-+.)](?=\s|$)|[-=](?=[-=\s]*$))")
# What GitHub turns into a link.
_LINK = re.compile(r"(?<=:)(?=//)|(?<=\bwww)(?=\.)|(?=@)", re.I)


class Markdown(str):
    """Text that is Markdown already, such as a table; :func:`markdown` leaves it as it is."""

    __slots__ = ()


def visible(text: object) -> str:
    r"""Return *text* on one line, with what cannot be seen spelled out.

    Example: an escape character becomes the four characters ``\x1b``, a line feed ``\n``.
    """
    return "".join(c if _is_seen(c) else c.encode("unicode_escape").decode() for c in str(text))


def _is_seen(character: str) -> bool:
    if character.isprintable() or character in _JOINERS:
        return True
    return unicodedata.category(character) == "Zs"  # a space of another width


def markdown(text: object) -> str:
    r"""Return *text* as Markdown that shows it as it is, in a paragraph, a list or a table.

    Example: ``a|b <i>`` becomes ``a\|b \<i\>``. A :class:`Markdown` is returned unchanged.
    """
    if isinstance(text, Markdown):
        return text
    escaped = _SPECIAL.sub(r"\\\g<0>", visible(text).strip())
    escaped = _FIRST.sub(r"\1\\\2", escaped)
    return _LINK.sub(r"\\", escaped)


def markdown_code(text: object) -> Markdown:
    """Return *text* as a code span, in which nothing but its end has a meaning; not for tables."""
    shown = visible(text)
    longest = max(map(len, re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    # A space at either end is taken off if it is at both.
    space = " " if longest or shown.startswith(" ") or not shown.strip() else ""
    return Markdown(f"{fence}{space}{shown}{space}{fence}")
