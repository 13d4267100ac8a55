"""Which items a page shows, in which order, under which ids.

A source is the human-made data, called ``real``, or a system. A page must not reveal the source of
an item, so order and ids are random. They are drawn from the seed and all items together: the seed
alone, without the files, does not give them away.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..show.notes import piano_keys
from ..show.text import poem_lines, sentence
from ..support.errors import InputError

REAL = "real"
KINDS = ("text", "poem", "music")

Content = str | tuple[str, ...] | tuple[int, ...]  # of a text, a poem, a tune


class Item(NamedTuple):
    """A sample as it is shown."""

    line: int  # in its file, from 1
    content: Content


class Shown(NamedTuple):
    """An item on the page, with its source, which the page does not name."""

    id: str  # random
    content: Content
    source: str
    line: int


def parse(kind: str, text: str, where: str, characters: bool) -> Content | None:
    """Return the content of an item from a line of text, or None for a line without tokens.

    *characters* says whether the tokens of all sources are characters: a word alone would not tell.

    Raises:
        InputError: the line is not a poem, or not a tune; the message names *where*.
    """
    tokens = text.split()
    if not tokens:
        return None
    if kind == "poem":
        return tuple(poem_lines(tokens, where))
    if kind == "music":
        return tuple(piano_keys(tokens, where))
    return sentence(tokens, characters)


def distinguishable(
    sources: Mapping[str, Sequence[Item]],
) -> tuple[dict[str, list[Item]], list[str]]:
    """Return the different items of every source, and notes on those left out.

    A repetition inside a source is left out. An item that two sources share is left out of both: a
    verdict on it would not tell them apart.
    """
    different = {name: _first_of_each(items) for name, items in sources.items()}
    notes = [
        f"{_count(len(sources[name]) - len(items), 'repeated item')} in {name} left out"
        for name, items in different.items()
        if len(items) < len(sources[name])
    ]
    owners: dict[Content, list[str]] = {}
    for name, items in different.items():
        for item in items:
            owners.setdefault(item.content, []).append(name)
    shared = Counter(tuple(names) for names in owners.values() if len(names) > 1)
    for names, count in shared.items():
        verb = "is" if count == 1 else "are"
        notes.append(f"{_count(count, 'item')} that {verb} in {' and '.join(names)} left out")
    left = {
        name: [item for item in items if len(owners[item.content]) == 1]
        for name, items in different.items()
    }
    return left, notes


def _first_of_each(items: Sequence[Item]) -> list[Item]:
    first: dict[Content, Item] = {}
    for item in items:
        first.setdefault(item.content, item)
    return list(first.values())


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def draw(sources: Mapping[str, Sequence[Item]], per_source: int, seed: int) -> list[Shown]:
    """Return *per_source* items of each source, shuffled, with random ids.

    The sources are as :func:`distinguishable` returns them. The same ones and the same seed give
    the same result.

    Raises:
        InputError: a source has fewer items; the message names it.
    """
    for name, items in sources.items():
        if len(items) < per_source:
            raise InputError(
                f"{name}: {_count(len(items), 'different item')} that no other source has; "
                f"--per-source {per_source} is more"
            )
    everything = json.dumps([seed, sources]).encode()
    rng = random.Random(hashlib.sha256(everything).digest())
    drawn = [
        (item, name) for name, items in sources.items() for item in rng.sample(items, per_source)
    ]
    rng.shuffle(drawn)
    ids: dict[str, None] = {}  # a set that keeps the order
    while len(ids) < len(drawn):
        ids[f"{rng.getrandbits(32):08x}"] = None
    return [
        Shown(name, item.content, source, item.line)
        for name, (item, source) in zip(ids, drawn, strict=True)
    ]
