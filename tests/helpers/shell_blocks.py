"""The shell blocks of the documentation: which there are, and what a comment says about them.

A block is fenced, or indented by four spaces, and has a line that begins with a program. A comment
right above it may say why it is not run where all others are:

    <!-- shell: run by tests/FILE.py -->          another test runs it
    <!-- shell: not run: REASON -->               it needs what a test does not have
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

PROGRAM = re.compile(
    r"(?:[A-Z_]+=\S+ +)*"  # variables
    r"(?:make|pip|python|fairseq-[\w-]+|torchrun|srun|echo|examples/\S+|tensorboard|apt-get)\s"
)
COMMENT = re.compile(r"<!-- shell: (?:run by (?P<by>\S+)|not run: (?P<reason>.*?)) -->")


class Block(NamedTuple):
    """A block of commands in a page."""

    page: str  # its path in the repository
    line: int  # of the block's first line
    text: str
    run_by: str  # the test that runs it; empty: the common one
    reason: str  # why no test runs it; empty: one does

    @property
    def name(self) -> str:
        """The block's place."""
        return f"{self.page}:{self.line}"


def find(root: Path, page: Path) -> Iterator[Block]:
    """Yield the shell blocks of *page*, a file below *root*, in their order."""
    comment = ""
    for line, text in _blocks(page.read_text(encoding="utf-8").splitlines()):
        if not text or text.startswith("<!--"):  # words between a comment and a block part them
            comment = text
            continue
        found = COMMENT.fullmatch(comment)
        comment, text = "", dedent(text)
        if any(PROGRAM.match(each) for each in text.splitlines()):
            by, reason = (found["by"] or "", found["reason"] or "") if found else ("", "")
            yield Block(page.relative_to(root).as_posix(), line, text, by, reason)


def _blocks(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Yield (number of the first line, text) of code blocks and of comments about them.

    The text of anything else is empty.
    """
    block: list[str] = []
    first, fence = 0, False
    for number, line in enumerate([*lines, "end"], start=1):
        if line.startswith("```"):
            if fence:
                yield first, "\n".join(block)
            fence, block, first = not fence, [], number + 1
        elif fence:
            block.append(line)
        elif line.startswith("    ") or (block and not line):
            block, first = [*block, line[4:]], first if block else number
        else:
            if block:
                yield first, "\n".join(block).rstrip()
            block = []
            if line:
                yield number, line if line.startswith("<!-- shell:") else ""
