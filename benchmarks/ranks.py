"""What a second process is worth: a round's time in one process and in two that train together.

    python benchmarks/ranks.py

runs, for each recipe, a short training in one process on the whole batch, in one on half of it, and
in two on half each. Every process has one thread. ``benchmarks/results/ranks.json`` gets the
medians over the runs, in seconds: of a G step, of drawing a pool of negatives, of an update of D,
and of the whole round; the figures of other recipes, measured on the same day, stay.
``benchmarks/tables.py`` makes the tables of docs/scaling.md of it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "examples"))

import run
from draw import GENERATOR, ROOT, USER_DIR, make_data
from scaling import HALF, TWO, WHOLE
from timing import Figure

ROUND = (
    f"--user-dir {USER_DIR} {GENERATOR} --dropout 0 --criterion seqgan --optimizer seqgan_adam "
    "--lr 0.01 --clip-norm 5 --rounds 1 --pretrain-d-steps 0 --disable-validation --no-save "
    "--num-workers 0 --log-format none --seed 1"
)
PARTS = ("g_step", "pool", "d_update", "round")


@dataclass(frozen=True)
class Recipe:
    """The sizes of a round; those of a batch are of all processes together."""

    what: str
    batch: int
    rollouts: int
    pool: int
    d_batch: int
    g_steps: int
    d_steps: int
    k: int
    d: str = ""  # options of the discriminator

    def options(self, processes: int, share: int) -> list[str]:
        """Return the options of fairseq-train for 1 part of *share* of the work, in *processes*."""
        return (
            f"--batch-size {self.batch // share // processes} --rollouts {self.rollouts} "
            f"--negative-pool-size {self.pool // share} --d-batch-size {self.d_batch // share} "
            f"--g-steps {self.g_steps} --d-steps {self.d_steps} --k {self.k} {self.d}"
        ).split()


SMALL_D = "--d-kernel-widths 1,2,3,4,5 --d-kernel-counts 100,100,100,100,100"
RECIPES = {
    "laptop": Recipe("the presets that run on a laptop", 32, 4, 5000, 64, 5, 1, 1, SMALL_D),
    "paper": Recipe("the paper's sizes, 2 G steps and a pool", 64, 16, 10_000, 64, 2, 1, 1),
    "d_batch_256": Recipe(
        "the paper's sizes with 256 sequences in a minibatch of D", 64, 16, 10_000, 256, 2, 1, 1
    ),
    "d_batch_512": Recipe(
        "the paper's sizes with 512 sequences in a minibatch of D", 64, 16, 10_000, 512, 2, 1, 1
    ),
    "tiny": Recipe("for trying this script", 8, 2, 32, 16, 2, 2, 1, SMALL_D),
}


def get_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--recipes",
        nargs="+",
        choices=RECIPES,
        default=["laptop", "paper", "d_batch_256", "d_batch_512"],
        metavar="RECIPE",
        help=f"of {', '.join(RECIPES)}; default: all but tiny, about half an hour on two cores",
    )
    parser.add_argument("--runs", type=int, default=3, help="alternating runs of each side (3)")
    parser.add_argument("--ddp-backend", default="pytorch_ddp", help="fairseq's (pytorch_ddp)")
    parser.add_argument("--name", default="ranks", help="of the result file (ranks)")
    parser.add_argument("--gpu", action="store_true", help="a GPU for each process, not a core")
    return parser


def train(data: Path, out: Path, processes: int, options: list[str]) -> dict:
    """Train in *processes* with one thread each; return what ``timed_train.py`` wrote."""
    begin = [sys.executable]
    if processes > 1:
        begin += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    program = [str(ROOT / "benchmarks" / "timed_train.py"), str(out), str(data)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [*begin, *program, *ROUND.split(), *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"error: {' '.join(command)} failed\n{done.stderr[-2000:]}")
    return json.loads(out.read_text())


def parts(updates: list[tuple[str, float]]) -> dict[str, float]:
    """Return the seconds of each of ``PARTS``; the first G step, which warms up, counts as others.

    An update that draws a pool is drawing it and an update of D.
    """
    by_kind = {kind: [seconds for found, seconds in updates if found == kind] for kind in PARTS[:3]}
    g_steps = by_kind["g_step"][1:] or by_kind["g_step"]
    g_step, d_update = statistics.median(g_steps), statistics.median(by_kind["d_update"])
    pool = max(0.0, statistics.median(by_kind["pool"]) - d_update)
    warm = sum(by_kind["pool"]) + sum(by_kind["d_update"]) + g_step * len(by_kind["g_step"])
    return {"g_step": g_step, "pool": pool, "d_update": d_update, "round": warm}


def measure(name: str, data: Path, folder: Path, args: argparse.Namespace) -> Figure:
    """Measure the recipe *name* on *data*: all sides alternately."""
    recipe = RECIPES[name]
    where = ["--ddp-backend", args.ddp_backend, *([] if args.gpu else ["--cpu"])]
    sides = {WHOLE: (1, 1), HALF: (1, 2), TWO: (2, 1)}
    found: dict[str, list[dict]] = {side: [] for side in sides}
    for _ in range(args.runs):
        for side, (processes, share) in sides.items():
            options = [*where, *recipe.options(processes, share)]
            written = train(data, folder / "times.json", processes, options)
            found[side].append(parts(written["updates"]))
    seconds = {
        side: {part: statistics.median(run[part] for run in runs) for part in PARTS}
        for side, runs in found.items()
    }
    fall = seconds[WHOLE]["round"] / seconds[TWO]["round"]
    print(f"  {name}: a round in two processes is {fall:.2f} times as fast", flush=True)
    return {
        "name": "ranks",
        "recipe": name,
        "what": recipe.what,
        "sizes": {k: v for k, v in vars(recipe).items() if isinstance(v, int)},
        "parameters": written["parameters"],
        "seconds": seconds,
        "ratio": fall,
    }


def measured_before(path: Path, about: Figure, again: list[str]) -> list[Figure]:
    """Return the figures in *path* of recipes that are not measured *again*.

    None if the machine, torch or the day was another one: *about* is what a run says of these.
    """
    if not path.is_file():
        return []
    *figures, before = json.loads(path.read_text(encoding="utf-8"))
    if any(before.get(key) != about[key] for key in ("machine", "cores", "torch", "date")):
        return []
    return [figure for figure in figures if figure["recipe"] not in again]


def main() -> None:
    """Measure the recipes that the command line names."""
    args = get_parser().parse_args()
    path = run.RESULTS / f"{args.name}.json"
    path.parent.mkdir(exist_ok=True)
    command = " ".join(["python benchmarks/ranks.py", *sys.argv[1:]])
    about = run.about("cuda" if args.gpu else "cpu", 1, command)
    figures = measured_before(path, about, args.recipes)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_data(folder / "data")
        for recipe in args.recipes:
            print(f"measuring {recipe} ...", flush=True)
            figures.append(measure(recipe, folder / "data", folder, args))
            figures.sort(key=lambda figure: list(RECIPES).index(figure["recipe"]))
            path.write_text(json.dumps([*figures, about], indent=1) + "\n", encoding="utf-8")
    print(f"written to {path}")


if __name__ == "__main__":
    main()
