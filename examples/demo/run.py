"""SeqGAN from nothing in a few minutes: an oracle, MLE, SeqGAN, and a reward that knows nothing.

    python examples/demo/run.py [--seed N] [--dest FOLDER]

Every step is an ordinary command, printed before it runs; its output goes to FOLDER/<step>.log. A
demo that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # examples/common

from common.console import ExperimentError, guarded
from common.files import extract, read_json, write, write_json
from common.workspace import Step, Workspace
from recipe import HERE, Commands, Recipe, load
from report import AUCS, GAMES, METRICS, TITLES, Systems, explain, table


def get_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--seed", default=os.environ.get("SEED") or "1",
        help="of the data and everything drawn; default: the environment variable SEED, or 1",
    )  # fmt: skip
    parser.add_argument(
        "--dest", type=Path, default=Path("demo"), help="folder to make (default: %(default)s)"
    )
    parser.add_argument(
        "--recipe", type=Path, default=HERE / "recipe.yaml", help="YAML file of all numbers"
    )
    return parser


class Demo:
    """The steps, in order, and what is made of their results."""

    def __init__(self, work: Workspace, commands: Commands) -> None:
        self.work, self.commands, self.dest = work, commands, work.dest
        self.recipe: Recipe = commands.recipe
        game = self.recipe["adversarial"]
        self.pretrain, self.rounds = game["pretrain-d-steps"], game["rounds"]

    def samples(self, system: str) -> Path:
        """Return the file of 10,000 sequences, one a line, that *system* is judged by."""
        if system == "oracle":
            return self.dest / "data" / "test.txt"
        return self.dest / ("samples.txt" if system == "seqgan" else f"{system}/samples.txt")

    def metrics(self, system: str) -> Path:
        """Return the file that ``fairseq-seqgan evaluate`` writes for *system*."""
        return self.dest / ("data" if system == "oracle" else system) / "metrics.json"

    def steps(self) -> list[Step]:
        """Return all steps in order."""
        trained = [self._train(system) for system in ("mle", *GAMES)]
        drawn = [self._generate(system) for system in ("mle", *GAMES)]
        return [self._data(), *trained, *drawn, *map(self._evaluate, ("mle", *GAMES))]

    def _data(self) -> Step:
        data = self.commands.data
        outputs = (data / "train.bin", data / "oracle.npz", data / "stats.json")
        follow = lambda line: line.strip() if " tokens" in line else None  # noqa: E731
        return Step("data", "oracle and its data", self.commands.make_data(), outputs, follow)

    def _train(self, system: str) -> Step:
        # Imported late: it imports torch, and a wrong option should be told at once.
        from common.progress import show

        mle = system == "mle"
        command = self.commands.train_mle() if mle else self.commands.train_adversarial(system)
        outputs = (self.commands.checkpoint(system), self.work.log(system))
        follow = lambda line: show(line, None if mle else self.pretrain)  # noqa: E731
        return Step(system, f"training: {TITLES[system]}", command, outputs, follow)

    def _generate(self, system: str) -> Step:
        raw, samples = self.dest / system / "generate-test.txt", self.samples(system)

        def finish() -> None:
            write(samples, extract(raw, self.recipe["samples"]["num-samples"]))
            raw.unlink()

        title = f"drawing samples: {TITLES[system]}"
        command = self.commands.generate(system)
        return Step(f"{system}-samples", title, command, (samples,), finish=finish)

    def _evaluate(self, system: str) -> Step:
        output = self.metrics(system)
        command = self.commands.evaluate(system, self.samples(system), output)
        return Step(f"{system}-metrics", f"evaluating: {TITLES[system]}", command, (output,))

    def finish(self) -> Systems:
        """Write ``report.json`` and the picture; return the results by system."""
        # fairseq, which the plugin imports, tells of optional packages, and sets the root logger so
        # that matplotlib would tell of every font.
        for library in ("fairseq", "matplotlib"):
            logging.getLogger(library).setLevel(logging.WARNING)
        # Imported late, as matplotlib takes a second.
        from curves import Curves, draw

        from fairseq_seqgan.reporting.training_log import best, validations

        mle, rounds = validations(self.work.log("mle")), {}
        mle = mle[: mle.index(best(mle)) + 1]
        systems = {"oracle": self._oracle()}
        systems |= {name: self._measured(name) for name in ("mle", *GAMES)}
        for name in GAMES:
            records = validations(self.work.log(name))
            before, rounds[name] = records[: self.pretrain], records[self.pretrain :]
            if len(rounds[name]) != self.rounds:
                log, folder = self.work.log(name), self.dest / name
                raise ExperimentError(f"{log}: not all rounds are in it; remove it and {folder}")
            systems[name] |= {auc: rounds[name][-1][auc] for auc in AUCS}
            if name == "seqgan" and before:
                systems["mle"] |= {auc: before[-1][auc] for auc in AUCS}
        labelled = {TITLES[name]: rounds[name] for name in GAMES}
        steps = self.recipe["adversarial"]["g-steps"]
        oracle = systems["oracle"]["nll_oracle"]
        samples = self.recipe["curve"]["num-samples"]
        draw(Curves(mle, labelled, steps, oracle, samples), self.dest / "learning_curves.png")
        report = {"seed": self.commands.seed, "units": "nats per token", "systems": systems}
        write_json(self.dest / "report.json", report | {"seconds": self.work.state["seconds"]})
        return systems

    def _oracle(self) -> dict[str, float]:
        """Return the oracle's row: its NLL on the test data, which it drew itself.

        For it the three metrics are one: the entropy of the distribution that made the data.
        """
        stats = read_json(self.commands.data / "stats.json")
        return dict.fromkeys(METRICS, stats["splits"]["test"]["nll_oracle"])

    def _measured(self, system: str) -> dict[str, float]:
        found = read_json(self.metrics(system))
        return {name: found[name] for name in METRICS}


def closing_line(demo: Demo, dest: Path) -> str:
    """Return where everything is and a command to go on with."""
    return (
        f"Everything is in {dest}/ (report.json, learning_curves.png, samples.txt, mle/, seqgan/, "
        f"*.log). Another seed: SEED={demo.commands.seed + 1} "
        f"{shlex.join([sys.executable, sys.argv[0]])} --dest {dest}-{demo.commands.seed + 1}"
    )


def run(args: argparse.Namespace) -> None:
    """Run the demo that *args* ask for, and print its table.

    Raises:
        ExperimentError: a file or option cannot be used, or a command failed.
    """
    start = time.monotonic()
    if not str(args.seed).isdecimal():
        raise ExperimentError(f"the seed is '{args.seed}': it must be a whole number, 0 or more")
    recipe, seed = load(args.recipe), int(args.seed)
    identity = {"seed": seed, "recipe": recipe}
    work = Workspace(args.dest, identity, recipe["environment"], kind="demo", state="run.json")
    demo = Demo(work, Commands(recipe, args.dest, seed))
    for step in demo.steps():
        work.run(step)
    systems = demo.finish()
    print(f"\n{table(systems)}\n\n{explain(systems, recipe['samples']['num-samples'])}\n")
    print(f"{closing_line(demo, args.dest)}   ({time.monotonic() - start:.0f} s)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line *argv*; return the exit status."""
    args = get_parser().parse_args(argv)
    return guarded(lambda: run(args))


if __name__ == "__main__":
    sys.exit(main())
