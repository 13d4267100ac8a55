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

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that no install is needed

from fairseq_seqgan.support.errors import InputError
from preprocess.common import libraries

with libraries():
    from preprocess.common import report, script, source, split
    from preprocess.common.download import Expected
    from preprocess.common.folder import SPLITS
    from preprocess.common.text import read_text
    from preprocess.quatrains import FORMS, NoQuatrainError, Quatrain, han_characters, parse

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


def read_quatrains(lines: list[str], dropped: report.Dropped) -> list[tuple[int, Quatrain]]:
    """Return the quatrains of *lines*, each with its line number; the others are *dropped*."""
    quatrains = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            dropped.add("empty lines", f"line {number}")
            continue
        try:
            quatrains.append((number, parse(line)))
        except NoQuatrainError as error:
            dropped.add(f"lines {error}", f"line {number}")
    return quatrains


def select(
    quatrains: list[tuple[int, Quatrain]], args: argparse.Namespace, dropped: report.Dropped
) -> list[Quatrain]:
    """Return the distinct quatrains of the form that *args* ask for; the others are *dropped*.

    Two poems with the same characters are the same even if their punctuation differs. So the splits
    are the same with and without punctuation.

    Raises:
        InputError: none is left; the message says which form the poems have.
    """
    selected: dict[tuple, Quatrain] = {}
    for number, quatrain in quatrains:
        where = f"line {number}"
        if quatrain.form != args.characters:
            dropped.add(f"quatrains of {quatrain.form} characters a line", where)
        elif args.keep_punctuation and not all(quatrain.marks):
            dropped.add("quatrains without punctuation behind every line", where)
        elif quatrain.lines in selected:
            dropped.add("repetitions of an earlier quatrain", where)
        else:
            selected[quatrain.lines] = quatrain
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
    text = read_text(raw.path)
    quatrains = read_quatrains(text.lines, dropped)
    forms = [quatrain.form for _, quatrain in quatrains]
    counts = {
        "lines": len(text.lines),
        "distinct lines": len(set(text.lines)),
        "distinct Han characters": len(set().union(*map(han_characters, text.lines))),
        **{f"quatrains of {form} characters": forms.count(form) for form in FORMS},
    }
    kept = select(quatrains, args, dropped)
    keys = ["".join(quatrain.tokens()) for quatrain in kept]
    divided = split.divide(keys, args.valid_share, args.test_share, args.seed)
    return script.DataSet(
        splits={s: [kept[i].tokens(args.keep_punctuation) for i in divided[s]] for s in SPLITS},
        counts=counts,
        expected=EXPECTED if raw.sha256 == PUBLIC.expected.sha256 else {},
        about={"notes": text.notes},
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
