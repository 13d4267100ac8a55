"""What the preprocess scripts share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fairseq_seqgan.support.errors import InputError


@contextmanager
def libraries() -> Iterator[None]:
    """Turn a missing library, wherever it is imported in the block, into one line for the user.

    Raises:
        InputError: names the module, and the command that installs it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise InputError(
            f"the Python module '{error.name}' is missing; install the libraries for raw data "
            "with: pip install 'fairseq-seqgan[data]', or in a clone: pip install -e '.[data]'"
        ) from error
