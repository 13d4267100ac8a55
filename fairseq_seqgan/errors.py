"""The one exception that a user's mistake raises: a clear line, exit code 1, no traceback."""


class InputError(SystemExit, ValueError):
    """A file, option or value the user gave cannot be used; the message names it in one line.

    It is a ``ValueError`` to the Python code that catches it. Left uncaught, as under
    ``fairseq-train``, which this plugin does not own, it is a ``SystemExit``: the interpreter
    prints the message alone and exits with status 1.
    """

    def __init__(self, message: str) -> None:
        line = f"error: {message}"
        SystemExit.__init__(self, line)

    def __str__(self) -> str:
        return str(self.code)


class NumericalError(InputError):
    """A reward or loss is NaN or infinite; raised before the update, so no weight has moved."""
