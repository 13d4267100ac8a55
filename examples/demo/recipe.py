"""The recipe: every number of the demo, read from a YAML file and turned into command lines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "fairseq_seqgan"
HERE = Path(__file__).resolve().parent

Recipe = dict[str, dict[str, Any]]

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


class DemoError(Exception):
    """The demo cannot go on; the message is one line for the user."""


def load(path: Path) -> Recipe:
    """Return the recipe in the YAML file *path*.

    Raises:
        DemoError: the file cannot be read, or a section or a needed number is missing.
    """
    try:
        recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise DemoError(f"{path}: cannot be read as a recipe ({reason})") from error
    if not isinstance(recipe, dict):
        raise DemoError(f"{path}: not a recipe; it must hold the sections {', '.join(SECTIONS)}")
    for section in SECTIONS:
        if not isinstance(recipe.get(section), dict):
            raise DemoError(f"{path}: section '{section}' is missing or empty")
        for name in NEEDED.get(section, ()):
            if not isinstance(recipe[section].get(name), int):
                raise DemoError(f"{path}: {section}: {name} must be a whole number")
    unknown = sorted(set(map(str, recipe)) - set(SECTIONS))
    if unknown:
        raise DemoError(f"{path}: there is no section '{unknown[0]}'")
    return recipe


def program(name: str, module: str) -> list[str]:
    """Return the start of a command line: the script *name* of this environment, or its module."""
    script = Path(sys.executable).parent / name
    return [str(script)] if script.is_file() else [sys.executable, "-m", module]


def options(*sections: dict[str, Any]) -> list[str]:
    """Return *sections* of a recipe as options of a command."""
    return [
        word for s in sections for name, value in s.items() for word in (f"--{name}", str(value))
    ]


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
        """Train the generator by maximum likelihood; a checkpoint of every epoch is kept."""
        return self._train("mle") + options(self.recipe["generator"], self.recipe["mle"])

    def train_adversarial(self, system: str) -> list[str]:
        """Fine-tune the MLE generator with the reward of *system*."""
        start = ["--finetune-from-model", str(self.checkpoint("mle")), "--oracle", str(self.oracle)]
        sections = (self.recipe[name] for name in ("generator", "adversarial", system))
        return [*self._train(system), *start, "--no-epoch-checkpoints", *options(*sections)]

    def _train(self, system: str) -> list[str]:
        common = ["--user-dir", str(PLUGIN), "--task", "seqgan", "--seed", str(self.seed)]
        common += ["--save-dir", str(self.dest / system), "--cpu", "--log-format", "json"]
        return [*program("fairseq-train", "fairseq_cli.train"), str(self.data), *common]

    def measure_epochs(self, output: Path) -> list[str]:
        """Measure the checkpoint of every MLE epoch, for the learning curves."""
        start = [sys.executable, str(HERE / "measure_epochs.py"), str(self.data)]
        start += ["--checkpoints", str(self.dest / "mle"), "--json", str(output)]
        return [*start, "--seed", str(self.seed), *options(self.recipe["curve"])]

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
