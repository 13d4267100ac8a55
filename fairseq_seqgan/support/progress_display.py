"""How far work is that takes long: a bar on a terminal, elsewhere a line in the log now and then.

fairseq shows an update when it is done, and an update of G with its rollouts may take minutes. A
bar is drawn where fairseq draws its own. Elsewhere nothing is written until there was no line for
``INTERVAL`` seconds. Only the first of several processes shows anything.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from tqdm import tqdm

from . import distributed

logger = logging.getLogger(__name__)

INTERVAL = 30.0  # seconds between two lines of the log
DELAY = 1.0  # seconds that work takes before its bar is drawn


class _Display:
    """What a process shows."""

    def __init__(self) -> None:
        self.bars = False
        self.where: Callable[[], str] | None = None  # the place in the training
        self.last: float | None = None  # when the last line was written, or the first work began

    def due(self) -> bool:
        """Whether a line is to be written now; it then counts as written."""
        now = time.monotonic()
        if self.last is None:
            self.last = now
        if self.bars or now - self.last < INTERVAL or distributed.rank():
            return False
        self.last = now
        return True


_display = _Display()


def follow(common: Any) -> None:
    """Show bars where fairseq does.

    Args:
        common: fairseq's options of that name.
    """
    chosen = common.log_format or ("simple" if common.no_progress_bar else "tqdm")
    _display.bars = str(chosen) == "tqdm" and sys.stderr.isatty()


def enter(where: Callable[[], str]) -> None:
    """Begin another update; *where* returns its place in the training, in words.

    The place stands before the lines of the work that follows. It is a line of its own if there was
    none for long.
    """
    _display.where = where
    if _display.due():
        logger.info("%s", where())


@contextmanager
def working(what: str, total: int) -> Iterator[Callable[[int], object]]:
    """Show how much of the work in the block is done.

    Args:
        what: the work, as "rollouts".
        total: the size of the work, in a unit in which it passes evenly.

    Yields:
        A function that is called with the size of every part that has been done.
    """
    if not _display.bars:
        yield _Lines(what, total).add
        return
    hidden = distributed.rank() > 0
    with tqdm(
        total=total, desc=what, unit="", unit_scale=True, leave=False, delay=DELAY, disable=hidden
    ) as bar:
        yield bar.update


class _Lines:
    """Writes lines about one piece of work."""

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.done = what, total, 0
        self.begun = time.monotonic()

    def add(self, size: int) -> None:
        """Count a part of the work as done, and say so if a line is due."""
        self.done += size
        if not _display.due() or not self.done:
            return
        passed = time.monotonic() - self.begun
        left = passed * (self.total - self.done) / self.done
        logger.info(
            "%s%s: %.0f%% done after %s, about %s left",
            "" if _display.where is None else f"{_display.where()}; ",
            self.what,
            100 * self.done / self.total,
            clock(passed),
            clock(left),
        )


def clock(seconds: float) -> str:
    """Return *seconds* as hours, minutes and seconds: 0:02:05."""
    return str(timedelta(seconds=round(seconds)))
