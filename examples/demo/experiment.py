"""The demo: SeqGAN on the paper's kind of data, and D where it knows something, in two parts."""

from __future__ import annotations

import argparse
import copy
import os
from collections.abc import Sequence
from pathlib import Path

from common import presets
from common.console import guarded

from .one_seed import OneSeed
from .paper import PaperSize
from .worth import Worth

HERE = Path(__file__).resolve().parent
TITLE = (
    "SeqGAN from nothing in a few minutes: an oracle, MLE, SeqGAN, and a constant reward; then "
    "what D is worth on a small oracle, where it knows something."
)
PARTS: dict[str, OneSeed] = {"demo": PaperSize(HERE, TITLE), "worth": Worth(HERE, TITLE)}


class Demo:
    """Both parts, one after the other, or one of them with a recipe of one's own."""

    def get_parser(self) -> argparse.ArgumentParser:
        """Return the parser of the command line."""
        parser = argparse.ArgumentParser("run.sh", description=TITLE)
        parser.add_argument(
            "--seed",
            default=os.environ.get("SEED") or "1",
            help="of the data and everything drawn; default: the environment variable SEED, or 1",
        )
        parser.add_argument(
            "--dest",
            type=Path,
            default=Path("demo"),
            help="folder to make, or to resume in (default: %(default)s)",
        )
        parser.add_argument(
            "--recipe",
            metavar="FILE",
            help="run a YAML file of your own instead, such as one that says `base: demo` or "
            "`base: worth` and what differs",
        )
        parser.add_argument(
            "--jobs",
            type=int,
            default=min(2, os.cpu_count() or 1),
            metavar="N",
            help="trainings and measurements side by side; it changes no result (default: "
            "%(default)s)",
        )
        parser.set_defaults(join=[], publish=None)
        return parser

    def main(self, argv: Sequence[str]) -> int:
        """Run the command line *argv*; return the exit status."""
        args = self.get_parser().parse_args(argv)
        return guarded(lambda: self.run(args))

    def run(self, args: argparse.Namespace) -> None:
        """Run what *args* ask for, from where it stopped.

        Raises:
            ExperimentError: a file or option cannot be used, or a command failed.
        """
        if args.recipe is not None:
            args.preset = args.recipe
            self.part_of(args.recipe).run(args)
            return
        for name, part in PARTS.items():
            own = copy.copy(args)
            own.preset, own.dest = name, args.dest if name == "demo" else args.dest / name
            part.run(own)
        seed, script = int(args.seed) + 1, os.path.relpath(HERE / "run.sh")
        print(f"Another seed: SEED={seed} {script} --dest {args.dest}-{seed}")

    def part_of(self, recipe: str) -> OneSeed:
        """Return the part that *recipe* is a variant of: the second one if it states a judge."""
        path = HERE / f"{recipe}.yaml"
        stated = presets.load(path if path.is_file() else Path(recipe), HERE).get("experiment")
        judge = isinstance(stated, dict) and stated.get("judge")
        return PARTS["worth" if judge else "demo"]


EXPERIMENT = Demo()
