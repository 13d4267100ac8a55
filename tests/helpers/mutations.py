"""Seeded mutations of files, and what a command may do with a mutated one.

A file is mutated as bytes (a flipped bit, a cut, a repetition, a hostile piece) or, where it holds
JSON or YAML, as a tree (a value of another type, a missing or an additional key). What reads it
must end with one of the allowed errors, or read it; it may not raise another error or take long.
"""

import copy
import io
import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

SEED = os.environ.get("FUZZ_SEED", "0")  # another one tries other mutations
PATIENCE = 20  # seconds for one file, on a busy machine; a good one takes milliseconds

# How many mutations of each kind a run tries: at least 1,000 together.
TRIES = {
    "poems": 60,
    "speeches": 40,
    "zips": 30,
    "midi": 120,
    "indexes": 120,
    "tokens": 60,
    "dictionaries": 100,
    "made": 60,
    "oracles": 80,
    "checkpoints": 80,
    "states": 60,
    "recipes": 80,
    "trees": 60,
    "runs": 120,
    "samples": 100,
    "answers": 160,
    "experiments": 80,
}

PIECES = (
    b"", b"\0", b"\n", b"\r", b"\t", b" ", b"\x1b[2J", b"\xff\xfe", b"\xed\xa0\x80", b"|", b"`",
    b"<script>alert(1)</script>", b"![](http://a/b.png)", b"\\", b"'", b'"', b"{", b"]", b"[[[[",
    b"-1", b"0", b"1e999", b"NaN", b"9" * 30, b"9" * 5000, b"H-1\t", b"H-1\t-1\t", b"PK\x03\x04",
    b"\xe2\x80\xae", b"\xef\xbb\xbf", b"</s>", b"<unk>", b"<pad>", b"%s%n", b"../../x", b"&a *a",
)  # fmt: skip
VALUES = (
    None, True, False, 0, 1, -1, 2**31, 2**64, 10**400, 0.5, -0.0, 1e308, float("nan"),
    float("inf"), "", " ", "x", "1", "-", "\x1b[2J", "a|b\\|c", "<script>alert(1)</script>",
    "![](http://a/b.png)", "# heading", "$x_$", "\n\n# heading\n", "\u202e", "\ud800", "../x",
    "${a}", "${oc.env:HOME}", "{0}", [], [[]], [1, "x"], {}, {"x": {}}, [None], {"": []},
)  # fmt: skip


def rng_of(*key: object) -> random.Random:
    """Return the generator of one mutation; its *key* and SEED say which."""
    return random.Random("/".join(map(str, (SEED, *key))))


def mutate_bytes(content: bytes, rng: random.Random) -> bytes:
    """Return *content* after one to three changes."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        content = rng.choice(_CHANGES)(content, rng)
    return content


def _span(content: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(content) + 1)
    return start, min(len(content), start + rng.choice((1, 1, 2, 4, 8, 16, 100)))


def _flip(content: bytes, rng: random.Random) -> bytes:
    if not content:
        return b"\1"
    place = rng.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]


def _zero(content: bytes, rng: random.Random) -> bytes:
    start, end = _span(content, rng)
    return content[:start] + bytes(end - start) + content[end:]


def _noise(content: bytes, rng: random.Random) -> bytes:
    start, end = _span(content, rng)
    return content[:start] + rng.randbytes(end - start) + content[end:]


def _delete(content: bytes, rng: random.Random) -> bytes:
    start, end = _span(content, rng)
    return content[:start] + content[end:]


def _repeat(content: bytes, rng: random.Random) -> bytes:
    start, end = _span(content, rng)
    return content[:end] + content[start:end] * rng.choice((1, 2, 50)) + content[end:]


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _insert(content: bytes, rng: random.Random) -> bytes:
    start, end = _span(content, rng)
    return content[:start] + rng.choice(PIECES) + content[rng.choice((start, end)) :]


def _swap(content: bytes, rng: random.Random) -> bytes:
    a, b = sorted((_span(content, rng), _span(content, rng)))
    if a[1] > b[0]:
        return _flip(content, rng)
    (i, j), (k, m) = a, b
    return content[:i] + content[k:m] + content[j:k] + content[i:j] + content[m:]


_CHANGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip, _flip, _zero, _noise, _delete, _repeat, _cut, _insert, _insert, _swap,
)  # fmt: skip


def mutate_tree(tree: Any, rng: random.Random, values: tuple = VALUES) -> Any:
    """Return a copy of *tree*, of dicts and lists, with one part replaced, removed or added."""
    tree = copy.deepcopy(tree)
    places = list(_places(tree))
    if not places or rng.random() < 0.03:
        return copy.deepcopy(rng.choice(values))
    holder, key = rng.choice(places)
    action = rng.random()
    if action < 0.65:
        holder[key] = copy.deepcopy(rng.choice(values))
    elif action < 0.8:
        del holder[key]
    elif isinstance(holder, dict):
        holder[rng.choice(("x", "", "seed", "label", str(key)))] = copy.deepcopy(rng.choice(values))
    else:
        holder.insert(key, copy.deepcopy(rng.choice((*values, *holder))))
    return tree


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every (dict or list, key or index) in *tree*."""
    keys = tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in list(keys):
        yield tree, key
        yield from _places(tree[key])


class HangError(BaseException):
    """Something took longer than PATIENCE; no ``except Exception`` can take it for bad input."""


@contextmanager
def no_hang() -> Iterator[None]:
    """Raise HangError in the block if it takes too long."""

    def ring(*_: object) -> None:
        raise HangError(f"more than {PATIENCE} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Outcomes:
    """Counts what became of the mutated files of one kind."""

    def __init__(self, name: str, keep: Path) -> None:
        self.name, self.keep = name, keep
        self.read = self.refused = 0

    @property
    def tried(self) -> int:
        """How many files there were."""
        return self.read + self.refused

    def attempt(
        self, key: object, file: Path, use: Callable[[], Any], errors: tuple[type, ...]
    ) -> Any:
        """Return what *use* returns, None if it raises one of *errors*, whose message is checked.

        Any other exception fails the test; *file*, the mutated one, is kept.
        """
        shown = io.StringIO()
        try:
            with no_hang(), redirect_stdout(shown), redirect_stderr(shown):
                found = use()
        except errors as error:
            self.refused += 1
            message = str(error)
            self.explain(key, file, _is_one_line(message), f"not a line for people: {message!r}")
            return None
        except (HangError, Exception, SystemExit) as error:
            kept = self._keep(key, file)
            raise AssertionError(f"{self.name} {key}: {error!r}; the file: {kept}") from error
        self.read += 1
        return found

    def explain(self, key: object, file: Path, holds: bool, what: str) -> None:
        """Fail the test with *what* unless it *holds*, and keep *file*."""
        if not holds:
            raise AssertionError(f"{self.name} {key}: {what}; the file: {self._keep(key, file)}")

    def _keep(self, key: object, file: Path) -> Path:
        kept = self.keep / f"{self.name}-{str(key).replace('/', '-')}-{file.name}"
        if file.is_file():
            kept.write_bytes(file.read_bytes())
        return kept


def _is_one_line(message: str) -> bool:
    printable = all(c.isprintable() or c.isspace() or c in "\u200c\u200d" for c in message)
    return bool(message.strip()) and "\n" not in message and "\x1b" not in message and printable
