"""Values of options that need nothing else to be checked; imports neither fairseq nor torch."""

import math
from argparse import ArgumentTypeError
from typing import Any

from .errors import InputError, flag

MOST = 10**9  # of anything that is counted: torch and numpy cannot make arrays of much more
MOST_TOKENS = 100_000  # of a sequence: as many positions as fairseq's LSTM says that it has
MOST_SEED = 2**32 - 1  # that numpy and sentencepiece take


def positive(**counts: float) -> None:
    """Check that each of *counts* is finite and above 0, and whole numbers at most ``MOST``.

    Their names are those of the fields.

    Raises:
        InputError: names the option.
    """
    for name, value in counts.items():
        if isinstance(value, int):
            at_most(MOST, **{name: value})
        if not value > 0 or not math.isfinite(value):
            raise InputError(f"{flag(name)} is {value}: it must be above 0")


def sequence_lengths(options: Any) -> None:
    """Check ``--fixed-length`` and ``--max-length`` of the task's *options*.

    Raises:
        InputError: names the option that is below 0 or above ``MOST_TOKENS``.
    """
    for name in ("fixed_length", "max_length"):
        length = getattr(options, name)
        if length < 0:
            raise InputError(f"{flag(name)} is {length}: below 0")
        at_most(MOST_TOKENS, **{name: length})


def at_most(most: int, **counts: int) -> None:
    """Check that none of *counts* is above *most*; their names are those of the fields.

    Raises:
        InputError: names the option.
    """
    for name, value in counts.items():
        if value > most:
            raise InputError(f"{flag(name)} is {value}: it must be at most {most:,}")


def encodable(**texts: object) -> None:
    """Check that *texts* can be written as UTF-8; their names are those of the fields.

    An argument of other bytes, as a shell hands on a file name in Latin-1, cannot.

    Raises:
        InputError: names the option.
    """
    for name, text in texts.items():
        try:
            str(text).encode("utf-8")
        except UnicodeEncodeError as error:
            raise InputError(f"{flag(name)} {text}: is not UTF-8") from error


def betas(text: str) -> list[float]:
    """Return the two decay rates in *text*, as fairseq writes them: ``(0.9, 0.98)``.

    Raises:
        InputError: they are not two numbers in [0, 1).
    """
    try:
        found = [float(part) for part in text.strip("()[] ").split(",")]
    except ValueError:
        found = []
    if len(found) != 2 or not all(0 <= beta < 1 for beta in found):
        raise InputError(f"--adam-betas is {text}: it must be two numbers in [0, 1), as (0.9,0.98)")
    return found


def seed(text: str) -> int:
    """Return the seed that *text* states; the ``type`` of an argparse option.

    Raises:
        ArgumentTypeError: it is no whole number, or below 0.
    """
    if not text.isdecimal():
        raise ArgumentTypeError(f"'{text}': it must be a whole number, 0 or more")
    return int(text)
