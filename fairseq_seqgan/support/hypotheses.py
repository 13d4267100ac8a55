"""The samples in what ``fairseq-generate`` printed: its lines ``H-<id>``, score, text.

The fields are separated by tabs. fairseq prints batches, so the lines do not come in the order of
the ids: ``H-7<tab>-1.52<tab>a b c`` may be the first one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

_BEGINNING = re.compile(r"H-(\d+)\t")


class Hypothesis(NamedTuple):
    """One sample."""

    id: int  # of the sentence for which it was generated, from 0
    line: int  # its line number in the text, from 1
    text: str  # its words, separated by spaces; may be empty


def parse(lines: Iterable[str]) -> list[Hypothesis]:
    """Return the samples in *lines* in the order of their ids; empty if no line holds one.

    Several samples of one id keep their order. A line may end in a line feed.

    Raises:
        ValueError: a line begins with ``H-<id>`` and has fewer than three fields; the message
            begins with its number, such as ``line 4: ...``.
    """
    found = []
    for number, line in enumerate(lines, start=1):
        match = _BEGINNING.match(line)
        if match is None:
            continue
        fields = line.removesuffix("\n").split("\t", 2)
        if len(fields) < 3:
            raise ValueError(f"line {number}: not H-<id>, score and text between tabs")
        found.append(Hypothesis(int(match[1]), number, fields[2]))
    return sorted(found, key=lambda hypothesis: hypothesis.id)  # stable
