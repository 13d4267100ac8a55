"""``fairseq-seqgan user-dir``: where the plugin is installed."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the command has no options."""


def run(args: argparse.Namespace) -> None:
    """Print the absolute path of the package, for ``--user-dir "$(fairseq-seqgan user-dir)"``."""
    print(Path(__file__).resolve().parents[1])
