"""The command ``fairseq-seqgan``; each subcommand is a module, imported only when it is used.

Such a module has ``add_arguments(parser)`` and ``run(args)``; it may have ``prepare(argv)``, which
is called before the options are added. A mistake in the input raises ``InputError``, which ends the
program with one line and exit status 2, and so does a file that the system refuses.
"""

from __future__ import annotations

import argparse
import importlib
import io
import logging
import sys
from collections.abc import Sequence

from ..support.errors import system_errors

COMMANDS = {
    "evaluate": "measure samples and the language model that they came from",
    "export": "write the generator as a plain language model, for a fairseq without this plugin",
    "prepare": "make data for fairseq-train from text of your own",
    "preprocess": "make the data of the paper's experiments",
    "random": "write random sentences: all words alike, or as often as in the training data",
    "report": "turn run folders into tables and pictures",
    "run-folder": "measure a model and its samples for a report",
    "show": "print text or poems, or write tunes as MIDI files and pictures",
    "turing-test": "let people judge samples and real data, and score their answers",
    "user-dir": "print the folder that fairseq's --user-dir takes",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line *argv* (default: that of this process); return the exit status.

    It is 130 after an interruption (Ctrl-C), as shells have it. Files are written whole or not at
    all, so nothing is left half done.

    Raises:
        InputError: a file, option or value cannot be used.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file may have a name that is not UTF-8
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with system_errors():
            _run(sys.argv[1:] if argv is None else list(argv))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def _run(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="fairseq-seqgan", description="SeqGAN for fairseq: what fairseq's commands do not do."
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    wanted = next((arg for arg in argv if not arg.startswith("-")), None)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(
            name, help=summary, description=f"{name}: {summary}.", allow_abbrev=False
        )
        if name == wanted:
            module = importlib.import_module(f".{name.replace('-', '_')}", __name__)
            if hasattr(module, "prepare"):
                module.prepare(argv)
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    args = parser.parse_args(argv)
    # fairseq tells of every file it reads, and its import makes matplotlib tell of every font; the
    # one line of an error should stand alone.
    for library in ("fairseq", "matplotlib"):
        logging.getLogger(library).setLevel(logging.WARNING)
    args.run(args)


def _version() -> str:
    from ..version import __version__

    return f"fairseq-seqgan {__version__}"
