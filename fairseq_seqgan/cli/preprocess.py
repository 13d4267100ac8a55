"""``fairseq-seqgan preprocess``: the scripts that make the paper's data, from anywhere."""

from __future__ import annotations

import argparse
import importlib

SCRIPTS = {
    "oracle": "synthetic data",
    "poems": "Chinese quatrains",
    "obama": "political speeches",
    "nottingham": "folk tunes",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the script and its options to *parser*."""
    parser.add_argument(
        "script",
        choices=SCRIPTS,
        help="; ".join(f"{name}: {what}" for name, what in SCRIPTS.items()),
    )
    parser.add_argument(
        "options", nargs=argparse.REMAINDER, metavar="OPTIONS", help="of the script; --help"
    )


def run(args: argparse.Namespace) -> None:
    """Run the script.

    Raises:
        InputError: an option or file cannot be used.
    """
    module = importlib.import_module(f"..preprocess.{args.script}", __package__)
    module.main(args.options)
