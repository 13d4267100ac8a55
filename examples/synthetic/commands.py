"""The command lines of the experiment; ordinary commands, each printed before it runs."""

from __future__ import annotations

import sys
from pathlib import Path

from common.recipe import PLUGIN, ROOT, Recipe, options, program
from recipe import CHECKPOINTS, System, Variant, updates_of_g

_ORACLE_SEEDS = 1000  # the oracle's samples have seeds far from that of the data


class Commands:
    """The command lines for one folder.

    Args:
        recipe: what ``recipe.load`` returned.
        systems: by name.
        dest: the experiment's folder, absolute.
        params: the oracle's parameter file; None: a fresh oracle.
    """

    def __init__(
        self, recipe: Recipe, systems: dict[str, System], dest: Path, params: Path | None
    ) -> None:
        self.recipe, self.systems, self.dest, self.params = recipe, systems, dest, params
        self.data = dest / "data"
        self.oracle = self.data / "oracle.npz"
        self.data_seed = recipe["experiment"]["data-seed"]
        self.num_samples = recipe["samples"]["num-samples"]

    def make_data(self) -> list[str]:
        """Make the data, of a fresh oracle or of the one given; whole or not at all."""
        words = [*self._oracle_script(self.data, self.data_seed), *options(self.recipe["data"])]
        return words if self.params is None else [*words, "--params", str(self.params)]

    def _oracle_script(self, folder: Path, seed: int) -> list[str]:
        script = str(ROOT / "preprocess" / "oracle.py")
        return [sys.executable, script, "--dest", str(folder), "--seed", str(seed)]

    def training(self, system: System, seed: int) -> Path:
        """Return fairseq's --save-dir."""
        return self.dest / "trainings" / f"{system.name}-seed{seed}"

    def checkpoint(self, system: System, which: str, seed: int) -> Path:
        """Return a checkpoint of a training: ``last`` or ``best``."""
        return self.training(system, seed) / CHECKPOINTS[which]

    def train(self, system: System, seed: int) -> list[str]:
        """Train *system*; what was interrupted goes on from its last checkpoint."""
        words = [*program("fairseq-train", "fairseq_cli.train"), str(self.data)]
        words += ["--user-dir", str(PLUGIN), "--task", "seqgan", "--seed", str(seed)]
        words += ["--save-dir", str(self.training(system, seed)), "--oracle", str(self.oracle)]
        words += ["--log-format", "json", "--no-epoch-checkpoints"]
        if system.start is not None:
            start = self.systems[system.start.system], system.start.checkpoint
            words += ["--finetune-from-model", str(self.checkpoint(*start, seed))]
        words += options(self.recipe["device"], system.options)
        limit = self.max_update(system)
        return words if limit is None else [*words, "--max-update", str(limit)]

    def max_update(self, system: System) -> int | None:
        """Return the updates of a training that does as many as another one has of G."""
        return updates_of_g(self.systems[system.updates_of]) if system.updates_of else None

    def samples(self, variant: Variant, seed: int, output: Path) -> tuple[list[str], Path]:
        """Return the command that draws the samples, and the file that it leaves.

        fairseq-generate leaves ``generate-test.txt`` in the folder of *output*, in which the
        samples are the lines that begin with H-.
        """
        system = variant.system
        if system.kind == "oracle":
            folder = self.dest / "oracle-samples" / f"seed{seed}"
            words = self._oracle_script(folder, self.data_seed + _ORACLE_SEEDS * seed)
            words += ["--params", str(self.oracle), "--overwrite", "--num-train", "1"]
            words += ["--num-valid", "1", "--num-test", str(self.num_samples)]
            return [*words, "--length", str(self.recipe["data"]["length"])], folder / "test.txt"
        if system.random is not None:
            words = [*program("fairseq-seqgan", "fairseq_seqgan.cli"), "random"]
            words += ["--data", str(self.data), "--kind", system.random, "--seed", str(seed)]
            words += ["--num-samples", str(self.num_samples), "--output", str(output)]
            return words, output
        words = [*program("fairseq-generate", "fairseq_cli.generate"), str(self.data)]
        words += ["--user-dir", str(PLUGIN), "--task", "seqgan", "--seed", str(seed)]
        words += ["--path", str(self.checkpoint(system, variant.checkpoint, seed)), "--sampling"]
        words += ["--temperature", f"{variant.temperature:g}"]
        words += ["--results-path", str(output.parent)]
        words += options(self.recipe["device"], self.recipe["samples"])
        return words, output.parent / "generate-test.txt"

    def evaluate(self, variant: Variant, seed: int, samples: Path, folder: Path) -> list[str]:
        """Measure the samples, and the model on held-out data, into the run's *folder*."""
        words = [*program("fairseq-seqgan", "fairseq_seqgan.cli"), "evaluate"]
        words += ["--samples", str(samples), "--data", str(self.data)]
        words += ["--oracle", str(self.oracle), "--seed", str(seed)]
        words += ["--json", str(folder / "metrics.json")]
        words += ["--per-sample", str(folder / "scores.npz")]
        if variant.system.options is not None:
            model = self.checkpoint(variant.system, variant.checkpoint, seed)
            words += ["--model", str(model), "--temperature", f"{variant.temperature:g}"]
        return [*words, *options(self.recipe.get("evaluation", {}))]

    def report(self, runs: Path, output: Path) -> list[str]:
        """Make the report of all run folders in *runs*."""
        words = [*program("fairseq-seqgan", "fairseq_seqgan.cli"), "report", str(runs)]
        return [*words, "--output", str(output), *options(self.recipe.get("report", {}))]
