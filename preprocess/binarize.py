"""Making the folder that ``fairseq-train`` reads; shared by all preprocess scripts.

Layout: ``train``, ``valid`` and ``test``, each as ``.txt`` (one sequence a line), ``.bin`` and
``.idx``; ``dict.txt``; and whatever else a script adds. The same text and dictionary give the same
bytes: fairseq's log file, which holds the time of day, is not kept.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fairseq_seqgan.errors import InputError

SPLITS = ("train", "valid", "test")
_OWN_FILES = {
    "dict.txt",
    "stats.json",
    *(f"{split}.{ending}" for split in SPLITS for ending in ("txt", "bin", "idx")),
}


@contextmanager
def new_folder(
    dest: str | Path, overwrite: bool = False, extra_files: tuple[str, ...] = ()
) -> Iterator[Path]:
    """Yield a temporary folder beside *dest* that becomes *dest* if the block ends without error.

    With *overwrite* an existing *dest* is replaced, but only if it holds nothing but the files of
    the layout above and *extra_files*: a mistyped path must not cost anyone a folder.

    Raises:
        InputError: *dest* may not be replaced, or a file or folder cannot be written.
    """
    dest = Path(dest).resolve()
    temporary = dest.with_name(f".{dest.name}.new.{os.getpid()}")
    try:
        _refuse_to_lose(dest, overwrite, _OWN_FILES.union(extra_files))
        temporary.mkdir(parents=True)
        yield temporary
        _replace(temporary, dest)
    except OSError as error:
        raise InputError(f"{error.filename or dest}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def binarize(folder: Path, dictionary: Path, dest: Path) -> None:
    """Binarize *folder*'s train.txt, valid.txt and test.txt (those that exist) into *dest*.

    ``fairseq-preprocess`` does the work: words become the ids of *dictionary* (nothing is added to
    it), an end-of-sentence follows every line. *dest* gets ``dict.txt`` and a ``.bin`` and ``.idx``
    for every split; it may be *folder* itself.

    Raises:
        InputError: there is nothing to binarize, or ``fairseq-preprocess`` fails.
    """
    texts = {split: folder.resolve() / f"{split}.txt" for split in SPLITS}
    texts = {split: path for split, path in texts.items() if path.exists()}
    if not texts:
        raise InputError(f"{folder}: holds none of train.txt, valid.txt, test.txt")
    for path in texts.values():
        if path.stat().st_size == 0:
            raise InputError(f"{path}: is empty")  # fairseq would write it and fail to read it
    with tempfile.TemporaryDirectory(dir=dest, prefix=".binarize.") as work:
        options = [f"--{split}pref={path}" for split, path in texts.items()]
        options += [f"--srcdict={dictionary.resolve()}", f"--destdir={Path(work).resolve()}"]
        _run_fairseq_preprocess(options, Path(work))
        for name in ["dict.txt", *(f"{s}.{e}" for s in texts for e in ("bin", "idx"))]:
            Path(work, name).replace(dest / name)


def _run_fairseq_preprocess(options: list[str], work: Path) -> None:
    """Run it in a process of its own, because it adds log handlers that never go away."""
    fixed = ["--only-source", "--padding-factor=1", "--workers=1", "--dataset-impl=mmap"]
    # The working directory is one where no module lies that "-m" could find first.
    result = subprocess.run(
        [sys.executable, "-m", "fairseq_cli.preprocess", *fixed, *options],
        cwd=work,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if result.returncode != 0:
        lines = result.stdout.strip().splitlines() or [f"exit status {result.returncode}"]
        raise InputError(f"fairseq-preprocess failed: {lines[-1]}")


def _refuse_to_lose(dest: Path, overwrite: bool, own_files: set[str]) -> None:
    if not dest.exists():
        return
    if not dest.is_dir():
        raise InputError(f"{dest}: exists and is not a folder")
    names = sorted(path.name for path in dest.iterdir())
    if names and not overwrite:
        raise InputError(f"{dest}: is not empty; give --overwrite to replace it")
    for name in names:
        if name not in own_files or not (dest / name).is_file():
            raise InputError(f"{dest}: not replaced, because {name} in it is not of this script")


def _replace(temporary: Path, dest: Path) -> None:
    """Rename *temporary* to *dest*; what was there is removed last."""
    if not dest.exists():
        temporary.rename(dest)
        return
    old = dest.with_name(f".{dest.name}.old.{os.getpid()}")
    dest.rename(old)
    try:
        temporary.rename(dest)
    except OSError:
        old.rename(dest)
        raise
    shutil.rmtree(old)
