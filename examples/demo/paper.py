"""The first part of the demo: MLE, SeqGAN and a constant reward on data of the paper's size."""

from __future__ import annotations

import argparse
from pathlib import Path

from common.console import ExperimentError
from common.files import copy_if_changed, read_json, write_json
from common.recipe import Recipe
from common.steps import Steps
from common.systems import BEST, LAST, System, variants

from .closing import AUCS, METRICS, REWARDED, Systems, explain, table
from .one_seed import OneSeed

CHECKPOINTS = {"mle": BEST, **dict.fromkeys(REWARDED, LAST)}  # whose results are in the table
CURVES = "learning_curves.png"


class PaperSize(OneSeed):
    """Its preset is demo.yaml."""

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
        rows = self.rows(steps, CHECKPOINTS)
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
            ExperimentError: the log does not hold the last round.
        """
        # Imported late: the package imports fairseq, which takes seconds.
        from fairseq_seqgan.reporting.training_log import validations

        log = steps.training_log(system, seed)
        options = system.training_options
        records, pretrain = validations(log), options["pretrain-d-steps"]
        # An epoch of D's pre-training, or a round; the last one is always validated.
        if not records or records[-1]["epoch"] != pretrain + options["rounds"]:
            folder = steps.commands.training(system, seed)
            raise ExperimentError(f"{log}: does not hold the last round; remove it and {folder}")
        before = [record for record in records if record["epoch"] <= pretrain]
        return before[-1] if before else None, records[-1]

    def closing(self, args: argparse.Namespace) -> str:
        """Return where everything is."""
        return (
            f"Everything is in {args.dest}/ (report.json, learning_curves.png, samples.txt, "
            "report/, runs/, trainings/, logs/)"
        )
