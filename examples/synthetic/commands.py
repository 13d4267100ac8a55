"""The command lines of the synthetic experiments: the data are an oracle's."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

from common.commands import Commands as Common
from common.files import read_json
from common.recipe import ROOT, Recipe, options
from common.systems import System, Variant

ORACLE = "oracle"  # the kind of the oracle's own row
_ORACLE_SEEDS = 1000  # the oracle's samples have seeds far from that of the data


class Commands(Common):
    """The command lines for one folder.

    Args:
        recipe: what the preset and its base state.
        systems: by name.
        dest: the experiment's folder, absolute.
        params: the oracle's parameter file; None: a fresh oracle.
    """

    data_title = "oracle and its data"

    def __init__(
        self, recipe: Recipe, systems: dict[str, System], dest: Path, params: Path | None
    ) -> None:
        super().__init__(recipe, systems, dest)
        self.params, self.oracle = params, self.data / "oracle.npz"

    def make_data(self) -> list[str]:
        """Make the data, of a fresh oracle or of the one given; whole or not at all."""
        words = [*self._oracle_script(self.data, self.data_seed), *options(self.recipe["data"])]
        words += ["--overwrite"]  # of what was made and not noted, because the run was interrupted
        return words if self.params is None else [*words, "--params", str(self.params)]

    def data_outputs(self) -> tuple[Path, ...]:
        """Return files that are there once the data are made."""
        return self.data / "train.bin", self.oracle, self.data / "stats.json"

    def about_data(self) -> dict[str, Any]:
        """Return which oracle made the data."""
        return {
            "oracle": hashlib.sha256(self.oracle.read_bytes()).hexdigest(),
            "vocab_size": read_json(self.data / "stats.json")["vocab_size"],
        }

    def places(self) -> dict[str, Path]:
        """Return files and folders by what stands for them in published command lines."""
        return {"DEST": self.dest} | ({"ORACLE": self.params} if self.params else {})

    def task_options(self) -> list[str]:
        """Return the option by which NLL_oracle is measured."""
        return ["--oracle", str(self.oracle)]

    def _oracle_script(self, folder: Path, seed: int) -> list[str]:
        script = str(ROOT / "preprocess" / "oracle.py")
        return [sys.executable, script, "--dest", str(folder), "--seed", str(seed)]

    def samples(self, variant: Variant, seed: int, output: Path) -> tuple[list[str], Path] | None:
        """Return the command that draws the samples, and the file that it leaves."""
        if variant.system.kind != ORACLE:
            return super().samples(variant, seed, output)
        folder = self.dest / "oracle-samples" / f"seed{seed}"
        words = self._oracle_script(folder, self.data_seed + _ORACLE_SEEDS * seed)
        words += ["--params", str(self.oracle), "--overwrite", "--num-train", "1"]
        words += ["--num-valid", "1", "--num-test", str(self.num_samples)]
        return [*words, "--length", str(self.recipe["data"]["length"])], folder / "test.txt"
