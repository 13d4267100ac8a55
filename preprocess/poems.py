"""Make the data of the SeqGAN paper's Chinese poems (section "Text Generation").

Reads quatrains, one a line, drops damaged and repeated ones, and divides the rest into train,
valid and test. ``fairseq-train DEST`` then reads the folder DEST:

    python preprocess/poems.py --source shi.txt --dest DEST

A sequence is a poem of four lines of 5 characters (7 with ``--characters 7``), so all sequences
have the same length.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

if not __package__:  # run as a file, which needs no install
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fairseq_seqgan.preprocess.common import libraries

from fairseq_seqgan.support.errors import InputError

with libraries():
    from fairseq_seqgan.preprocess.common import report, script, source, split
    from fairseq_seqgan.preprocess.common.download import Expected
    from fairseq_seqgan.preprocess.common.folder import SPLITS
    from fairseq_seqgan.preprocess.common.text import read_text
    from fairseq_seqgan.preprocess.quatrains import (
        FORMS,
        NoQuatrainError,
        Quatrain,
        han_characters,
        parse,
    )

PUBLIC = source.Public(
    "https://raw.githubusercontent.com/geek-ai/Texygen/master/data/shi.txt",
    Expected("ac03c5fbb07776f0e43cb1ccfc74732f5313ab3d832df81c8e0db327df35e666", 1_590_217),
)
# Counts of that file, which do not depend on any option.
EXPECTED = {
    "lines": 16_394,
    "distinct lines": 15_993,
    "distinct Han characters": 4_767,
    "quatrains of 5 characters": 16_374,
    "quatrains of 7 characters": 0,
}


def get_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = script.get_parser(__doc__, PUBLIC, "UTF-8 text with one quatrain a line")
    parser.add_argument(
        "--characters",
        type=int,
        choices=FORMS,
        default=5,
        help="in each of the four lines; poems of the other form are dropped "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--keep-punctuation",
        action="store_true",
        help="keep the mark behind each line as a token: 24 or 32 tokens a poem, not 20 or 28",
    )
    return parser


class Found(NamedTuple):
    """A quatrain in a file."""

    quatrain: Quatrain
    where: str
    split: str | None  # that of its file; None: the data is divided


def read_quatrains(file: split.File, lines: list[str], dropped: report.Dropped) -> list[Found]:
    """Return the quatrains of *file*, which holds the *lines*; the others are *dropped*."""
    quatrains = []
    for number, line in enumerate(lines, start=1):
        where = file.where(number)
        if not line.strip():
            dropped.add("empty lines", where)
            continue
        try:
            quatrains.append(Found(parse(line), where, file.split))
        except NoQuatrainError as error:
            dropped.add(f"lines {error}", where)
    return quatrains


def select(
    quatrains: list[Found], args: argparse.Namespace, dropped: report.Dropped
) -> list[Found]:
    """Return the distinct quatrains of the form that *args* ask for; the others are *dropped*.

    Two poems with the same characters are the same even if their punctuation differs. So the splits
    are the same with and without punctuation.

    Raises:
        InputError: none is left; the message says which form the poems have.
    """
    selected: dict[tuple, Found] = {}
    for found in quatrains:
        quatrain, where = found.quatrain, found.where
        if quatrain.form != args.characters:
            dropped.add(f"quatrains of {quatrain.form} characters a line", where)
        elif args.keep_punctuation and not all(quatrain.marks):
            dropped.add("quatrains without punctuation behind every line", where)
        elif quatrain.lines in selected:
            dropped.add("repetitions of an earlier quatrain", where)
        else:
            selected[quatrain.lines] = found
    if not selected:
        reasons = "; ".join(dropped.lines())
        raise InputError(
            f"{args.source}: no quatrain of {args.characters} characters a line in it ({reasons})"
        )
    return list(selected.values())


def make_data(
    raw: source.Source, args: argparse.Namespace, dropped: report.Dropped
) -> script.DataSet:
    """Read, clean and divide the quatrains."""
    texts = {file: read_text(file.path) for file in split.files(raw.path, args)}
    quatrains = [
        found for file, text in texts.items() for found in read_quatrains(file, text.lines, dropped)
    ]
    forms = [found.quatrain.form for found in quatrains]
    lines = [line for text in texts.values() for line in text.lines]
    counts = {
        "lines": len(lines),
        "distinct lines": len(set(lines)),
        "distinct Han characters": len(set().union(*map(han_characters, lines))),
        **{f"quatrains of {form} characters": forms.count(form) for form in FORMS},
    }
    kept = select(quatrains, args, dropped)
    keys = ["".join(found.quatrain.tokens()) for found in kept]
    divided = split.assign(keys, [found.split for found in kept], args)
    tokens = [found.quatrain.tokens(args.keep_punctuation) for found in kept]
    public = raw.sha256 == PUBLIC.expected.sha256 and len(texts) == 1
    return script.DataSet(
        splits={s: [tokens[i] for i in divided[s]] for s in SPLITS},
        counts=counts,
        expected=EXPECTED if public else {},
        about={"notes": [note for text in texts.values() for note in text.notes]},
        lines=(f"kept: {len(kept):,} different quatrains",),
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Make the data that the command line *argv* asks for and print a summary.

    Raises:
        InputError: an option or file cannot be used; nothing has been written then.
    """
    script.run(get_parser().parse_args(argv), PUBLIC, make_data)


if __name__ == "__main__":
    main()
