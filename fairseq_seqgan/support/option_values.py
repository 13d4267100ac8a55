"""Values of options that need nothing else to be checked; imports neither fairseq nor torch."""

import math
from argparse import ArgumentTypeError

from .errors import InputError


def positive(**counts: float) -> None:
    """Check that each of *counts* is finite and above 0; their names are those of the fields.

    Raises:
        InputError: names the option.
    """
    for name, value in counts.items():
        if not value > 0 or not math.isfinite(value):
            raise InputError(f"--{name.replace('_', '-')} is {value}: it must be above 0")


def seed(text: str) -> int:
    """Return the seed that *text* states; the ``type`` of an argparse option.

    Raises:
        ArgumentTypeError: it is no whole number, or below 0.
    """
    if not text.isdecimal():
        raise ArgumentTypeError(f"'{text}': it must be a whole number, 0 or more")
    return int(text)
