"""The experiments of examples/, imported: their merged presets and their command lines."""

import sys
from argparse import Namespace
from importlib import import_module
from pathlib import Path

from helpers.commands import REPO

EXAMPLES = REPO / "examples"
sys.path.append(str(EXAMPLES))

from common import console, files, join, machine, presets, progress, publish, schedule, workspace  # noqa: E402
from common.console import ExperimentError  # noqa: E402
from common.systems import variants  # noqa: E402
from data_size import figure  # noqa: E402
from real import table, teaching  # noqa: E402

__all__ = [
    "ExperimentError", "console", "figure", "files", "join", "machine", "presets", "progress",
    "publish", "schedule", "table", "teaching", "variants", "workspace",
]  # fmt: skip

EXPERIMENTS = sorted(path.parent.name for path in EXAMPLES.glob("*/experiment.py"))
EXPERIMENTS = [name for name in EXPERIMENTS if (EXAMPLES / name / "run.sh").exists()]
PRESETS = sorted(
    (path.parent.name, path.stem)
    for name in EXPERIMENTS
    for path in (EXAMPLES / name).glob("*.yaml")
    if path.stem != "base"
)


def experiment(name: str, preset: str | Path):
    """Return the experiment of the folder *name* that runs *preset*; the demo has two parts."""
    found = import_module(f"{name}.experiment").EXPERIMENT
    return found.part_of(str(preset)) if hasattr(found, "part_of") else found


def load(name: str, preset: str | Path) -> tuple[dict, list]:
    """Return the merged recipe of a preset, or of a YAML file, and its systems."""
    path = preset if isinstance(preset, Path) else EXAMPLES / name / f"{preset}.yaml"
    return experiment(name, path).load(path)


def pairs(line: str) -> dict[str, str]:
    """Return the options of a command line that each have one value."""
    words = line.split()
    return dict(zip(words[::2], words[1::2], strict=True))


def make_commands(name: str, preset: str | Path):
    """Return the merged recipe of a preset and its command lines for the folder /dest."""
    recipe, systems = load(name, preset)
    by_name = {system.name: system for system in systems}
    made = experiment(name, preset).commands(Namespace(source=None), recipe, by_name, Path("/dest"))
    return recipe, made
