"""``make bench``: the speed figures, each as a ratio to a plain implementation in the same run.

Prints a table and writes ``benchmarks/results/<name>.json``: a list of figures with times in
seconds, medians of alternating runs, and the share of what the machine can do at most; after them
the peak memory of a G step, the growth curves, the ceiling, and what it all ran on.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.append(str(Path(__file__).resolve().parents[1] / "examples"))

import bleu
import draw
import growth
import memory
import steps
from common.machine import processor
from nll_oracle import nll_oracle_seconds
from paper import Sizes
from timing import Ceiling, Figure, figure
from whole_round import whole_round

from fairseq_seqgan.support.atomic_write import write

RESULTS = Path(__file__).resolve().parent / "results"
DEFAULT = ("d_step", "g_step", "draw_10k", "round", "memory", "bleu", "nll_oracle")
PARTS = (*DEFAULT[:4], "round_bf16", *DEFAULT[4:], "rollout_dtype", "large", "growth")


def get_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2, help="threads of torch (2)")
    parser.add_argument("--runs", type=int, default=3, help="timed runs of each side (3)")
    parser.add_argument(
        "--name", help="of the result file (cpu or gpu; with --only and few parts: cpu-PART)"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=PARTS,
        default=DEFAULT,
        metavar="PART",
        help=f"of {', '.join(PARTS)}; default: {', '.join(DEFAULT)}. 'round' needs the three "
        "before it. 'growth' and 'large' take about an hour on two cores",
    )
    parser.add_argument("--cpu", action="store_true", help="do not use the GPU")
    return parser


class Bench:
    """The benchmarks of one run, and what they found.

    Args:
        args: the command line.
        folder: for data and checkpoints.
    """

    def __init__(self, args: argparse.Namespace, folder: Path) -> None:
        self.args, self.folder = args, folder
        self.device = "cuda" if torch.cuda.is_available() and not args.cpu else "cpu"
        print("measuring what the machine can do ...", flush=True)
        self.ceiling = Ceiling(self.device, 5)
        self.found: list[Figure] = []

    def run(self, save: Callable[[], None]) -> None:
        """Run what was asked for, in order; *save* after each part, for a later one may fail."""
        actions: dict[str, Callable[[], list[Figure]]] = {
            "d_step": self.d_steps,
            "g_step": lambda: [steps.g_step(self.args.runs, self.device, self.ceiling)],
            "draw_10k": self.draw,
            "round": lambda: self.round("float32"),
            "round_bf16": lambda: self.round("bfloat16"),
            "memory": self.memory,
            "bleu": self.bleu,
            "nll_oracle": self.nll_oracle,
            "rollout_dtype": lambda: steps.rollout_dtypes(self.args.runs, self.device),
            "large": lambda: [growth.widest(self.device, self.args.threads)],
            "growth": self.growth,
        }
        for part in PARTS:
            if part in self.args.only:
                print(f"running {part} ...", flush=True)
                found = actions[part]()
                for each in found:
                    if "ratio" in each:
                        print(f"  {each['name']}: {each['ratio']:.2f} times as fast", flush=True)
                self.found += found
                save()

    def d_steps(self) -> list[Figure]:
        kinds = ((64, "float32"), (64, "bfloat16"), (128, "float32"))
        return [steps.d_step(self.args.runs, self.device, self.ceiling, *kind) for kind in kinds]

    def draw(self) -> list[Figure]:
        found = draw.draw_10k(self.folder, self.args.runs, self.device)
        projected = 2 * draw.SAMPLES * draw.LENGTH * 32 * 5004
        return [found | {"ceiling_share": self.ceiling.seconds(projected) / found["ours_s"]}]

    def round(self, dtype: str) -> list[Figure]:
        by_name = {figure["name"]: figure for figure in self.found}
        missing = {"d_step", "g_step", "draw_10k"} - set(by_name)
        if missing:
            sys.exit(f"error: --only round needs {', '.join(sorted(missing))} as well")
        return [whole_round(self.folder, self.device, by_name, dtype)]

    def memory(self) -> list[Figure]:
        found = memory.peak(Sizes(), self.device, self.args.threads)
        return [{"name": "peak_memory_mb", "what": "of a G step, paper's sizes", "ours_mb": found}]

    def bleu(self) -> list[Figure]:
        """One core; the definition is timed on two sentences, all would take hours."""
        torch.set_num_threads(1)
        plain = bleu.plain_seconds_per_sentence() * bleu.SENTENCES
        ours = statistics.median(bleu.bleu_seconds() for _ in range(self.args.runs))
        torch.set_num_threads(self.args.threads)
        what = "BLEU-4 of 10,000 sentences against 10,000; plain: two sentences, scaled"
        return [figure("bleu", what, ours, plain)]

    def nll_oracle(self) -> list[Figure]:
        """No plain part: stock fairseq has no oracle."""
        found = nll_oracle_seconds()
        return [{"name": "nll_oracle_100k", "what": "drawing and scoring 100,000", "ours_s": found}]

    def growth(self) -> list[Figure]:
        found = []
        for point in growth.growth(self.device, self.args.threads):
            shown = (
                f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in point.items()
            )
            print("  " + ", ".join(shown), flush=True)
            found.append({"name": "growth", **point})
        return found


def show(found: list[Figure]) -> str:
    """Return the table of *found*."""
    columns = ("name", "what", "ours_s", "baseline_s", "ratio", "ceiling_share")
    rows = [[f[c] for c in columns] for f in found if "ratio" in f]
    headers = ("name", "what", "ours (s)", "plain (s)", "plain / ours", "share of ceiling")
    lines = [tabulate(rows, headers, floatfmt=".3g", missingval="-")]
    lines += [f"{f['name']} ({f['what']}): {f['ours_mb']:.0f} MB" for f in found if "ours_mb" in f]
    alone = (f for f in found if "ours_s" in f and "ratio" not in f)
    lines += [f"{f['name']} ({f['what']}): {f['ours_s']:.1f} s" for f in alone]
    return "\n".join(lines)


def about(device: str, threads: int, command: str) -> Figure:
    """Return what the benchmarks ran on, and the *command* that called them."""
    return {
        "name": "machine",
        "machine": torch.cuda.get_device_name() if device == "cuda" else processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "torch": torch.__version__,
        "date": time.strftime("%Y-%m-%d"),
        "command": command,
    }


def result_name(only: Sequence[str], device: str) -> str:
    """Return the name of the result file: the parts alone never replace the whole table."""
    base = "cpu" if device == "cpu" else "gpu"
    parts = [part for part in PARTS if part in only]
    return base if set(DEFAULT) <= set(parts) else "-".join([base, *parts])


def main() -> None:
    """Run the benchmarks that the command line names."""
    args = get_parser().parse_args()
    command = "python benchmarks/run.py " + " ".join(sys.argv[1:])
    torch.set_num_threads(args.threads)
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(args, Path(folder))
        path = RESULTS / f"{args.name or result_name(args.only, bench.device)}.json"
        path.parent.mkdir(exist_ok=True)

        ran = about(bench.device, args.threads, command)

        def save() -> None:
            figures = [*bench.found, bench.ceiling.as_figure(), ran]
            write({path: json.dumps(figures, indent=1) + "\n"})

        bench.run(save)
    print(show(bench.found))
    print(f"written to {path}")


if __name__ == "__main__":
    main()
