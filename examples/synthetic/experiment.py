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
from common import experiment
from common.console import ExperimentError, guarded
from recipe import load

HERE = Path(__file__).resolve().parent


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line *argv*; return the exit status."""
    parser = experiment.get_parser(
        HERE,
        (__doc__ or "").splitlines()[0],
        "The environment variable ORACLE names the oracle's parameter file, such as the "
        "authors' target_params.pkl; without it the oracle is a fresh one.",
    )
    args = parser.parse_args(argv)
    return guarded(lambda: run(args))


def run(args: argparse.Namespace) -> None:
    """Run the preset that *args* name, from where it stopped.

    Raises:
        ExperimentError: a file or option cannot be used, or a command failed.
    """
    begin = time.monotonic()
    preset = experiment.find_preset(HERE, args.preset)
    recipe, systems = load(preset)
    seeds = experiment.count_seeds(args, recipe)
    params = find_oracle()
    oracle = "a fresh one" if params is None else hashlib.sha256(params.read_bytes()).hexdigest()
    work = experiment.open_workspace(args.dest, preset, recipe, oracle=oracle)
    commands = Commands(recipe, {system.name: system for system in systems}, work.dest, params)
    experiment.play(work, commands, seeds, args.jobs)
    parts = (work.dest / "report" / "report.md").read_text(encoding="utf-8").split("\n\n")
    results = parts[parts.index("## Results") + 1]
    experiment.end(work, HERE, preset, args.publish, results, time.monotonic() - begin)


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


if __name__ == "__main__":
    sys.exit(main())
