"""``fairseq-seqgan turing-test``: a page on which people judge items, and the score of answers."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from ..show.text import are_characters
from ..support import atomic_write, option_values
from ..support.errors import InputError
from ..turing.items import KINDS, REAL, Item, distinguishable, draw, parse
from ..turing.page import build
from . import outputs
from .sample_files import read_texts

TITLE = "Human or machine?"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the two actions and their options to *parser*."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    make = actions.add_parser("build", help="make the page and its key")
    make.add_argument(
        "--real", type=Path, required=True, metavar="FILE", help="what humans made, one item a line"
    )
    make.add_argument(
        "--system",
        type=_system,
        action="append",
        required=True,
        metavar="NAME=FILE",
        help="a system's samples, one a line, or what fairseq-generate printed; may be repeated",
    )
    make.add_argument("--kind", choices=KINDS, default="text", help="default: %(default)s")
    make.add_argument(
        "--per-source",
        type=int,
        default=20,
        metavar="N",
        help="items drawn of each source; default %(default)s",
    )
    make.add_argument(
        "--seed", type=option_values.seed, default=1, help="of the draw; default %(default)s"
    )
    make.add_argument("--title", default=TITLE, help="that the page shows; default: %(default)s")
    make.add_argument(
        "--out", type=Path, required=True, metavar="PAGE.html", help="PAGE.key.json is the key"
    )
    outputs.add_argument(make)

    score = actions.add_parser("score", help="score the answers that people saved")
    score.add_argument("answers", type=Path, nargs="+", metavar="ANSWERS", help="one for a person")
    score.add_argument(
        "--key", type=Path, required=True, metavar="FILE", help="that build wrote beside the page"
    )
    score.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers to FILE")
    outputs.add_argument(score)


def _system(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not equals or not name.strip() or not path:
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=FILE")
    return name.strip(), Path(path)


def run(args: argparse.Namespace) -> None:
    """Build a page or score answers.

    Raises:
        InputError: a file or option cannot be used; the message names it.
    """
    if args.action == "build":
        run_build(args)
    else:
        run_score(args)


def run_build(args: argparse.Namespace) -> None:
    """Write the page and its key, and tell what is on it."""
    option_values.positive(per_source=args.per_source)
    option_values.encodable(title=args.title, out=args.out)
    sources = name_sources(args.real, args.system)
    for name in sources:
        if name != REAL and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", args.title, re.I):
            raise InputError(f"--title '{args.title}' tells the raters of the source '{name}'")
    if args.out.suffix != ".html":
        raise InputError(f"--out {args.out}: its name must end with .html")
    key_path = args.out.with_suffix(".key.json")
    outputs.check_apart({"--out": args.out, "the key": key_path}, sources.values())
    atomic_write.refuse_to_replace([args.out, key_path], args.overwrite)
    items = read_items(sources, args.kind)
    usable, notes = distinguishable(items)
    for message in notes:
        outputs.note(message)
    page = build(args.kind, args.title, draw(usable, args.per_source, args.seed), args.seed)
    key = json.dumps(page.key, indent=1, ensure_ascii=False) + "\n"
    atomic_write.write({key_path: key, args.out: page.html})
    print(f"{args.out}: {args.per_source} items each of {', '.join(sources)}, shuffled")
    print(f"{key_path}: tells which is which; keep it from the raters")


def name_sources(real: Path, systems: list[tuple[str, Path]]) -> dict[str, Path]:
    """Return the file of every source by its name, ``real`` first.

    Raises:
        InputError: a name is taken.
    """
    sources, taken = {REAL: real}, {REAL}
    for name, path in systems:
        if name.casefold() in taken:
            reason = "is the data of --real" if name.casefold() == REAL else "is there twice"
            raise InputError(f"--system {name}={path}: the name '{name}' {reason}")
        if not name.isprintable():
            raise InputError(f"--system {name!r}: the name holds a control character")
        taken.add(name.casefold())
        sources[name] = path
    return sources


def read_items(sources: dict[str, Path], kind: str) -> dict[str, list[Item]]:
    """Return what the *sources* hold; lines without tokens are left out, and the user is told."""
    lines = {name: read_texts(path) for name, path in sources.items()}
    characters = are_characters(text.split() for found in lines.values() for _, text in found)
    items: dict[str, list[Item]] = {}
    for name, found in lines.items():
        parsed = [
            (line, parse(kind, text, f"{sources[name]}, line {line}", characters))
            for line, text in found
        ]
        items[name] = [Item(line, content) for line, content in parsed if content is not None]
        if len(items[name]) < len(parsed):
            outputs.note(f"{len(parsed) - len(items[name])} empty line(s) in {name} left out")
    return items


def run_score(args: argparse.Namespace) -> None:
    """Print the score of every source, the comparisons and the agreement."""
    # Imported late: building a page needs no statistics.
    from ..turing.answers import read_answers, read_key
    from ..turing.result import measure

    outputs.check_apart({"--json": args.json}, [*args.answers, args.key])
    outputs.check("--json", args.json, args.overwrite)
    key = read_key(args.key)
    result = measure(read_answers(args.answers, key), key)
    print(result.as_text())
    if args.json is not None:
        text = json.dumps(result.as_json(), indent=2, allow_nan=False, ensure_ascii=False)
        outputs.write_file("--json", args.json, _utf8(f"{text}\n"), args.overwrite)


def _utf8(text: str) -> bytes:
    """Return JSON *text* as bytes; names of files that are not UTF-8 are escaped, as in JSON."""
    return text.encode("utf-8", "backslashreplace")
