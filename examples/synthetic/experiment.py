"""The paper's synthetic experiments: the data are drawn from an oracle."""

from __future__ import annotations

import argparse
import hashlib
import os
from pathlib import Path
from typing import Any

from common.console import ExperimentError
from common.experiment import Experiment
from common.recipe import Recipe
from common.steps import Steps
from common.systems import System

from .commands import ORACLE, Commands


class Synthetic(Experiment):
    """An experiment on an oracle's data."""

    kind = ORACLE
    epilog = (
        "The environment variable ORACLE names the oracle's parameter file, such as the\n"
        "authors' target_params_py3.pkl; without it the oracle is a fresh one."
    )
    needed = Experiment.needed | {"data": ("length",)}

    def identity(self, args: argparse.Namespace) -> dict[str, Any]:
        """Return which oracle it is."""
        params = self.find_oracle()
        digest = None if params is None else hashlib.sha256(params.read_bytes()).hexdigest()
        return {"oracle": digest or "a fresh one"}

    def commands(
        self, args: argparse.Namespace, recipe: Recipe, systems: dict[str, System], dest: Path
    ) -> Commands:
        """Return the command lines for the folder *dest*."""
        return Commands(recipe, systems, dest, self.find_oracle())

    def results(self, steps: Steps, seeds: list[int]) -> str:
        """Return the first table of ``report.md``."""
        report = steps.work.dest / "report" / "report.md"
        parts = report.read_text(encoding="utf-8").split("\n\n")
        return parts[parts.index("## Results") + 1]

    def find_oracle(self) -> Path | None:
        """Return the file that the environment variable ORACLE names.

        Raises:
            ExperimentError: there is no such file.
        """
        named = os.environ.get("ORACLE")
        if not named:
            return None
        if not Path(named).is_file():
            raise ExperimentError(f"ORACLE={named}: no such file")
        return Path(named).resolve()


EXPERIMENT = Synthetic(
    Path(__file__).resolve().parent,
    "The paper's synthetic experiments: every system trained, sampled, measured and reported.",
)
