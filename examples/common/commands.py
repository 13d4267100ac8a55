"""The command lines of an experiment; ordinary commands, each printed before it runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from .recipe import PLUGIN, Recipe, options, program
from .shared import run_folder
from .systems import BEST, CHECKPOINTS, LAST, System, Variant, updates_of_g


class Commands(ABC):
    """The command lines for one folder; a subclass knows what the data are.

    Args:
        recipe: what the YAML file holds.
        systems: by name.
        dest: the experiment's folder, absolute.
    """

    data_title: ClassVar[str]  # what the user reads while the data are made

    def __init__(self, recipe: Recipe, systems: dict[str, System], dest: Path) -> None:
        self.recipe, self.systems, self.dest = recipe, systems, dest
        self.data = dest / "data"
        self.data_seed = recipe["experiment"]["data-seed"]
        self.num_samples = recipe["samples"]["num-samples"]
        # The system whose D judges the samples of all others; it is trained before they are drawn.
        judge = recipe["experiment"].get("judge")
        self.judge = None if judge is None else systems[judge]
        for system in systems.values():
            self.max_update(system)  # a mistake in it is found before anything is trained

    @abstractmethod
    def make_data(self) -> list[str]:
        """Make the data, whole or not at all."""

    @abstractmethod
    def data_outputs(self) -> tuple[Path, ...]:
        """Return files that are there once the data are made."""

    @abstractmethod
    def about_data(self) -> dict[str, Any]:
        """Return what ``run.json`` says of the data: runs that differ in it do not compare."""

    @abstractmethod
    def places(self) -> dict[str, Path]:
        """Return files and folders by what stands for them in published command lines."""

    def task_options(self) -> list[str]:
        """Return options that training and evaluating have because of the data."""
        return []

    def training(self, system: System, seed: int) -> Path:
        """Return fairseq's --save-dir."""
        return self.dest / "trainings" / f"{system.name}-seed{seed}"

    def checkpoint(self, system: System, which: str, seed: int) -> Path:
        """Return a checkpoint of a training: ``last`` or ``best``."""
        return self.training(system, seed) / CHECKPOINTS[which]

    def train(self, system: System, seed: int) -> list[str]:
        """Train *system*; an interrupted training resumes from its last checkpoint."""
        words = [*program("fairseq-train", "fairseq_cli.train"), str(self.data)]
        words += ["--user-dir", str(PLUGIN), "--task", "seqgan", "--seed", str(seed)]
        words += ["--save-dir", str(self.training(system, seed)), *self.task_options()]
        words += ["--log-format", "json", "--no-epoch-checkpoints"]
        if system.start is not None:
            start = self.systems[system.start.system], system.start.checkpoint
            words += ["--finetune-from-model", str(self.checkpoint(*start, seed))]
        if system.discriminator_from is not None:
            first = self.systems[system.discriminator_from]
            words += ["--discriminator-from", str(self.checkpoint(first, LAST, seed))]
        words += options(self.recipe["device"], _for_seed(system.training_options, seed))
        limit = self.max_update(system)
        return words if limit is None else [*words, "--max-update", str(limit)]

    def max_update(self, system: System) -> int | None:
        """Return the updates of a training that does as many as another one has of G."""
        return updates_of_g(self.systems[system.updates_of]) if system.updates_of else None

    def samples(self, variant: Variant, seed: int, output: Path) -> tuple[list[str], Path] | None:
        """Return the command that draws the samples, and the file that it leaves.

        fairseq-generate leaves ``generate-test.txt`` in the folder of *output*, in which the
        samples are the lines that begin with H-.

        Returns:
            None for a row that is not drawn.
        """
        system = variant.system
        if system.random is not None:
            words = [*program("fairseq-seqgan", "fairseq_seqgan.cli"), "random"]
            words += ["--data", str(self.data), "--kind", system.random, "--seed", str(seed)]
            words += ["--num-samples", str(self.num_samples), "--output", str(output)]
            return [*words, "--overwrite"], output
        words = [*program("fairseq-generate", "fairseq_cli.generate"), str(self.data)]
        words += ["--user-dir", str(PLUGIN), "--task", "seqgan", "--seed", str(seed)]
        words += ["--path", str(self.checkpoint(system, variant.checkpoint, seed)), "--sampling"]
        words += ["--temperature", f"{variant.temperature:g}"]
        if variant.guide > 1:
            words += ["--guide", str(variant.guide)]
        words += ["--results-path", str(output.parent)]
        words += options(self.recipe["device"], self.recipe["samples"])
        return words, output.parent / "generate-test.txt"

    def evaluate(self, variant: Variant, seed: int, samples: Path, folder: Path) -> list[str]:
        """Measure the samples, and the model on held-out data, into the run's *folder*."""
        words = [*program("fairseq-seqgan", "fairseq_seqgan.cli"), "evaluate"]
        words += [*self.hypotheses(variant, samples), "--data", str(self.data)]
        words += [*self.task_options(), "--seed", str(seed)]
        words += ["--json", str(folder / run_folder.METRICS)]
        words += ["--per-sample", str(folder / run_folder.SCORES), "--overwrite"]
        if variant.system.options is not None:
            model = self.checkpoint(variant.system, variant.checkpoint, seed)
            words += ["--model", str(model), "--temperature", f"{variant.temperature:g}"]
            if variant.guide > 1 or variant.system.trains_discriminator:
                words += ["--discriminator", str(model)]
            if variant.system.ensemble and variant.guide == 1 and variant.temperature == 1.0:
                others = [self.systems[name] for name in variant.system.ensemble]
                members = [str(self.checkpoint(other, BEST, seed)) for other in others]
                words += ["--ensemble", *members]
            if self.judge is not None:
                words += ["--judge", str(self.checkpoint(self.judge, LAST, seed))]
        asked = dict(self.recipe.get("evaluation", {}))
        if variant.system.options is None:
            asked.pop("calibrate", None)  # a temperature is a model's
        return [*words, *options(asked)]

    def hypotheses(self, variant: Variant, samples: Path) -> list[str]:
        """Return the options that say what is measured."""
        return ["--samples", str(samples)]

    def report(self, runs: Path, output: Path) -> list[str]:
        """Make the report of all run folders in *runs*."""
        words = [*program("fairseq-seqgan", "fairseq_seqgan.cli"), "report", str(runs)]
        words += ["--output", str(output), "--overwrite"]
        return [*words, *options(self.recipe.get("report", {}))]


def _for_seed(stated: dict[str, Any], seed: int) -> dict[str, Any]:
    """Return the options of a training with *seed*.

    A ``seed`` among them, which makes one training differ from another of its kind, is that of
    seed 1. Each further seed has the next, so that its trainings are new ones too.
    """
    return stated | {"seed": stated["seed"] + seed - 1} if "seed" in stated else stated
