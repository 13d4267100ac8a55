"""The paper's synthetic experiments: every system trained, sampled, measured and reported.

    examples/synthetic/run.sh quick --dest out

Every step is an ordinary command, printed before it runs. An experiment that was interrupted goes
on where it stopped, a training from its last checkpoint; nothing that is finished is done again.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # examples/common

from commands import Commands
from common.console import ExperimentError, guarded
from common.files import write
from common.recipe import Recipe
from common.workspace import Step, Workspace
from publish import publish
from recipe import System, load, variants
from steps import Steps

HERE = Path(__file__).resolve().parent


def get_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    presets = ", ".join(sorted(path.stem for path in HERE.glob("*.yaml")))
    parser = argparse.ArgumentParser(
        prog="run.sh",
        description=(__doc__ or "").splitlines()[0],
        epilog="The environment variable ORACLE names the oracle's parameter file, such as the "
        "authors' target_params.pkl; without it the oracle is a fresh one.",
    )
    parser.add_argument("preset", help=f"{presets}, or a YAML file of your own")
    parser.add_argument("--dest", type=Path, required=True, help="folder to make, or to go on in")
    parser.add_argument(
        "--seeds", type=int, metavar="N", help="train with the seeds 1 ... N; default: the preset's"
    )
    parser.add_argument(
        "--publish", type=Path, nargs="?", metavar="FOLDER", const=Path(),
        help="afterwards copy the report and every run.json, but no checkpoint, to FOLDER; default "
        "results/PRESET beside this script",
    )  # fmt: skip
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line *argv*; return the exit status."""
    args = get_parser().parse_args(argv)
    return guarded(lambda: run(args))


def run(args: argparse.Namespace) -> None:
    """Run the preset that *args* name, from where it stopped.

    Raises:
        ExperimentError: a file or option cannot be used, or a command failed.
    """
    begin = time.monotonic()
    path = HERE / f"{args.preset}.yaml"
    path = path if path.is_file() else Path(args.preset)
    recipe, systems = load(path)
    seeds = recipe["experiment"]["seeds"] if args.seeds is None else args.seeds
    if seeds < 1:
        raise ExperimentError(f"--seeds is {seeds}: at least 1 is needed")
    params = find_oracle()
    dest = args.dest.resolve()
    oracle = "a fresh one" if params is None else hashlib.sha256(params.read_bytes()).hexdigest()
    work = Workspace(
        dest, {"oracle": oracle, "recipe": recipe}, recipe["environment"], kind="experiment",
        state="experiment.json", logs=dest / "logs",
    )  # fmt: skip
    write(dest / "recipe.yaml", path.read_text(encoding="utf-8"))
    play(work, recipe, systems, seeds, params)
    if args.publish is not None:
        folder = HERE / "results" / path.stem if args.publish == Path() else args.publish
        publish(dest, folder)
        print(f"published to {folder}")
    print(f"{dest / 'report' / 'report.md'} holds the results   ({time.monotonic() - begin:.0f} s)")


def find_oracle() -> Path | None:
    """Return the file that the environment variable ORACLE names.

    Raises:
        ExperimentError: there is no such file.
    """
    named = os.environ.get("ORACLE")
    if not named:
        return None
    if not Path(named).is_file():
        raise ExperimentError(f"ORACLE={named}: no such file")
    return Path(named).resolve()


def play(
    work: Workspace, recipe: Recipe, systems: list[System], seeds: int, params: Path | None
) -> None:
    """Run all steps that are not done: the data, then one system after the other, seed by seed."""
    commands = Commands(recipe, {system.name: system for system in systems}, work.dest, params)
    steps = Steps(work, commands)
    work.run(steps.data())
    rows = variants(systems)
    for seed in range(1, seeds + 1):
        for system in systems:
            own = [variant for variant in rows if variant.system is system]
            if system.options is not None:
                work.run(steps.train(system, own, seed))
            for variant in own:
                work.run(steps.samples(variant, seed))
                work.run(steps.evaluate(variant, seed))
                steps.finish(variant, seed)
    report = work.dest / "report"
    command, written = commands.report(steps.runs, report), report / "report.md"
    work.run(Step("report", "report", command, (written,), always=True))
    parts = written.read_text(encoding="utf-8").split("\n\n")
    print(f"\n{parts[parts.index('## Results') + 1]}\n")


if __name__ == "__main__":
    sys.exit(main())
