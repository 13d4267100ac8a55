"""What the two parts of the demo share: one seed, and an oracle of its own."""

from __future__ import annotations

import argparse
from typing import Any

from common.console import ExperimentError
from common.recipe import Recipe
from common.steps import Steps
from common.systems import Variant, variants
from synthetic.experiment import Synthetic

_MOST = 2**32 - 1  # that fairseq hands on to numpy


class OneSeed(Synthetic):
    """One seed, which is that of the data and of everything drawn."""

    noun = "demo"
    epilog = ""
    report_again = False  # there is one seed, so nothing can have been added

    def seeds(self, args: argparse.Namespace, recipe: Recipe) -> list[int]:
        """Return the one seed, and make it that of the data as well.

        Raises:
            ExperimentError: it is not a whole number, or too large.
        """
        if not str(args.seed).isdecimal() or int(args.seed) > _MOST:
            raise ExperimentError(
                f"the seed is '{args.seed}': it must be a whole number from 0 to {_MOST}"
            )
        recipe["experiment"]["data-seed"] = int(args.seed)
        return [int(args.seed)]

    def identity(self, args: argparse.Namespace) -> dict[str, Any]:
        """Return the seed; the oracle is always a fresh one."""
        return {"seed": int(args.seed)}

    def find_oracle(self) -> None:
        """Return None: the environment variable ORACLE has no effect on the demo."""

    @staticmethod
    def rows(steps: Steps, checkpoints: dict[str, str]) -> dict[str, Variant]:
        """Return the plain row of each system in *checkpoints*, which names its checkpoint."""
        return {
            row.system.name: row
            for row in variants(list(steps.commands.systems.values()))
            if checkpoints.get(row.system.name) == row.checkpoint
            and row.temperature == 1.0
            and row.guide == 1
        }
