"""An experiment from a preset: its command line, and its steps up to the report."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from .commands import Commands
from .console import ExperimentError
from .files import write
from .publish import publish
from .recipe import Recipe
from .steps import Steps
from .systems import variants
from .workspace import Step, Workspace


def get_parser(here: Path, description: str, epilog: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of the command line of the experiment whose presets are in *here*."""
    presets = ", ".join(sorted(path.stem for path in here.glob("*.yaml")))
    parser = argparse.ArgumentParser(prog="run.sh", description=description, epilog=epilog)
    parser.add_argument("preset", help=f"{presets}, or a YAML file of your own")
    parser.add_argument("--dest", type=Path, required=True, help="folder to make, or to go on in")
    parser.add_argument(
        "--seeds", type=int, metavar="N", help="train with the seeds 1 ... N; default: the preset's"
    )
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N",
        help="seeds that are trained side by side, each on the preset's number of threads; default "
        "1. It changes no result",
    )  # fmt: skip
    parser.add_argument(
        "--publish", type=Path, nargs="?", metavar="FOLDER", const=Path(),
        help="afterwards copy the report and every run.json, but no checkpoint, to FOLDER; default "
        "results/PRESET beside this script",
    )  # fmt: skip
    return parser


def find_preset(here: Path, name: str) -> Path:
    """Return the file of the preset *name*, or *name* as a path."""
    path = here / f"{name}.yaml"
    return path if path.is_file() else Path(name)


def count_seeds(args: argparse.Namespace, recipe: Recipe) -> int:
    """Return how many seeds are trained with.

    Raises:
        ExperimentError: ``--seeds`` or ``--jobs`` is below 1.
    """
    if args.jobs < 1:
        raise ExperimentError(f"--jobs is {args.jobs}: at least 1 is needed")
    seeds = recipe["experiment"]["seeds"] if args.seeds is None else args.seeds
    if seeds < 1:
        raise ExperimentError(f"--seeds is {seeds}: at least 1 is needed")
    return seeds


def open_workspace(dest: Path, preset: Path, recipe: Recipe, **identity: object) -> Workspace:
    """Return the folder *dest* of the experiment that *recipe* and *identity* make it.

    Raises:
        ExperimentError: the folder holds something else.
    """
    dest = dest.resolve()
    work = Workspace(
        dest, {**identity, "recipe": recipe}, recipe["environment"], kind="experiment",
        state="experiment.json", logs=dest / "logs",
    )  # fmt: skip
    write(dest / "recipe.yaml", preset.read_text(encoding="utf-8"))
    return work


def play(work: Workspace, commands: Commands, seeds: int, jobs: int) -> Steps:
    """Run all steps that are not done: the data, the seeds, *jobs* at a time, and the report."""
    steps, work.named_lines = Steps(work, commands), jobs > 1
    work.run(steps.data())
    with ThreadPoolExecutor(jobs) as pool:
        played = [pool.submit(play_seed, steps, seed) for seed in range(1, seeds + 1)]
        try:
            for future in as_completed(played):
                future.result()
        except BaseException:
            work.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    report = work.dest / "report"
    command, written = commands.report(steps.runs, report), report / "report.md"
    work.run(Step("report", "report", command, (written,), always=True))
    return steps


def play_seed(steps: Steps, seed: int) -> None:
    """Run what is not done of one seed: one system after the other, trained and measured."""
    systems = list(steps.commands.systems.values())
    rows = variants(systems)
    for system in systems:
        own = [variant for variant in rows if variant.system is system]
        if system.options is not None:
            steps.work.run(steps.train(system, own, seed))
        for variant in own:
            for step in steps.measure(variant, seed):
                steps.work.run(step)
            steps.finish(variant, seed)


def end(
    work: Workspace,
    here: Path,
    preset: Path,
    target: Path | None,
    results: str,
    seconds: float,
    tidy: Callable[[Path], None] = lambda report: None,
) -> None:
    """Print the table *results* and where everything is; publish it if that was asked for.

    Args:
        target: ``--publish``; None: it was not asked for.
        seconds: that all of it took.
        tidy: takes out of a report what is not to be published.
    """
    print(f"\n{results}\n")
    if target is not None:
        folder = here / "results" / preset.stem if target == Path() else target
        publish(work.dest, folder, tidy)
        print(f"published to {folder}")
    print(f"{work.dest / 'report' / 'report.md'} holds the results   ({seconds:.0f} s)")
