"""The command lines of a real task: the data come from a raw file."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

from common.commands import Commands as Common
from common.files import read_json
from common.recipe import ROOT, Recipe, options, program
from common.systems import System, Variant

from .task import Task

REAL = "real"  # the kind of the row of real held-out data
_SPLITS = ("train", "valid", "test")


class Commands(Common):
    """The command lines for one folder.

    Args:
        task: what the data are.
        recipe: what the preset and its base state.
        systems: by name.
        dest: the experiment's folder, absolute.
        source: the raw file or folder, or an address; None: the script's public address.
    """

    data_title = "data"

    def __init__(
        self, task: Task, recipe: Recipe, systems: dict[str, System], dest: Path, source: str | None
    ) -> None:
        super().__init__(recipe, systems, dest)
        self.task, self.source = task, source

    def make_data(self) -> list[str]:
        """Make the data from the raw file, whole or not at all."""
        script = str(ROOT / "preprocess" / f"{self.task.script}.py")
        words = [sys.executable, script, "--dest", str(self.data), "--seed", str(self.data_seed)]
        words += ["--overwrite", *options(self.recipe["data"])]
        return words if self.source is None else [*words, "--source", self.source]

    def data_outputs(self) -> tuple[Path, ...]:
        """Return files that are there once the data are made."""
        return self.data / "train.bin", self.data / "dict.txt", self.data / "stats.json"

    def about_data(self) -> dict[str, Any]:
        """Return which sequences the data are, and how many words they have."""
        texts = b"\0".join((self.data / f"{split}.txt").read_bytes() for split in _SPLITS)
        return {
            "data": hashlib.sha256(texts).hexdigest(),
            "vocab_size": read_json(self.data / "stats.json")["dictionary_words"],
        }

    def places(self) -> dict[str, Path]:
        """Return files and folders by what stands for them in published command lines."""
        if self.source is None or "://" in self.source:
            return {"DEST": self.dest}
        return {"DEST": self.dest, "SOURCE": Path(self.source)}

    def samples(self, variant: Variant, seed: int, output: Path) -> tuple[list[str], Path] | None:
        """Return the command that draws the samples, and the file that it leaves."""
        if variant.system.kind == REAL:
            return None
        return super().samples(variant, seed, output)

    def hypotheses(self, variant: Variant, samples: Path) -> list[str]:
        """Return the options that say what is measured: real data of the valid split, or samples.

        The references of both are the test split.
        """
        if variant.system.kind == REAL:
            return ["--real-split", "valid"]
        return super().hypotheses(variant, samples)

    def show(self, samples: Path, number: int, folder: Path) -> list[str]:
        """Write the first *number* tunes of a file as MIDI and as pictures."""
        words = [*program("fairseq-seqgan", "fairseq_seqgan.cli"), "show", "--kind", "music"]
        words += ["--samples", str(samples), "--num", str(number)]
        return [*words, "--out", str(folder), "--overwrite"]

    def turing_test(self, real: Path, systems: dict[str, Path], page: Path) -> list[str]:
        """Make the page on which people judge, and its key."""
        words = [*program("fairseq-seqgan", "fairseq_seqgan.cli"), "turing-test", "build"]
        words += ["--kind", self.task.kind, "--real", str(real)]
        for name, path in systems.items():
            words += ["--system", f"{name}={path}"]
        words += ["--per-source", str(self.recipe["people"]["per-source"])]
        words += ["--seed", str(self.data_seed)]
        return [*words, "--out", str(page), "--overwrite"]

    def report(self, runs: Path, output: Path) -> list[str]:
        """Make the report, with the BLEU of the paper's table in the picture and the t-tests."""
        words = super().report(runs, output)
        measured = self.recipe.get("evaluation", {}).get("bleu") or []
        return [*words, "--bleu", str(self.task.order)] if self.task.order in measured else words
