"""Where raw data comes from: a path, or an address to download it from."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from typing import NamedTuple

from fairseq_seqgan.support.binarized_data import digest
from fairseq_seqgan.support.errors import InputError

from .download import Expected, download
from .local import Source, get_local


class Public(NamedTuple):
    """A file at a public address."""

    url: str
    expected: Expected = Expected()  # its known size and checksum


def add_arguments(parser: argparse.ArgumentParser, public: Public, what: str) -> None:
    """Add ``--source``, ``--sha256`` and ``--download-dir``; *what* describes the raw file."""
    parser.add_argument(
        "--source",
        metavar="PATH|URL",
        default=public.url,
        help=f"{what}, or an http(s) address to download it from "
        f"(default: the public address {public.url})",
    )
    parser.add_argument(
        "--sha256",
        metavar="HEX",
        type=_hexadecimal,
        help="checksum that the raw file must have (default: the known one of a public file)",
    )
    parser.add_argument(
        "--download-dir",
        type=Path,
        default=None,
        metavar="DIR",
        help="folder that keeps complete and partial downloads for the next time "
        "(default: fairseq-seqgan in the user's cache folder)",
    )


def get_source(args: argparse.Namespace, public: Public) -> Source:
    """Return the raw data that ``--source`` names, downloaded if it is an address.

    Raises:
        InputError: it is missing, cannot be downloaded, or has another checksum than it should.
    """
    if re.match(r"https?://", args.source, re.I):
        known = public.expected if args.source == public.url else Expected()
        if args.sha256 is not None:
            known = Expected(args.sha256)
        path = download(args.source, args.download_dir or _cache(), known)
        return Source(path, args.source, digest(path))
    if re.match(r"[a-z][a-z0-9+.-]*://", args.source, re.I):
        raise InputError(f"{args.source}: only http and https addresses can be downloaded")
    return get_local(Path(args.source), args.sha256)


def _hexadecimal(text: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise argparse.ArgumentTypeError(f"'{text}' is not 64 hexadecimal digits")
    return text.lower()


def _cache() -> Path:
    folder = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(folder) / "fairseq-seqgan"
