"""A real task of the paper: from the raw file to models, scores, and something for people.

    examples/poem/run.sh quick --dest out

Every step is an ordinary command, printed before it runs. An experiment that was interrupted goes
on where it stopped, a training from its last checkpoint; nothing that is finished is done again.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # examples/common

from commands import Commands
from common import experiment
from common.console import ExperimentError, guarded
from common.files import write
from people import People
from recipe import load, sources
from table import Table, read_rows
from tasks import TASKS, Task

EXAMPLES = Path(__file__).resolve().parents[1]


def main(argv: Sequence[str]) -> int:
    """Run the command line *argv*, whose first word is the task; return the exit status."""
    task = TASKS[argv[0]]
    parser = experiment.get_parser(
        EXAMPLES / task.name,
        f"The paper's {task.table}: {task.noun}, from the raw file to samples and scores.",
        "The environment variable SOURCE does what --source does.",
    )
    parser.add_argument(
        "--source", metavar="PATH|URL", default=os.environ.get("SOURCE") or None,
        help=f"the raw data; default: the public address that preprocess/{task.script}.py knows",
    )  # fmt: skip
    args = parser.parse_args(argv[1:])
    return guarded(lambda: run(task, args))


def run(task: Task, args: argparse.Namespace) -> None:
    """Run the preset of *task* that *args* name, from where it stopped.

    Raises:
        ExperimentError: a file or option cannot be used, or a command failed.
    """
    begin = time.monotonic()
    here = EXAMPLES / task.name
    preset = experiment.find_preset(here, args.preset)
    recipe, systems = load(preset)
    seeds = experiment.count_seeds(args, recipe)
    source, identity = find_source(args.source)
    work = experiment.open_workspace(args.dest, preset, recipe, task=task.name, source=identity)
    by_name = {system.name: system for system in systems}
    commands = Commands(task, recipe, by_name, work.dest, source)
    steps = experiment.play(work, commands, seeds, args.jobs)
    table = Table(task, by_name, read_rows(steps.runs))
    text = table.markdown(recipe["experiment"].get("differs", []))
    write(work.dest / "report" / "table.md", text)
    people = People(work, commands, steps, sources(recipe, systems))
    people.play()
    seconds = time.monotonic() - begin
    experiment.end(work, here, preset, args.publish, table.results(), seconds, people.without_real)


def find_source(named: str | None) -> tuple[str | None, str]:
    """Return the raw data for the script, an absolute path or an address, and what identifies it.

    Raises:
        ExperimentError: there is no such file.
    """
    if named is None:
        return None, "the public address"
    if re.match(r"[a-z][a-z0-9+.-]*://", named, re.I):
        return named, named
    path = Path(named)
    if path.is_file():
        return str(path.resolve()), hashlib.sha256(path.read_bytes()).hexdigest()
    if not path.is_dir():
        raise ExperimentError(f"--source {named}: no such file or folder")
    digest = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        digest.update(f"{file.relative_to(path)}\0".encode() + file.read_bytes())
    return str(path.resolve()), f"folder {digest.hexdigest()}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
