"""The one exception that a user's mistake raises: a clear line, exit code 1, no traceback."""

import torch
from torch import Tensor


class InputError(SystemExit, ValueError):
    """A file, option or value of the user cannot be used; the message names it in one line.

    Python code can catch it as a ``ValueError``. Uncaught, as under ``fairseq-train``, it is a
    ``SystemExit``: the interpreter prints the message alone and exits with status 1.
    """

    def __init__(self, message: str) -> None:
        line = f"error: {message}"
        SystemExit.__init__(self, line)

    def __str__(self) -> str:
        return str(self.code)


class NumericalError(InputError):
    """A reward or loss is NaN or infinite; raised before the update, so no weight has moved."""


def require_finite(values: Tensor, where: str, what: str) -> None:
    """Stop before the weights move if *values* hold NaN or infinity.

    Raises:
        NumericalError: names the phase (*where*) and the tensor (*what*).
    """
    if not bool(torch.isfinite(values).all()):
        raise NumericalError(
            f"{what} of a {where} is NaN or infinite; training stopped before the update, "
            "the weights are as they were"
        )
