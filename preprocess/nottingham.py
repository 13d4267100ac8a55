"""Make the data of the SeqGAN paper's folk tunes (section "Music Generation").

Reads MIDI files, samples the pitch of each melody every 0.4 s, and cuts the result into windows of
32 steps. ``fairseq-train DEST`` then reads the folder DEST:

    python preprocess/nottingham.py --source Nottingham.zip --dest DEST

The words are the 88 keys of a piano. The fairseq id of a word is key + 3: key 1 has the id 4.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import NamedTuple

if not __package__:  # run as a file, which needs no install
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fairseq_seqgan.preprocess.common import libraries

from fairseq_seqgan.support.errors import InputError
from fairseq_seqgan.support.escaping import visible

with libraries():
    from fairseq_seqgan.preprocess.common import arguments, report, script, source, split
    from fairseq_seqgan.preprocess.common.files import Files, UnreadableError, open_files
    from fairseq_seqgan.preprocess.common.folder import SPLITS
    from fairseq_seqgan.preprocess.midi import MidiError, read_notes

    from fairseq_seqgan.preprocess import melody
    from fairseq_seqgan.show.notes import KEYS, SILENCE

# The zip there has another checksum than repacked copies, so the tunes themselves are compared.
PUBLIC = source.Public("http://www-etud.iro.umontreal.ca/~boulanni/Nottingham.zip")
TUNES_SHA256 = "07021fbacd8fdcb55c8bfc3bb7bc2780599a7597a4f3b5268ee7c16bc341c105"
# Steps, silent steps and windows of train, valid and test with the default options. One training
# tune, morris_simple_chords_2, is faster than 120 beats a minute: it has 250 steps, and 350 with
# --ignore-tempo.
EXPECTED_TUNES = {"train": 694, "valid": 173, "test": 170}
EXPECTED = {
    False: ((110_180, 28_364, 27_786), (179, 39, 43), (3_160, 816, 796)),
    True: ((110_280, 28_364, 27_786), (179, 39, 43), (3_163, 816, 796)),
}
_FOLDERS = {"train": "train", "valid": "valid", "validation": "valid", "test": "test"}


class Tune(NamedTuple):
    """The melody of a file."""

    name: str
    keys: list[int]  # one for each step; SILENCE where nothing sounds
    digest: bytes  # of the file's content
    split: str | None  # whose folder or file it is from; None: of none


def get_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = script.get_parser(__doc__, PUBLIC, "zip file or folder of MIDI files")
    parser.add_argument(
        "--step-seconds",
        type=_fraction,
        default=Fraction("0.4"),
        metavar="S",
        help="time between two pitches (default: 0.4)",
    )
    parser.add_argument(
        "--window", type=int, default=32, metavar="N", help="steps in a sequence (default: 32)"
    )
    parser.add_argument(
        "--silence",
        choices=melody.SILENCES,
        default="hold",
        help="what a silent step becomes: the pitch before it, the word 0, or nothing "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--melody-track",
        type=int,
        metavar="N",
        help="number of the melody's track, from 0 (default: the first with notes)",
    )
    parser.add_argument(
        "--ignore-tempo",
        action="store_true",
        help="always take 120 beats a minute; ignore the tempo in a file",
    )
    parser.add_argument(
        "--skip-bad", action="store_true", help="name and skip a file without a melody"
    )
    parser.add_argument(
        "--split",
        choices=("auto", "folders", "seed"),
        default="auto",
        help="by the folders train, valid and test of the source; by --seed, with repeated "
        "melodies dropped and all windows of a tune together; or by the folders if there are any "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--deduplicate",
        action="store_true",
        help="also with --split folders, drop a tune that has the melody of an earlier one",
    )
    return parser


def _fraction(text: str) -> Fraction:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number") from None


def read_tunes(
    files: Files, args: argparse.Namespace, origin: split.File, dropped: report.Dropped
) -> list[Tune]:
    """Return the melodies of *files*, the content of *origin*.

    Raises:
        InputError: names the file that is broken or has no melody, unless ``--skip-bad``.
    """
    tunes, where = [], origin.path
    for name in files.names:
        owner = origin.split or folder_split(name)
        try:
            data = files.read(name)
            notes = read_notes(data, args.melody_track, args.ignore_tempo)
            keys = melody.sample(notes, args.step_seconds)
        except (UnreadableError, MidiError) as error:
            if not args.skip_bad:
                raise InputError(
                    f"{where}: {name}: {error}; --skip-bad leaves out such files"
                ) from error
            print(visible(f"skipped: {name}: {error}"), file=sys.stderr)
            dropped.add("files without a usable melody", name)
            continue
        tunes.append(Tune(name, keys, hashlib.sha256(data).digest(), owner))
    if not tunes:
        raise InputError(f"{where}: no MIDI file with a melody in it")
    return tunes


def folder_split(name: str) -> str | None:
    """Return the split whose folder holds the file *name*: "valid" for "Validation/a.mid"."""
    found = [_FOLDERS.get(part.lower()) for part in PurePosixPath(name).parts[:-1]]
    return next((name for name in reversed(found) if name), None)


def divide(
    tunes: list[Tune], args: argparse.Namespace, where: Path, dropped: report.Dropped
) -> dict[str, list[Tune]]:
    """Return the tunes of every split; tunes outside all splits and repetitions are *dropped*.

    Raises:
        InputError: the source has some, but not all, of the folders train, valid and test.
    """
    folders = {s: [tune for tune in tunes if tune.split == s] for s in SPLITS}
    missing = [s for s in SPLITS if not folders[s]]
    by_folders = args.split == "folders" or (args.split == "auto" and len(missing) < len(SPLITS))
    if by_folders and missing:
        raise InputError(
            f"{where}: no tune lies in a folder {' or '.join(missing)}; give --split seed to "
            "divide the tunes anew"
        )
    if by_folders:
        for tune in tunes:
            if tune.split is None:
                dropped.add("tunes outside the folders train, valid and test", tune.name)
        tunes = [tune for s in SPLITS for tune in folders[s]]
    if not by_folders or args.deduplicate:
        tunes = without_repetitions(tunes, dropped)
    if by_folders:
        return {s: [tune for tune in tunes if tune.split == s] for s in SPLITS}
    groups = [" ".join(map(str, tune.keys)) for tune in tunes]
    divided = split.divide(groups, args.valid_share, args.test_share, args.seed)
    return {s: [tunes[i] for i in divided[s]] for s in SPLITS}


def without_repetitions(tunes: list[Tune], dropped: report.Dropped) -> list[Tune]:
    """Return the tunes, of those with the same melody only the first."""
    firsts: dict[tuple[int, ...], Tune] = {}
    for tune in tunes:
        if tuple(tune.keys) in firsts:
            dropped.add("repetitions of an earlier tune", tune.name)
        else:
            firsts[tuple(tune.keys)] = tune
    return list(firsts.values())


def count(parts: dict[str, list[Tune]], windows: dict[str, list]) -> dict[str, int]:
    """Return the counts of every split; silent steps are counted before they are filled."""
    counts: dict[str, int] = {}
    for name, tunes in parts.items():
        keys = [key for tune in tunes for key in tune.keys]
        counts |= {f"{name}: tunes": len(tunes), f"{name}: steps": len(keys)}
        counts |= {f"{name}: silent steps": keys.count(SILENCE)}
        counts |= {f"{name}: windows": len(windows[name])}
    return counts


def get_expected(tunes: list[Tune], args: argparse.Namespace) -> dict[str, int]:
    """Return the expected counts for the public tunes with default options, else {}."""
    usual = get_parser().parse_args(["--dest", "x"])
    names = ("step_seconds", "window", "melody_track", "deduplicate", "skip_bad")
    if args.silence == "drop" or args.split == "seed":
        return {}
    if any(getattr(args, name) != getattr(usual, name) for name in names):
        return {}
    if tunes_sha256(tunes) != TUNES_SHA256:
        return {}
    expected: dict[str, int] = {}
    for i, name in enumerate(SPLITS):
        steps, silent, windows = (numbers[i] for numbers in EXPECTED[args.ignore_tempo])
        expected |= {f"{name}: tunes": EXPECTED_TUNES[name], f"{name}: steps": steps}
        expected |= {f"{name}: silent steps": silent, f"{name}: windows": windows}
    return expected


def tunes_sha256(tunes: list[Tune]) -> str:
    """Return a checksum of the contents and splits of *tunes*: the same for a zip and a folder."""
    lines = sorted(f"{t.split} {t.digest.hex()}" for t in tunes)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def make_data(
    raw: source.Source, args: argparse.Namespace, dropped: report.Dropped
) -> script.DataSet:
    """Read, sample and divide the tunes, and cut them into windows."""
    sources = split.files(raw.path, args)
    if len(sources) > 1 and args.split == "seed":
        raise InputError("--split seed: not with --valid and --test, which divide the tunes")
    tunes = []
    for found in sources:
        with open_files(found.path, (".mid", ".midi")) as files:
            tunes += read_tunes(files, args, found, dropped)
    parts = divide(tunes, args, raw.path, dropped)
    filled = {s: [melody.fill(tune.keys, args.silence) for tune in parts[s]] for s in SPLITS}
    windows = {
        s: [w for keys in filled[s] for w in melody.windows(keys, args.window)] for s in SPLITS
    }
    unused = {s: sum(map(len, filled[s])) - args.window * len(windows[s]) for s in SPLITS}
    train = set(windows["train"])
    seen = {s: sum(window in train for window in windows[s]) for s in ("valid", "test")}
    keys = [*range(1, KEYS + 1), *([SILENCE] if args.silence == "rest" else [])]
    return script.DataSet(
        splits={s: [list(map(str, window)) for window in windows[s]] for s in SPLITS},
        counts=count(parts, windows),
        expected=get_expected(tunes, args),
        words=map(str, keys),
        about={"tunes_sha256": tunes_sha256(tunes)},
        more={
            "steps_behind_the_last_window_of_a_tune": unused,
            "windows_that_also_occur_in_train": seen,
        },
        lines=(
            f"steps behind the last whole window of their tune, not used: {sum(unused.values()):,}",
            *(f"{s}: {n:,} windows also occur in train" for s, n in seen.items()),
        ),
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Make the data that the command line *argv* asks for and print a summary.

    Raises:
        InputError: an option or file cannot be used; nothing has been written then.
    """
    args = get_parser().parse_args(argv)
    if args.step_seconds <= 0:
        raise InputError(f"--step-seconds must be above 0, not {args.step_seconds}")
    arguments.require_at_least(1, args, "window")
    arguments.require_at_least(0, args, "melody_track")
    script.run(args, PUBLIC, make_data)


if __name__ == "__main__":
    main()
