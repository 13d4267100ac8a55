"""The demo: a preset of the synthetic experiments, with a table and an explanation of its own."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from common.console import ExperimentError
from common.files import copy_if_changed, read_json, write_json
from common.recipe import Recipe
from common.steps import Steps
from common.systems import BEST, LAST, System, variants
from synthetic.experiment import Synthetic

from .closing import AUCS, METRICS, REWARDED, Systems, explain, table

HERE = Path(__file__).resolve().parent
CHECKPOINTS = {"mle": BEST, **dict.fromkeys(REWARDED, LAST)}  # whose results are in the table
CURVES = "learning_curves.png"


class Demo(Synthetic):
    """One seed, which is that of the data and of everything drawn."""

    noun = "demo"
    epilog = ""
    report_again = False  # there is one seed, so nothing can have been added

    def get_parser(self) -> argparse.ArgumentParser:
        """Return the parser of the command line."""
        parser = argparse.ArgumentParser("run.sh", description=self.title)
        parser.add_argument(
            "--seed",
            default=os.environ.get("SEED") or "1",
            help="of the data and everything drawn; default: the environment variable SEED, or 1",
        )
        parser.add_argument(
            "--dest",
            type=Path,
            default=Path("demo"),
            help="folder to make, or to resume in (default: %(default)s)",
        )
        parser.add_argument(
            "--recipe",
            dest="preset",
            default="demo",
            metavar="FILE",
            help="a YAML file of your own, such as one that says `base: demo` and what differs",
        )
        parser.set_defaults(jobs=1, publish=None)
        return parser

    def seeds(self, args: argparse.Namespace, recipe: Recipe) -> list[int]:
        """Return the one seed, and make it that of the data as well.

        Raises:
            ExperimentError: it is not a whole number.
        """
        if not str(args.seed).isdecimal():
            raise ExperimentError(
                f"the seed is '{args.seed}': it must be a whole number, 0 or more"
            )
        recipe["experiment"]["data-seed"] = int(args.seed)
        return [int(args.seed)]

    def identity(self, args: argparse.Namespace) -> dict[str, Any]:
        """Return the seed; the oracle is always a fresh one."""
        return {"seed": int(args.seed)}

    def find_oracle(self) -> None:
        """Return None: the environment variable ORACLE has no effect on the demo."""

    def load(self, preset: Path) -> tuple[Recipe, list[System]]:
        """Return the recipe of the YAML file *preset* and its systems.

        Raises:
            ExperimentError: see the base class, or a row of the table is missing.
        """
        recipe, systems = super().load(preset)
        rows = {(row.system.name, row.checkpoint): row for row in variants(systems)}
        for name, checkpoint in CHECKPOINTS.items():
            if (name, checkpoint) not in rows:
                raise ExperimentError(f"{preset}: systems: there is no row {name}/{checkpoint}")
            if name in REWARDED and not rows[name, checkpoint].system.adversarial:
                raise ExperimentError(f"{preset}: systems: {name}: has no adversarial training")
        return recipe, systems

    def results(self, steps: Steps, seeds: list[int]) -> str:
        """Write ``report.json``, the picture and SeqGAN's samples; return the closing table."""
        work, commands, seed = steps.work, steps.commands, seeds[0]
        rows = {
            row.system.name: row
            for row in variants(list(commands.systems.values()))
            if CHECKPOINTS.get(row.system.name) == row.checkpoint
        }
        # The oracle draws the test data itself, so its three metrics are one number: its entropy.
        entropy = read_json(commands.data / "stats.json")["splits"]["test"]["nll_oracle"]
        systems: Systems = {"oracle": dict.fromkeys(METRICS, entropy)}
        for name in CHECKPOINTS:
            found = read_json(steps.folder(rows[name], seed) / "metrics.json")
            systems[name] = {metric: found[metric] for metric in METRICS}
        for name in REWARDED:
            before, after = self._validations(steps, commands.systems[name], seed)
            systems[name] |= {auc: after[auc] for auc in AUCS if auc in after}
            if name == "seqgan" and before is not None:
                systems["mle"] |= {auc: before[auc] for auc in AUCS}
        report = {"seed": seed, "units": "nats per token", "systems": systems}
        write_json(work.dest / "report.json", report | {"seconds": work.state["seconds"]})
        copy_if_changed(work.dest / "report" / CURVES, work.dest / CURVES)
        copy_if_changed(steps.samples_file(rows["seqgan"], seed), work.dest / "samples.txt")
        labels = {name: system.label for name, system in commands.systems.items()}
        return f"{table(systems, labels)}\n\n{explain(systems, commands.num_samples)}"

    @staticmethod
    def _validations(steps: Steps, system: System, seed: int) -> tuple[dict | None, dict]:
        """Return an adversarial training's last validation before its first round, and its last.

        Raises:
            ExperimentError: the log does not hold every round.
        """
        # Imported late: the package imports fairseq, which takes seconds.
        from fairseq_seqgan.reporting.training_log import validations

        log = steps.training_log(system, seed)
        records, pretrain = validations(log), system.options["pretrain-d-steps"]
        if len(records) - pretrain != system.options["rounds"]:
            folder = steps.commands.training(system, seed)
            raise ExperimentError(f"{log}: does not hold every round; remove it and {folder}")
        return records[pretrain - 1] if pretrain else None, records[-1]

    def closing(self, args: argparse.Namespace) -> str:
        """Return where everything is, and a command for another seed."""
        seed = int(args.seed) + 1
        script = os.path.relpath(HERE / "run.sh")
        return (
            f"Everything is in {args.dest}/ (report.json, learning_curves.png, samples.txt, "
            f"report/, runs/, trainings/, logs/). Another seed: SEED={seed} {script} "
            f"--dest {args.dest}-{seed}"
        )


EXPERIMENT = Demo(
    HERE, "SeqGAN from nothing in a few minutes: an oracle, MLE, SeqGAN, and a constant reward."
)
