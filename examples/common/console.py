"""How an experiment ends: its mistakes as one line, an interruption as advice."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable


class ExperimentError(Exception):
    """The experiment cannot continue; the message is one line for the user."""


def guarded(main: Callable[[], None]) -> int:
    """Call *main* and return the exit status: 1 after a mistake, 130 after an interruption."""
    # Ended from outside, it must end the running training as well.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        main()
    except ExperimentError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command resumes from here", file=sys.stderr)
        return 130
    return 0
