"""How an experiment ends: its mistakes as one line, an interruption as advice."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

from .shared import escaping


class ExperimentError(Exception):
    """The experiment cannot continue; the message is one line for the user."""

    status = 2  # a user's mistake

    def __init__(self, message: str) -> None:
        super().__init__(escaping.visible(message))  # it may quote a file, with escape sequences


class StepError(ExperimentError):
    """A command of the experiment failed; the message ends with the last lines of its log."""

    status = 1

    def __init__(self, message: str) -> None:
        Exception.__init__(self, "\n".join(map(escaping.visible, message.split("\n"))))


def guarded(main: Callable[[], None]) -> int:
    """Call *main*; return the exit status.

    It is 2 after a user's mistake, 1 after a command that failed, and 130 after an interruption.
    """
    # Ended from outside, it must end the running training as well.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        main()
    except ExperimentError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.status
    except OSError as error:
        place = "" if error.filename is None else f"{error.filename}: "
        reason = f"{place}{error.strerror}" if error.strerror else " ".join(str(error).split())
        print(f"error: {escaping.visible(reason)}", file=sys.stderr)
        return ExperimentError.status
    except RuntimeError as error:
        if not str(error).startswith("Symlink loop from"):  # what Path.resolve raises
            raise
        print(f"error: {escaping.visible(error)}", file=sys.stderr)
        return ExperimentError.status
    except KeyboardInterrupt:
        print("interrupted; the same command resumes from here", file=sys.stderr)
        return 130
    return 0
