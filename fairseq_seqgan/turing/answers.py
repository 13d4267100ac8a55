"""Reading a page's key and the answers that people saved.

Neither file is trusted: its size is limited, and every part of its JSON is checked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..support.errors import InputError
from ..support.reading import MIB, read_bytes
from .items import REAL
from .page import KEY_FORMAT, VERSION

ANSWERS_FORMAT = "turing-test answers"
_VERDICTS = {"human": 1.0, "machine": 0.0}
_LARGEST = 16 * MIB  # bytes of a file


class Key(NamedTuple):
    """Which source every item of a page is from."""

    test: str
    kind: str
    sources: dict[str, str]  # item id: source


class Answers(NamedTuple):
    """What one person answered."""

    path: Path
    session: str  # random; one for each person and browser
    rater: str  # the name that was entered, or ""
    verdicts: dict[str, float]  # item id: 1 for human, 0 for machine


def read_key(path: Path) -> Key:
    """Return the key that was written beside a page.

    Raises:
        InputError: the file cannot be read or is not a key; the message names it.
    """
    found = _read(path, KEY_FORMAT, "a key that turing-test build wrote")
    items = found.get("items")
    if not isinstance(items, dict) or not items:
        raise InputError(f"{path}: names no items")
    sources = {}
    for name, item in items.items():
        source = item.get("source") if isinstance(item, dict) else None
        if not isinstance(source, str) or not source or not source.isprintable():
            raise InputError(f"{path}: item '{_plain(name)}' has no source")
        sources[name] = source
    if REAL not in sources.values() or len(set(sources.values())) < 2:
        raise InputError(f"{path}: has no items of '{REAL}', or of nothing else")
    return Key(str(found.get("test")), str(found.get("kind")), sources)


def read_answers(paths: Sequence[Path], key: Key) -> list[Answers]:
    """Return the answers in *paths*, which belong to the page of *key*.

    Raises:
        InputError: a file cannot be read, belongs to another page, holds something else than
            verdicts on its items, or is from the same person as another file.
    """
    every = [_read_one(path, key) for path in paths]
    seen: dict[tuple[str, str], Path] = {}
    for answers in every:
        who = [("session", answers.session)]
        if answers.rater:
            who.append(("rater", answers.rater.casefold()))
        for mark in who:
            if mark in seen:
                person = f"rater '{answers.rater}'" if answers.rater else "the same person"
                raise InputError(
                    f"{answers.path}: the answers of {person} are in {seen[mark]} already; "
                    "give one file for each person"
                )
            seen[mark] = answers.path
    if not any(answers.verdicts for answers in every):
        raise InputError(f"{', '.join(map(str, paths))}: there is not one answer")
    return every


def ratings(every: Sequence[Answers], key: Key) -> np.ndarray:
    """Return (R, M) ratings: 1 human, 0 machine, NaN no verdict; items in the order of *key*."""
    return np.array(
        [[answers.verdicts.get(item, np.nan) for item in key.sources] for answers in every]
    )


def _read_one(path: Path, key: Key) -> Answers:
    found = _read(path, ANSWERS_FORMAT, "answers that the page saved")
    if found.get("test") != key.test:
        raise InputError(
            f"{path}: answers to another page, {_plain(found.get('test'))}, not to "
            f"{key.test}, which the key belongs to"
        )
    session, rater, answers = (found.get(name) for name in ("session", "rater", "answers"))
    if not isinstance(session, str) or not re.fullmatch("[0-9a-f]{16}", session):
        raise InputError(f"{path}: its session is not the one that the page wrote")
    if not isinstance(rater, str) or not isinstance(answers, dict):
        raise InputError(f"{path}: the rater's name or the answers are missing")
    for item, verdict in answers.items():
        if item not in key.sources:
            raise InputError(f"{path}: '{_plain(item)}' is not an item of the page")
        if not isinstance(verdict, str) or verdict not in _VERDICTS:
            raise InputError(
                f"{path}: the answer to {item} is '{_plain(verdict)}', not human or machine"
            )
    verdicts = {item: _VERDICTS[verdict] for item, verdict in answers.items()}
    return Answers(path, session, _plain(rater).strip(), verdicts)


def _read(path: Path, kind: str, what: str) -> dict[str, Any]:
    """Return the JSON object in *path*, which must name *kind* as its format."""
    try:
        content = read_bytes(path, _LARGEST)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        found = json.loads(content.decode("utf-8-sig"))
        json.dumps(found, ensure_ascii=False).encode("utf-8")  # half a character stops here
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: broken, or not {what} (not UTF-8)") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}: {error.msg}"
        raise InputError(f"{path}: broken, or not {what} ({where})") from error
    except (RecursionError, ValueError) as error:  # nested too deep; a number of too many digits
        raise InputError(f"{path}: broken, or not {what}") from error
    if not isinstance(found, dict) or found.get("format") != kind:
        raise InputError(f"{path}: not {what}")
    if found.get("version") != VERSION:
        raise InputError(
            f"{path}: of version {_plain(found.get('version'))}, this program knows {VERSION}"
        )
    return found


def _plain(value: Any) -> str:
    """Return *value* as text that a terminal can show: one short line, no control characters."""
    return "".join(c if c.isprintable() else " " for c in str(value))[:80]
