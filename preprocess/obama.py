"""Make the data of the SeqGAN paper's political speeches (section "Text Generation").

Reads a transcript of speeches, one paragraph a line, cleans it, drops repetitions, and divides
the rest into train, valid and test. ``fairseq-train DEST`` then reads the folder DEST:

    python preprocess/obama.py --source input.txt --dest DEST

Sequences are of variable length and end with fairseq's end symbol.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

if not __package__:  # run as a file, which needs no install
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fairseq_seqgan.preprocess.common import libraries

with libraries():
    from fairseq_seqgan.preprocess.common import arguments, report, script, source, split
    from fairseq_seqgan.preprocess.common.download import Expected
    from fairseq_seqgan.preprocess.common.folder import SPLITS
    from fairseq_seqgan.preprocess.common.text import Text, read_text
    from fairseq_seqgan.preprocess.tokenizers import PieceTokenizer, Tokenizer, WordTokenizer
    from sentence_splitter import SentenceSplitter

    from fairseq_seqgan.preprocess import speeches
    from fairseq_seqgan.support.binarized_data import PIECES_MODEL

PUBLIC = source.Public(
    "https://raw.githubusercontent.com/samim23/obama-rnn/master/input.txt",
    Expected("4104342fed86eb627db1e35ada4bc99b5418eec8367881b150ad0e09a02f6653", 4_250_014),
)
# Counts of that file before cleaning. The paper's 11,092 paragraphs are the lines not empty.
EXPECTED = {
    "lines that are not empty": 11_092,
    "of these only white space": 616,
    "paragraphs with text": 10_476,
    "distinct paragraphs": 10_331,
}


class Unit(NamedTuple):
    """A paragraph or sentence of cleaned text."""

    text: str
    group: str  # units of one group stay in one split
    where: str  # its first line in the file
    split: str | None  # that of its file; None: the data is divided


def get_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = script.get_parser(__doc__, PUBLIC, "UTF-8 text with one paragraph a line")
    parser.add_argument(
        "--unit",
        choices=("paragraph", "sentence"),
        default="paragraph",
        help="what becomes a sequence (default: %(default)s)",
    )
    parser.add_argument(
        "--tokenizer",
        choices=("word", "sentencepiece"),
        default="word",
        help="words by the rules of Moses, or pieces of words; the model of the latter is written "
        f"to DEST/{PIECES_MODEL} (default: %(default)s)",
    )
    parser.add_argument(
        "--vocab-size",
        type=int,
        metavar="N",
        help="word: the N most frequent words, others are unknown (default: all words of train); "
        "sentencepiece: pieces of the model (default: 8000)",
    )
    parser.add_argument(
        "--max-length",
        type=int,
        metavar="N",
        help="drop sequences of more than N tokens, the end symbol not counted (default: none)",
    )
    parser.add_argument("--lowercase", action="store_true", help="no capital letters")
    parser.add_argument(
        "--split-by",
        choices=("paragraph", "speech"),
        default="paragraph",
        help="what is kept together in one split (default: %(default)s)",
    )
    return parser


def clean(
    file: split.File, paragraphs: list[speeches.Paragraph], dropped: report.Dropped
) -> tuple[list[speeches.Paragraph], dict[str, int]]:
    """Return the cleaned *paragraphs* that hold a letter or digit, and what was taken out."""
    normal = [p._replace(text=speeches.normalise(p.text)) for p in paragraphs]
    labels = speeches.speakers(p.text for p in normal)
    cleaned, removed = [], {"speaker labels": 0, "stage directions": 0}
    for paragraph in normal:
        said = speeches.remove_label(paragraph.text, labels)
        text, notes = speeches.remove_notes(said)
        removed["speaker labels"] += said != paragraph.text
        removed["stage directions"] += notes
        if any(map(str.isalnum, text)):
            cleaned.append(paragraph._replace(text=text))
        else:
            dropped.add("paragraphs without words", file.where(paragraph.line))
    return cleaned, removed


def get_units(
    files: dict[split.File, list[speeches.Paragraph]],
    args: argparse.Namespace,
    dropped: report.Dropped,
) -> list[Unit]:
    """Return the distinct paragraphs or sentences; repetitions of an earlier one are *dropped*."""
    splitter = SentenceSplitter(language="en")
    units: dict[str, Unit] = {}
    for file, paragraph in ((file, p) for file, found in files.items() for p in found):
        text, where = paragraph.text, file.where(paragraph.line)
        group = text if args.split_by == "paragraph" else f"speech {paragraph.speech}"
        for part in splitter.split(text) if args.unit == "sentence" else [text]:
            part = part.lower() if args.lowercase else part  # the splitter needs the capitals
            if part in units:
                dropped.add(f"repetitions of an earlier {args.unit}", where)
            else:
                units[part] = Unit(part, group, where, file.split)
    return list(units.values())


def get_tokenizer(train: list[str], args: argparse.Namespace) -> Tokenizer:
    """Return the tokenizer that *args* ask for; its dictionary comes from *train* only."""
    with libraries():
        if args.tokenizer == "word":
            return WordTokenizer(train, args.vocab_size)
        return PieceTokenizer(train, args.vocab_size or 8000, args.seed)


def encode(
    units: list[Unit], tokenizer: Tokenizer, max_length: int | None, dropped: report.Dropped
) -> list[list[str]]:
    """Return the tokens of *units*; those of more than *max_length* are *dropped*."""
    sequences = []
    for unit in units:
        tokens = tokenizer.encode(unit.text)
        if max_length is not None and len(tokens) > max_length:
            dropped.add(f"sequences longer than {max_length} tokens", unit.where)
        else:
            sequences.append(tokens)
    return sequences


def count(
    texts: dict[split.File, Text], paragraphs: dict[split.File, list[speeches.Paragraph]]
) -> dict[str, int]:
    """Return the counts of all files together, before cleaning."""
    not_empty = sum(line != "" for text in texts.values() for line in text.lines)
    every = [p for found in paragraphs.values() for p in found]
    return {
        "lines that are not empty": not_empty,
        "of these only white space": not_empty - len(every),
        "paragraphs with text": len(every),
        "distinct paragraphs": len({p.text for p in every}),
        "speeches": sum(found[-1].speech + 1 for found in paragraphs.values()),
    }


def make_data(
    raw: source.Source, args: argparse.Namespace, dropped: report.Dropped
) -> script.DataSet:
    """Read, clean, divide and tokenize the speeches."""
    texts = {file: read_text(file.path) for file in split.files(raw.path, args)}
    paragraphs = {file: speeches.paragraphs(text.lines) for file, text in texts.items()}
    cleaned, removed = {}, Counter[str]()
    for file, found in paragraphs.items():
        cleaned[file], taken_out = clean(file, found, dropped)
        removed.update(taken_out)
    units = get_units(cleaned, args, dropped)
    groups, owners = [unit.group for unit in units], [unit.split for unit in units]
    divided = split.assign(groups, owners, args)
    parts = {s: [units[i] for i in divided[s]] for s in SPLITS}
    tokenizer = get_tokenizer([unit.text for unit in parts["train"]], args)
    splits = {s: encode(parts[s], tokenizer, args.max_length, dropped) for s in SPLITS}
    model = {PIECES_MODEL: tokenizer.model} if isinstance(tokenizer, PieceTokenizer) else {}
    return script.DataSet(
        splits=splits,
        counts=count(texts, paragraphs),
        expected=EXPECTED if raw.sha256 == PUBLIC.expected.sha256 and len(texts) == 1 else {},
        words=tokenizer.words,
        about={"notes": [note for text in texts.values() for note in text.notes]},
        removed=removed,
        lines=(f"kept: {sum(map(len, splits.values())):,} different {args.unit}s",),
        files=model,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Make the data that the command line *argv* asks for and print a summary.

    Raises:
        InputError: an option or file cannot be used; nothing has been written then.
    """
    args = get_parser().parse_args(argv)
    arguments.require_at_least(1, args, "vocab_size", "max_length")
    script.run(args, PUBLIC, make_data, extra_files=(PIECES_MODEL,))


if __name__ == "__main__":
    main()
