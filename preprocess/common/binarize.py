"""Making the folder that ``fairseq-train`` reads; shared by all preprocess scripts.

Layout: ``train``, ``valid`` and ``test``, each as ``.txt`` (one sequence a line), ``.bin`` and
``.idx``; ``dict.txt``; and the files that a script adds. The same text and dictionary give the same
bytes, because fairseq's log file, which holds the time of day, is left out.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from fairseq_seqgan.support.errors import InputError

from .folder import SPLITS


def binarize(folder: Path, dictionary: Path, dest: Path) -> None:
    """Binarize *folder*'s train.txt, valid.txt and test.txt (those that exist) into *dest*.

    ``fairseq-preprocess`` does the work: words become the ids of *dictionary*, to which nothing is
    added, and an end-of-sentence follows every line. *dest* gets ``dict.txt`` and a ``.bin`` and
    ``.idx`` for every split; it may be *folder* itself.

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
