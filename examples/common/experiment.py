"""An experiment from a preset: its command line, and its steps from the data to the results."""

from __future__ import annotations

import argparse
import textwrap
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, ClassVar

from . import join, schedule
from .commands import Commands
from .console import ExperimentError, guarded
from .files import write
from .publish import check_target, publish
from .recipe import Recipe, as_yaml, need_whole, read
from .steps import Steps
from .systems import System, parse
from .workspace import Step, Workspace

SECTIONS = ("environment", "data", "experiment", "device", "samples", "options", "systems")
OPTIONAL = ("evaluation", "report")
_DIGITS = 6  # of a seed: fairseq hands it on to numpy, which takes 32 bits


BESIDE = Path("results", "PRESET")  # of --publish without a folder; compared by identity


class Experiment(ABC):
    """What one folder of ``examples/`` runs. A subclass defines what the data are.

    Args:
        folder: in which its presets are.
        title: what ``--help`` says it is.
    """

    noun: ClassVar[str] = "experiment"  # what messages call it
    kind: ClassVar[str]  # of the row that is neither trained nor drawn at random: oracle or real
    epilog: ClassVar[str] = ""  # of --help
    sections: ClassVar[tuple[str, ...]] = SECTIONS
    # Whole numbers that a recipe must state, by section.
    needed: ClassVar[dict[str, tuple[str, ...]]] = {
        "experiment": ("seeds", "data-seed"),
        "samples": ("num-samples",),
    }
    # Whether the report is made again where nothing is left to do: there may be more seeds.
    report_again: ClassVar[bool] = True

    def __init__(self, folder: Path, title: str) -> None:
        self.folder, self.title = folder, title

    @abstractmethod
    def identity(self, args: argparse.Namespace) -> dict[str, Any]:
        """Return what makes it this experiment beside its recipe, by name, as JSON.

        Raises:
            ExperimentError: an option cannot be used.
        """

    @abstractmethod
    def commands(
        self, args: argparse.Namespace, recipe: Recipe, systems: dict[str, System], dest: Path
    ) -> Commands:
        """Return the command lines for the folder *dest*."""

    @abstractmethod
    def results(self, steps: Steps, seeds: list[int]) -> str:
        """Return the table that is printed, once every step is done."""

    def tidy(  # noqa: B027 (most publish all of it)
        self, args: argparse.Namespace, steps: Steps, report: Path
    ) -> None:
        """Take out of a copy of the report what is not to be published."""

    def closing(self, args: argparse.Namespace) -> str:
        """Return the last line, which says where everything is."""
        return f"{args.dest.resolve() / 'report' / 'report.md'} holds the results"

    def get_parser(self) -> argparse.ArgumentParser:
        """Return the parser of the command line."""
        presets = ", ".join(sorted({p.stem for p in self.folder.glob("*.yaml")} - {"base"}))
        parser = argparse.ArgumentParser(
            "run.sh",
            description=self.title,
            epilog="\n\n".join(filter(None, [self._presets(), self.epilog])),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument("preset", help=f"{presets}, or a YAML file of your own")
        parser.add_argument(
            "--dest", type=Path, required=True, help="folder to make, or to resume in"
        )
        parser.add_argument(
            "--seeds",
            metavar="N",
            help="train with the seeds 1 ... N, or A-B: with A ... B; default: the preset's number",
        )
        parser.add_argument(
            "--jobs",
            type=int,
            default=1,
            metavar="N",
            help="trainings and measurements side by side, each on the preset's number of threads; "
            "default 1. It changes no result",
        )
        parser.add_argument(
            "--join",
            type=Path,
            nargs="+",
            default=[],
            metavar="FOLDER",
            help="put other seeds of the same recipe beside these in the report: those of another "
            "machine's folder, or of results that were published",
        )
        parser.add_argument(
            "--publish",
            type=Path,
            nargs="?",
            metavar="FOLDER",
            const=BESIDE,
            help="afterwards copy the report and all runs, but no checkpoint, to FOLDER, "
            "which is new or was published before; default: results/PRESET beside this script",
        )
        return parser

    def _presets(self) -> str:
        """Return what each preset is, by the first sentence of its file."""
        found = ["presets:"]
        for path in sorted(self.folder.glob("*.yaml")):
            if path.stem != "base":
                lines = path.read_text(encoding="utf-8").splitlines()
                comment = [
                    line.strip("# ") for line in takewhile(lambda s: s.startswith("#"), lines)
                ]
                about = " ".join(comment).partition(". ")[0].rstrip(".")
                name = f"  {path.stem:20} "
                found.append(textwrap.fill(name + about, 96, subsequent_indent=" " * len(name)))
        return "\n".join(found)

    def main(self, argv: Sequence[str]) -> int:
        """Run the command line *argv*; return the exit status."""
        args = self.get_parser().parse_args(argv)
        return guarded(lambda: self.run(args))

    def run(self, args: argparse.Namespace) -> None:
        """Run the preset that *args* name, from where it stopped.

        Raises:
            ExperimentError: a file or option cannot be used, or a command failed.
        """
        begin = time.monotonic()
        if args.jobs < 1:
            raise ExperimentError(f"--jobs is {args.jobs}: at least 1 is needed")
        preset = self.folder / f"{args.preset}.yaml"
        preset = preset if preset.is_file() else Path(args.preset)
        recipe, systems = self.load(preset)
        seeds, identity = self.seeds(args, recipe), self.identity(args)
        target = args.publish
        if target is BESIDE:
            if preset.parent != self.folder:
                raise ExperimentError(f"--publish: name a folder for the results of {preset}")
            target = self.folder / "results" / preset.stem
        if target is not None:
            check_target(target, args.dest)
        dest = args.dest.resolve()
        for folder in args.join:
            join.check(folder, recipe, seeds)
        identity["recipe"] = recipe
        # Before anything is written: a mistake in the recipe is found here.
        commands = self.commands(args, recipe, {system.name: system for system in systems}, dest)
        work = Workspace(dest, identity, recipe["environment"], self.noun)
        merged = dest / "recipe.yaml"
        if not merged.exists():
            write(merged, f"# {preset.name} and its base: every number.\n{as_yaml(recipe)}")
        steps = Steps(work, commands)
        run_steps(steps, seeds, args.jobs, args.join, self.report_again)
        print(f"\n{self.results(steps, seeds)}\n")
        if target is not None:
            publish(dest, target, lambda report: self.tidy(args, steps, report))
            print(f"published to {target}")
        print(f"{self.closing(args)}   ({time.monotonic() - begin:.0f} s)")

    def load(self, preset: Path) -> tuple[Recipe, list[System]]:
        """Return the recipe of the YAML file *preset* and its systems, in order.

        Raises:
            ExperimentError: a file cannot be read, or something in it is missing or unknown.
        """
        recipe = read(preset, self.folder, self.sections, OPTIONAL)
        for section, names in self.needed.items():
            need_whole(preset, recipe, section, names)
        if recipe["samples"]["num-samples"] < 1:
            raise ExperimentError(f"{preset}: samples: num-samples must be at least 1")
        return recipe, parse(preset, recipe, self.kind)

    def seeds(self, args: argparse.Namespace, recipe: Recipe) -> list[int]:
        """Return the seeds to train with.

        Raises:
            ExperimentError: they are no number or range of numbers, or below 1, or too large.
        """
        stated = str(recipe["experiment"]["seeds"]) if args.seeds is None else args.seeds
        place = f"{args.preset}: experiment: seeds" if args.seeds is None else "--seeds"
        first, dash, last = stated.partition("-")
        first, last = (first, last) if dash else ("1", stated)
        if not (first.isdecimal() and last.isdecimal() and len(last) <= _DIGITS):
            raise ExperimentError(f"{place} is {stated}: not a number N, or A-B")
        if not 1 <= int(first) <= int(last):
            least = "A-B needs 1 <= A <= B" if dash else "at least 1 is needed"
            raise ExperimentError(f"{place} is {stated}: {least}")
        return list(range(int(first), int(last) + 1))


def run_steps(
    steps: Steps, seeds: list[int], jobs: int, joined: Iterable[Path], report_again: bool
) -> None:
    """Run all steps that are not done: the data, the seeds, *jobs* at a time, and the report.

    Args:
        joined: folders with runs of other seeds, which the report holds as well.
    """
    work = steps.work
    work.named_lines = jobs > 1
    work.run(steps.data())
    for folder in joined:
        join.join(folder, steps.runs, steps.commands.about_data(), seeds)
    schedule.run(schedule.of_seeds(steps, seeds), jobs, work.stop, work.tell_progress)
    report = work.dest / "report"
    command, written = steps.commands.report(steps.runs, report), report / "report.md"
    work.run(Step("report", "report", command, (written,), always=report_again))
