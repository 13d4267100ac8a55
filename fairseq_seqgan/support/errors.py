"""How a command ends that cannot do its work: one line, an exit status, and no traceback.

A user's mistake is an :class:`InputError`, exit status 2. A training whose numbers are no longer
finite ends with a :class:`DivergenceError`, exit status 3.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from .escaping import visible

# What follows the name of a model or a discriminator in a checkpoint that nobody has registered.
NOT_REGISTERED = (
    "is not known here; --user-dir must name the package that registers it (in Python, import that "
    "package first)"
)


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
    """Numbers of a training are no longer finite; the message names the tensor and the phase."""

    status = 3


@contextmanager
def system_errors() -> Iterator[None]:
    """End with one line what the system refuses, and quietly where nobody reads the output on.

    Raises:
        InputError: names the file that the system refuses, or standard output.
        SystemExit: the reader of a pipe, such as ``head``, has gone.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError as error:
        _discard_output()
        raise SystemExit(1) from error
    except OSError as error:
        if error.filename is None:
            _discard_output()
        place = error.filename or "standard output"
        raise InputError(f"{place}: {error.strerror or error}") from error
    except RuntimeError as error:
        if not str(error).startswith("Symlink loop from"):  # what Path.resolve raises
            raise
        raise InputError(str(error)) from error


def _discard_output() -> None:
    """Let Python not write the rest of its output, as it would at its end, with a traceback."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def flag(field: str) -> str:
    """Return the option that sets *field* on the command line: ``--d-steps`` for ``d_steps``."""
    return "--" + field.replace("_", "-")


def first_line(error: Exception) -> str:
    """Return the first line of *error*, at most 200 characters; its type if it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200]
