"""How a command ends that cannot do its work: one line, an exit status, and no traceback.

A user's mistake is an :class:`InputError`, exit status 2. A training whose numbers are no longer
finite ends with a :class:`DivergenceError`, exit status 3.
"""

import sys
from typing import ClassVar

import torch
from torch import Tensor

from .escaping import visible


class _OneLineError(SystemExit):
    """An error that ends the program with one line, unless somebody catches it.

    ``fairseq-train`` does not belong to this plugin and would print a traceback for an ordinary
    exception. A ``SystemExit`` ends it quietly, but Python prints no message beside a status. So
    the message is printed when Python asks for the status, which it does for an uncaught one.
    """

    status: ClassVar[int]

    def __init__(self, message: str) -> None:
        message = visible(message)  # it may quote a file, which may hold escape sequences
        super().__init__(message)
        self._line, self._printed = f"error: {message}", False

    def __str__(self) -> str:
        return self._line

    @property
    def code(self) -> int:
        """The exit status; the first time it is read, the message is printed on stderr."""
        if not self._printed:
            self._printed = True
            print(self._line, file=sys.stderr, flush=True)
        return self.status


class InputError(_OneLineError, ValueError):
    """A file, option or value that the user gave cannot be used; the message names it in one line.

    Python code that uses the plugin as a library can catch it as a ``ValueError``.
    """

    status = 2


class DivergenceError(_OneLineError, ArithmeticError):
    """A reward, log-probability or loss is not finite; no weight has moved in this update."""

    status = 3


def require_finite(values: Tensor, where: str, what: str) -> None:
    """Stop before the weights move if *values* hold NaN or infinity.

    Raises:
        DivergenceError: names the phase (*where*) and the tensor (*what*).
    """
    if not bool(torch.isfinite(values).all()):
        raise DivergenceError(
            f"{what} of a {where} is NaN or infinite; training stopped before the update, "
            "the weights are as they were"
        )
