"""``fairseq-seqgan show``: prints text and poems, and writes tunes as MIDI files and pictures."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..show.notes import STEP_SECONDS, piano_keys
from ..show.text import poem_lines, sentences
from ..support import atomic_write, option_values
from ..support.errors import InputError
from ..support.escaping import visible
from . import outputs
from .sample_files import read_texts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options to *parser*."""
    parser.add_argument(
        "--samples",
        type=Path,
        required=True,
        metavar="FILE",
        help="one sample a line, or what fairseq-generate printed",
    )
    parser.add_argument("--kind", choices=("text", "poem", "music"), required=True)
    parser.add_argument(
        "--num", type=int, default=10, metavar="N", help="the first N; default %(default)s"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for the tunes: a .mid and a .png for each"
    )
    parser.add_argument(
        "--step-seconds",
        type=float,
        default=STEP_SECONDS,
        metavar="S",
        help="length of a tune's step; default %(default)s",
    )
    outputs.add_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Print text or poems, or write tunes.

    Raises:
        InputError: a file or option cannot be used; the message names it.
    """
    option_values.positive(num=args.num, step_seconds=args.step_seconds)
    if args.kind == "music" and args.out is None:
        raise InputError("--kind music: --out DIR must say where the tunes are written")
    if args.kind != "music" and args.out is not None:
        raise InputError(f"--out {args.out}: goes with --kind music only; {args.kind}s are printed")
    texts = read_texts(args.samples)[: args.num]
    samples = [(line, text.split(), f"{args.samples}, line {line}") for line, text in texts]
    if args.kind == "text":
        for line in sentences([tokens for _, tokens, _ in samples]):
            print(visible(line))
    elif args.kind == "poem":
        poems = ["\n".join(poem_lines(tokens, where)) for _, tokens, where in samples]
        print("\n\n".join(poems))
    else:
        tunes = {line: piano_keys(tokens, where) for line, tokens, where in samples}
        write_tunes(tunes, args.out, args.step_seconds, args.overwrite)


def write_tunes(
    tunes: dict[int, list[int]], folder: Path, step_seconds: float, overwrite: bool = False
) -> None:
    """Write ``tune-<line>.mid`` and ``.png`` into *folder* for every tune, by its line number.

    Raises:
        InputError: *folder* cannot be written, or holds one of these files; or a step is too short
            or too long.
    """
    # Imported late: matplotlib takes a second.
    from ..show.tunes import check_steps, midi, picture

    check_steps(max(map(len, tunes.values()), default=1), step_seconds)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {folder}: {error.strerror}") from error
    names = {line: folder / f"tune-{line:04d}" for line in tunes}
    paths = [name.with_suffix(ending) for name in names.values() for ending in (".mid", ".png")]
    atomic_write.refuse_to_replace(paths, overwrite)
    contents = {}
    for line, keys in tunes.items():
        contents[names[line].with_suffix(".mid")] = midi(keys, step_seconds)
        contents[names[line].with_suffix(".png")] = picture(keys, f"tune {line}", step_seconds)
    atomic_write.write(contents)
    print(f"{folder}: {len(tunes)} tunes, each as .mid and .png")
