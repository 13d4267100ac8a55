"""The demo's recipe and the command lines that it stands for."""

from __future__ import annotations

import sys
from pathlib import Path

from common.recipe import PLUGIN, ROOT, Recipe, need_whole, options, program, read

HERE = Path(__file__).resolve().parent

SECTIONS = (
    "environment", "data", "generator", "mle", "adversarial", "seqgan", "constant_reward",
    "samples", "curve",
)  # fmt: skip
# What run.py itself does arithmetic with.
NEEDED = {
    "mle": ("max-epoch",),
    "adversarial": ("pretrain-d-steps", "rounds", "g-steps"),
    "samples": ("num-samples",),
    "curve": ("num-samples",),
}


def load(path: Path) -> Recipe:
    """Return the recipe in the YAML file *path*.

    Raises:
        ExperimentError: the file cannot be read, or a section or a needed number is missing.
    """
    recipe = read(path, SECTIONS)
    for section, names in NEEDED.items():
        need_whole(path, recipe, section, names)
    return recipe


class Commands:
    """The command lines of one demo.

    Args:
        recipe: what :func:`load` returned.
        dest: the demo's folder.
        seed: of the data, the trainings and the samples.
    """

    def __init__(self, recipe: Recipe, dest: Path, seed: int) -> None:
        self.recipe, self.dest, self.seed = recipe, dest, seed
        self.data = dest / "data"
        self.oracle = self.data / "oracle.npz"

    def make_data(self) -> list[str]:
        """Make the oracle and its data, whole or not at all."""
        script = str(ROOT / "preprocess" / "oracle.py")
        start = [sys.executable, script, "--dest", str(self.data), "--seed", str(self.seed)]
        return start + options(self.recipe["data"])

    def train_mle(self) -> list[str]:
        """Train the generator by maximum likelihood; every epoch is measured for the curves."""
        measured = {"oracle": self.oracle, "num-eval-samples": self.recipe["curve"]["num-samples"]}
        sections = (self.recipe["generator"], self.recipe["mle"], measured)
        return [*self._train("mle"), *options(*sections)]

    def train_adversarial(self, system: str) -> list[str]:
        """Fine-tune the MLE generator with the reward of *system*."""
        start = ["--finetune-from-model", str(self.checkpoint("mle")), "--oracle", str(self.oracle)]
        sections = (self.recipe[name] for name in ("generator", "adversarial", system))
        return [*self._train(system), *start, *options(*sections)]

    def _train(self, system: str) -> list[str]:
        common = ["--user-dir", str(PLUGIN), "--task", "seqgan", "--seed", str(self.seed)]
        common += ["--save-dir", str(self.dest / system), "--cpu", "--log-format", "json"]
        common += ["--no-epoch-checkpoints"]
        return [*program("fairseq-train", "fairseq_cli.train"), str(self.data), *common]

    def generate(self, system: str) -> list[str]:
        """Draw samples of *system*; fairseq writes them to generate-test.txt in its folder."""
        start = ["--user-dir", str(PLUGIN), "--task", "seqgan", "--seed", str(self.seed)]
        start += ["--path", str(self.checkpoint(system)), "--sampling", "--cpu"]
        start += ["--results-path", str(self.dest / system)]
        first = program("fairseq-generate", "fairseq_cli.generate")
        return [*first, str(self.data), *start, *options(self.recipe["samples"])]

    def evaluate(self, system: str, samples: Path, output: Path) -> list[str]:
        """Measure *samples*, and the checkpoint of *system* on held-out data."""
        start = [*program("fairseq-seqgan", "fairseq_seqgan.cli"), "evaluate"]
        start += ["--samples", str(samples), "--data", str(self.data), "--oracle", str(self.oracle)]
        start += ["--model", str(self.checkpoint(system)), "--seed", str(self.seed)]
        return [*start, "--json", str(output)]

    def checkpoint(self, system: str) -> Path:
        """Return the result of a training: MLE's best epoch by held-out loss, else the last."""
        name = "checkpoint_best.pt" if system == "mle" else "checkpoint_last.pt"
        return self.dest / system / name
