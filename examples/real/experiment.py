"""A real task of the paper: from the raw file to models, scores, and something for people."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
from pathlib import Path
from typing import Any

from common.console import ExperimentError
from common.experiment import SECTIONS, Experiment
from common.files import write
from common.recipe import Recipe
from common.steps import Steps
from common.systems import System

from . import teaching
from .commands import REAL, Commands
from .people import People, sources
from .table import Table, read_rows
from .task import Task


class RealExperiment(Experiment):
    """An experiment on data that a script of ``preprocess/`` makes from a raw file.

    Args:
        folder: in which its presets are; its name is that of the task.
        task: what the data are, and the paper's numbers.
    """

    kind = REAL
    epilog = "The environment variable SOURCE does what --source does."
    sections = (*SECTIONS, "people")
    needed = Experiment.needed | {"people": ("shown", "per-source")}

    def __init__(self, folder: Path, task: Task) -> None:
        title = f"The paper's {task.table}: {task.noun}, from the raw file to samples and scores."
        super().__init__(folder, title)
        self.task = task

    def get_parser(self) -> argparse.ArgumentParser:
        """Return the parser of the command line."""
        parser = super().get_parser()
        parser.add_argument(
            "--publish-page",
            action="store_true",
            help="with --publish: the page for raters as well, with the few real items on it",
        )
        parser.add_argument(
            "--source",
            metavar="PATH|URL",
            default=os.environ.get("SOURCE") or None,
            help="the raw data; default: the public address that "
            f"preprocess/{self.task.script}.py knows",
        )
        return parser

    def run(self, args: argparse.Namespace) -> None:
        """Run the preset that *args* name, from where it stopped.

        Raises:
            ExperimentError: see the base class, or the page is to be published and nothing else.
        """
        if args.publish_page and args.publish is None:
            raise ExperimentError("--publish-page needs --publish")
        super().run(args)

    def load(self, preset: Path) -> tuple[Recipe, list[System]]:
        """Return the recipe of the YAML file *preset* and its systems, in order.

        Raises:
            ExperimentError: a file cannot be read, or something in it is missing or unknown.
        """
        recipe, systems = super().load(preset)
        try:
            sources(recipe, systems)
        except ValueError as error:
            raise ExperimentError(f"{preset}: people: {error}") from error
        return recipe, systems

    def identity(self, args: argparse.Namespace) -> dict[str, Any]:
        """Return which task and which raw data it is."""
        return {"task": self.folder.name, "source": source_identity(args.source)}

    def commands(
        self, args: argparse.Namespace, recipe: Recipe, systems: dict[str, System], dest: Path
    ) -> Commands:
        """Return the command lines for the folder *dest*."""
        return Commands(self.task, recipe, systems, dest, find_source(args.source))

    def results(self, steps: Steps, seeds: list[int]) -> str:
        """Write ``table.md`` and what people see; return the table."""
        commands, report = steps.commands, steps.work.dest / "report"
        rows = read_rows(steps.runs)
        table = Table(self.task, commands.systems, rows)
        write(report / "table.md", table.markdown(commands.recipe["experiment"].get("differs", [])))
        taught = teaching.markdown(rows) if teaching.taught(commands.systems) else None
        if taught:
            write(report / "teaching.md", taught)
        else:  # of an earlier set of seeds
            (report / "teaching.md").unlink(missing_ok=True)
        People(steps).make()
        return table.results()

    def tidy(self, args: argparse.Namespace, steps: Steps, report: Path) -> None:
        """Take the real data out of a copy of the report, and add the page where it is wanted."""
        People(steps).to_publish(report, args.publish_page)


def find_source(named: str | None) -> str | None:
    """Return the raw data for the script: an absolute path, an address, or None for its own one.

    Raises:
        ExperimentError: there is no such file.
    """
    if named is None or re.match(r"[a-z][a-z0-9+.-]*://", named, re.I):
        return named
    if not Path(named).exists():
        raise ExperimentError(f"--source {named}: no such file or folder")
    return str(Path(named).resolve())


def source_identity(named: str | None) -> str:
    """Return what identifies the raw data: the SHA-256 of the files, or the address.

    Raises:
        ExperimentError: there is no such file.
    """
    source = find_source(named)
    if source is None or "://" in source:
        return source or "the public address"
    path = Path(source)
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    digest = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        digest.update(f"{file.relative_to(path)}\0".encode() + file.read_bytes())
    return f"folder {digest.hexdigest()}"
