"""``--user-dir FOLDER``: a user's own code, imported before the command line is parsed."""

from __future__ import annotations

import argparse
import traceback
from collections.abc import Sequence
from pathlib import Path

from ..support.errors import InputError


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--user-dir`` to *parser*."""
    parser.add_argument(
        "--user-dir",
        type=Path,
        metavar="FOLDER",
        help="Python package that registers metrics, models or discriminators of your own, as "
        "fairseq's --user-dir",
    )


def import_from(argv: Sequence[str]) -> None:
    """Import the folder that *argv* names, since its metrics may have options of their own.

    Raises:
        InputError: it is not a folder, or its import fails; the message names the line.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    add_argument(parser)
    folder: Path | None = parser.parse_known_args(argv)[0].user_dir
    if folder is None:
        return
    if not folder.is_dir():
        raise InputError(f"--user-dir {folder}: no such folder")
    from fairseq.utils import import_user_module  # late: it takes seconds

    from .. import plugin  # noqa: F401  (their code may rely on what it registers)

    try:
        import_user_module(argparse.Namespace(user_dir=str(folder)))
    except Exception as error:  # a user's code may fail in any way
        last = traceback.extract_tb(error.__traceback__)[-1]
        place, line = last.filename, last.lineno
        if isinstance(error, SyntaxError):  # raised by Python's own import
            place, line = str(error.filename), error.lineno
        reason = (str(error).strip().splitlines() or [""])[0]
        raise InputError(
            f"--user-dir {folder}: the import fails in {place}, line {line} "
            f"({type(error).__name__}: {reason})"
        ) from error
