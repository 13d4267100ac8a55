"""Fixtures that several test files share: tiny data, a pre-trained generator, a whole game.

Each is made once in a session, by the real commands, and is only read by the tests.
"""

import random
from pathlib import Path
from typing import NamedTuple

import pytest
from helpers.commands import LENGTH, REPO, WORDS, Result, fork, gan, mle, run, run_python


class Training(NamedTuple):
    """A training that a command did."""

    folder: Path  # its --save-dir
    result: Result

    @property
    def last(self) -> Path:
        """Its last checkpoint."""
        return self.folder / "checkpoint_last.pt"

    @property
    def best(self) -> Path:
        """Its best checkpoint."""
        return self.folder / "checkpoint_best.pt"


def train(folder, args):
    """Run fairseq-train as a user does; *args* save into *folder*."""
    return Training(folder, run("fairseq-train", *args).check())


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A folder of sequences of 8 of 50 words, drawn from a small random oracle, and the oracle."""
    folder = tmp_path_factory.mktemp("oracle") / "data"
    options = (
        f"--vocab-size {WORDS} --embed-dim 8 --hidden-size 8 --length {LENGTH} "
        "--num-train 200 --num-valid 50 --num-test 50"
    ).split()
    run_python(REPO / "preprocess" / "oracle.py", "--dest", folder, *options).check()
    return folder


@pytest.fixture(scope="session")
def pretrained(data, tmp_path_factory):
    """A generator that was pre-trained on ``data`` by task seqgan."""
    folder = tmp_path_factory.mktemp("mle")
    return train(folder, mle(data, folder))


@pytest.fixture(scope="session")
def played(data, pretrained, tmp_path_factory):
    """An adversarial training on ``data``, from its first update to its last."""
    folder = tmp_path_factory.mktemp("gan")
    return train(folder, gan(data, folder, pretrained.best, *played_options(data)))


def played_options(data):
    """Return what ``played`` was trained with beyond the tests' usual options."""
    oracle = data / "oracle.npz"
    return ["--oracle", oracle, "--best-checkpoint-metric", "nll_oracle", "--log-interval", 1]


@pytest.fixture(scope="session")
def text(tmp_path_factory):
    """A folder of binarized text: sentences of 2 to 6 of 8 words."""
    folder = tmp_path_factory.mktemp("text")
    generator = random.Random(0)
    arguments = ["--only-source", "--destdir", folder / "data"]
    for split, size in (("train", 120), ("valid", 30), ("test", 30)):
        lines = [
            " ".join(generator.choices("abcdefgh", k=generator.randint(2, 6))) for _ in range(size)
        ]
        path = folder / f"{split}.txt"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        arguments += [f"--{split}pref", path]
    fork("preprocess", folder, arguments).check()
    return folder / "data"
