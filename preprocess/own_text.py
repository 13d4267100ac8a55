"""Make data of your own text: each line becomes a sequence.

    fairseq-seqgan prepare --train FILE --dest DEST

``fairseq-train DEST`` then reads the folder DEST. Sequences vary in length and end with fairseq's
end symbol.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from fairseq_seqgan.preprocess.common import arguments, libraries, local, report, split
from fairseq_seqgan.preprocess.common.dataset import MIN_TRAIN, SPECIAL_SYMBOLS
from fairseq_seqgan.preprocess.common.folder import SPLITS
from fairseq_seqgan.preprocess.common.make_folder import DataSet, make_folder
from fairseq_seqgan.preprocess.common.text import read_text

from fairseq_seqgan.preprocess import tokenizers
from fairseq_seqgan.support.binarized_data import PIECES_MODEL
from fairseq_seqgan.support.errors import InputError

VOCAB_SIZE = 4000  # of sentencepiece's model, unless the text has too few

_TOKENIZERS: dict[str, Callable[[list[str], argparse.Namespace], tokenizers.Tokenizer]] = {
    "word": lambda train, args: tokenizers.WordTokenizer(train, args.vocab_size),
    "char": lambda train, args: tokenizers.CharacterTokenizer(train, args.vocab_size),
    "sentencepiece": lambda train, args: tokenizers.PieceTokenizer(
        train, args.vocab_size or VOCAB_SIZE, args.seed, exact=args.vocab_size is not None
    ),
    "space": lambda train, args: tokenizers.SplitTokenizer(train, args.vocab_size),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options to *parser*."""
    parser.add_argument(
        "--train",
        type=Path,
        required=True,
        metavar="FILE",
        help="UTF-8 text, one sequence a line; without --valid and --test, they are taken from it",
    )
    split.add_arguments(parser)
    parser.add_argument(
        "--tokenizer",
        choices=_TOKENIZERS,
        default="word",
        help="words by the rules of Moses for English; characters; pieces of words, whose model is "
        f"written to DEST/{PIECES_MODEL}; or, of a text that is tokenized already, what stands "
        "between spaces (default: %(default)s)",
    )
    parser.add_argument(
        "--vocab-size",
        type=int,
        metavar="N",
        help="the N most frequent tokens, others are unknown (default: all of train); "
        f"sentencepiece: pieces of the model (default: {VOCAB_SIZE}, or as many as the text gives)",
    )
    parser.add_argument(
        "--max-length",
        type=int,
        metavar="N",
        help="drop sequences of more than N tokens, the end symbol not counted (default: none)",
    )
    parser.add_argument("--lowercase", action="store_true", help="no capital letters")
    arguments.add_folder(parser)


def run(args: argparse.Namespace) -> None:
    """Make the folder that *args* ask for, and print a summary.

    Raises:
        InputError: an option or file cannot be used; nothing has been written then.
    """
    arguments.require_at_least(1, args, "vocab_size", "max_length")
    make_folder(args, lambda: local.get_local(args.train), make_data, (PIECES_MODEL,), least=1)


class Line(NamedTuple):
    """A line that is not empty."""

    text: str
    where: str
    split: str | None  # that of its file; None: the text is divided


def read_lines(
    files: list[split.File], lowercase: bool, dropped: report.Dropped
) -> tuple[list[Line], list[str]]:
    """Return the lines of *files* with single spaces, and notes on the files.

    Raises:
        InputError: a file cannot be read.
    """
    found: list[Line] = []
    notes: list[str] = []
    for file in files:
        content = read_text(file.path)
        notes += content.notes
        for number, line in enumerate(content.lines, start=1):
            text = " ".join(line.split())
            if text:
                found.append(
                    Line(text.lower() if lowercase else text, file.where(number), file.split)
                )
            else:
                dropped.add("empty lines", file.where(number))
    return found, notes


def make_data(raw: local.Source, args: argparse.Namespace, dropped: report.Dropped) -> DataSet:
    """Read, divide and tokenize the lines."""
    lines, notes = read_lines(split.files(raw.path, args), args.lowercase, dropped)
    texts = [line.text for line in lines]
    # Equal lines stay in one split: none that was trained on is held out.
    divided = split.assign(texts, [line.split for line in lines], args, str(raw.path))
    with libraries():
        tokenizer = _TOKENIZERS[args.tokenizer]([texts[i] for i in divided["train"]], args)
    splits: dict[str, list[list[str]]] = {name: [] for name in SPLITS}
    for name in SPLITS:
        for line in (lines[i] for i in divided[name]):
            tokens = tokenizer.encode(line.text)
            special = sorted(SPECIAL_SYMBOLS.intersection(tokens))
            if special:
                where = f"{getattr(args, line.split or 'train')}, {line.where}"
                raise InputError(f"{where}: holds fairseq's special symbol {special[0]}")
            if not tokens:
                dropped.add("lines without a token", line.where)
            elif args.max_length is not None and len(tokens) > args.max_length:
                dropped.add(f"sequences longer than {args.max_length} tokens", line.where)
            else:
                splits[name].append(tokens)
        if not splits[name] and args.max_length is not None:
            raise InputError(f"--max-length {args.max_length}: leaves no sequence for {name}")
    model = tokenizer.model if isinstance(tokenizer, tokenizers.PieceTokenizer) else None
    return DataSet(
        splits=splits,
        counts={"lines with text": len(lines), "distinct lines": len(set(texts))},
        expected={},
        words=tokenizer.words,
        about={"notes": notes},
        lines=_remarks(splits),
        files={} if model is None else {PIECES_MODEL: model},
    )


def _remarks(splits: dict[str, list[list[str]]]) -> tuple[str, ...]:
    """Return what a user should know of the sequences before training on them."""
    found = []
    train = {tuple(tokens) for tokens in splits["train"]}
    for name in ("valid", "test"):
        seen = sum(tuple(tokens) in train for tokens in splits[name])
        if seen:
            found.append(f"note: {seen:,} sequences of {name} also stand in train")
    if 0 < len(splits["train"]) < MIN_TRAIN:
        found.append(
            f"note: {len(splits['train'])} training sequences, fewer than a batch of {MIN_TRAIN}: "
            "a model will repeat them rather than generalise"
        )
    longest = max((len(tokens) for rows in splits.values() for tokens in rows), default=0)
    found.append(f"fairseq-train needs --tokens-per-sample {longest + 1} or more")
    return tuple(found)
