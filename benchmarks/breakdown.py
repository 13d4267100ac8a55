"""Where the time of a round goes: ``python benchmarks/breakdown.py``.

With D trained in bfloat16: ``--name breakdown-bf16 --d-train-dtype bfloat16``.

Trains a short round of the authors' recipe with fairseq's own command in this process, with a clock
around the parts, and prints for each its seconds, calls and share, scaled to a whole round (1 G
step, 5 × 10,000 negatives, 4,695 updates of D). Nested parts are indented: they are in the time of
the part above. ``benchmarks/results/<name>.json`` gets them. Other options go to ``fairseq-train``.
"""

from __future__ import annotations

import argparse
import collections
import functools
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import run
import torch
from draw import ROUND, USER_DIR, make_data
from fairseq.optim import FairseqOptimizer
from fairseq.trainer import Trainer
from fairseq_cli import train
from tabulate import tabulate
from timing import Ceiling, Figure

from fairseq_seqgan.adversarial.generator_step import GeneratorStep
from fairseq_seqgan.adversarial.trainer import AdversarialTrainer
from fairseq_seqgan.models import cnn_highway
from fairseq_seqgan.optim.seqgan_adam import SeqGANAdam
from fairseq_seqgan.policy import policy
from fairseq_seqgan.support.atomic_write import write

THREADS = 2
MINIBATCHES, WHOLE = 313, 15 * 313


class Clock:
    """Seconds and calls of every part, apart by what is going on."""

    def __init__(self) -> None:
        self.seconds: collections.defaultdict[str, float] = collections.defaultdict(float)
        self.calls: collections.Counter[str] = collections.Counter()
        self.phase = "other"

    def around(self, owner: object, name: str, part: str, phase: str = "") -> None:
        """Time every call of *owner*'s function *name* as *part*; it begins *phase* if named."""
        function: Callable = getattr(owner, name)

        @functools.wraps(function)
        def timed(*args: object, **kwargs: object) -> object:
            outer, self.phase = self.phase, phase or self.phase
            begin = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                key = f"{self.phase}: {part}"
                self.seconds[key] += time.perf_counter() - begin
                self.calls[key] += 1
                self.phase = outer

        setattr(owner, name, timed)


def watch(clock: Clock) -> None:
    """Put clocks around the parts."""
    clock.around(Trainer, "train_step", "update")
    clock.around(GeneratorStep, "make_batch", "rollouts", "G step")
    clock.around(AdversarialTrainer, "_draw_pool", "draw negatives", "negatives")
    clock.around(policy.Policy, "draw", "projection and draw")
    clock.around(policy.Decoding, "step", "decoder")
    net = cnn_highway.CNNHighway
    clock.around(net, "score_completions", "D scores completions")
    clock.around(net, "forward", "D forward")
    clock.around(FairseqOptimizer, "backward", "backward")
    clock.around(SeqGANAdam, "clip_grad_norm", "gradient norm")
    clock.around(SeqGANAdam, "step", "Adam")


ROWS = (
    ("G step: rollouts", 1, "G step: sequences, rollouts, rewards"),
    ("G step: decoder", 1, "    decoder, step by step"),
    ("G step: projection and draw", 1, "    projection and draw"),
    ("G step: D scores completions", 1, "    D on the rollouts"),
    ("negatives: draw negatives", 5, "5 pools of 10,000 negatives"),
    ("negatives: projection and draw", 5, "    projection and draw"),
    ("other: D forward", WHOLE / MINIBATCHES, "D forward, 4,695 times"),
    ("other: backward", WHOLE / MINIBATCHES, "backward (and G's)"),
    ("other: gradient norm", WHOLE / MINIBATCHES, "gradient norm"),
    ("other: Adam", WHOLE / MINIBATCHES, "Adam"),
)


def breakdown(clock: Clock) -> list[Figure]:
    """Return the seconds, calls and share of every part, scaled to a whole round."""
    scaled = [(title, clock.seconds[key] * times, clock.calls[key]) for key, times, title in ROWS]
    top = sum(seconds for title, seconds, _ in scaled if not title.startswith(" "))
    rolled = clock.seconds["G step: rollouts"]
    drawn = clock.seconds["negatives: draw negatives"]
    updates = clock.seconds["other: update"] - rolled - drawn
    parts = ("D forward", "backward", "gradient norm", "Adam")
    inside = sum(clock.seconds[f"other: {part}"] for part in parts)
    rest = (updates - inside) * WHOLE / MINIBATCHES
    scaled.append(("fairseq and the rest of an update", rest, clock.calls["other: update"]))
    total = top + rest
    return [
        {
            "name": "breakdown",
            "part": title.strip(),
            "nested": title.startswith(" "),
            "seconds": seconds,
            "calls": calls,
            "share": seconds / total,
        }
        for title, seconds, calls in scaled
    ]


def show(found: list[Figure]) -> str:
    """Return the table of *found*."""
    rows = [["    " * f["nested"] + f["part"], f["seconds"], f["calls"], f["share"]] for f in found]
    total = sum(f["seconds"] for f in found if not f["nested"])
    rows.append(["a whole round", total, None, 1.0])
    headers = ("part", "seconds", "calls timed", "share")
    # Leading blanks are the nesting.
    return tabulate(rows, headers, floatfmt=("", ".2f", "", ".1%"), preserve_whitespace=True)


def main() -> None:
    """Train a short round, print its breakdown and write it down."""
    parser = argparse.ArgumentParser(description="Where the time of a round goes.")
    parser.add_argument("--name", default="breakdown", help="of the result file (breakdown)")
    own, rest = parser.parse_known_args()
    command = "python benchmarks/breakdown.py " + " ".join(sys.argv[1:])
    torch.set_num_threads(THREADS)
    clock, ceiling = Clock(), Ceiling("cpu", 5)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        make_data(data)
        options = f"{ROUND} --d-steps 1 --k 1 --cpu".split()
        words = ["--user-dir", str(USER_DIR), "--save-dir", folder, *options, *rest]
        sys.argv = ["fairseq-train", str(data), *words]
        watch(clock)
        train.cli_main()
    found = breakdown(clock)
    print(show(found))
    figures = [*found, ceiling.as_figure(), run.about("cpu", THREADS, command)]
    path = run.RESULTS / f"{own.name}.json"
    write({path: json.dumps(figures, indent=1) + "\n"})
    print(f"written to {path}")


if __name__ == "__main__":
    main()
