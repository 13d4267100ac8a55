"""Fixtures that several test files share: tiny data, a pre-trained generator, a whole training.

Each is made once in a session, by the real commands, and is only read by the tests.
"""

import logging
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from filelock import FileLock

from helpers.commands import LENGTH, REPO, WORDS, Result, fork, gan, mle, run_python

logging.getLogger("filelock").setLevel(logging.WARNING)  # or pytest shows every lock


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return the folder *name*, which *make* fills once for all of pytest's workers."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent
    folder, done = root / name, root / f"{name}.done"
    with FileLock(root / f"{name}.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of another worker, which failed
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


class Training(NamedTuple):
    """A training that a command did, in its --save-dir."""

    folder: Path

    @property
    def result(self) -> Result:
        """What the command printed."""
        return Result(0, *((self.folder / f"log.{end}").read_text() for end in ("out", "err")))

    @property
    def last(self) -> Path:
        """Its last checkpoint."""
        return self.folder / "checkpoint_last.pt"

    @property
    def best(self) -> Path:
        """Its best checkpoint."""
        return self.folder / "checkpoint_best.pt"


def train_once(
    factory: pytest.TempPathFactory, name: str, args: Callable[[Path], list]
) -> Training:
    """Run fairseq-train once for all workers; *args* of a folder are its arguments."""
    return Training(made_once(factory, name, lambda f: fork("train", f, args(f)).check()))


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A folder of sequences of 8 of 50 words, drawn from a small random oracle, and the oracle."""
    options = (
        f"--vocab-size {WORDS} --embed-dim 8 --hidden-size 8 --length {LENGTH} "
        "--num-train 200 --num-valid 50 --num-test 50"
    ).split()
    script = REPO / "preprocess" / "oracle.py"

    def make(folder):
        run_python(script, "--dest", folder / "data", *options, cold=True).check()

    return made_once(tmp_path_factory, "oracle", make) / "data"


@pytest.fixture(scope="session")
def pretrained(data, tmp_path_factory):
    """A generator that was pre-trained on ``data`` by task seqgan."""
    return train_once(tmp_path_factory, "mle", lambda folder: mle(data, folder))


@pytest.fixture(scope="session")
def played(data, pretrained, tmp_path_factory):
    """An adversarial training on ``data``, from its first update to its last."""
    options = played_options(data)
    return train_once(
        tmp_path_factory, "gan", lambda folder: gan(data, folder, pretrained.best, *options)
    )


def played_options(data):
    """Return what ``played`` was trained with beyond the tests' usual options."""
    oracle = data / "oracle.npz"
    return ["--oracle", oracle, "--best-checkpoint-metric", "nll_oracle", "--log-interval", 1]


@pytest.fixture(scope="session")
def text(tmp_path_factory):
    """A folder of binarized text: sentences of 2 to 6 of 8 words."""

    def make(folder):
        generator = random.Random(0)
        arguments = ["--only-source", "--destdir", folder / "data"]
        for split, size in (("train", 120), ("valid", 30), ("test", 30)):
            lines = [
                " ".join(generator.choices("abcdefgh", k=generator.randint(2, 6)))
                for _ in range(size)
            ]
            path = folder / f"{split}.txt"
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            arguments += [f"--{split}pref", path]
        fork("preprocess", folder, arguments).check()

    return made_once(tmp_path_factory, "text", make) / "data"
