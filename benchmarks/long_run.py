"""Whether a long training gets slower or takes ever more memory: 5,000 updates on tiny data.

    python benchmarks/long_run.py

runs a real ``fairseq-train`` that also validates and saves. Of its updates, the last quarter is
compared with the second: the median of the resident memory may differ by 2 %, and the median time
of each kind of update may grow by 10 %. A matrix product is timed beside every update, and the
growth of an update's time is that beyond the product's, because the machine may have become slower.
``benchmarks/results/long_run.json`` gets the figures. The exit status is 1 if a limit is exceeded.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "examples"))

import run
from common.machine import processor
from draw import GENERATOR, USER_DIR, command, make_data
from timing import Figure

MEMORY, SLOWER = 0.02, 0.10  # what the last quarter may exceed the second by
# A round is 1 G step, a pool of 512 negatives and 16 updates of D.
TRAINING = (
    f"--user-dir {USER_DIR} {GENERATOR} --criterion seqgan --optimizer seqgan_adam --lr 0.001 "
    "--batch-size 16 --rollouts 4 --g-steps 1 --d-steps 1 --k 1 --pretrain-d-steps 5 "
    "--d-batch-size 64 --d-kernel-widths 1,2,3 --d-kernel-counts 32,32,32 --num-eval-samples 100 "
    "--validate-interval-updates 100 --save-interval-updates 100 --keep-interval-updates 2 "
    "--validate-interval 10000 --save-interval 10000 --no-epoch-checkpoints --num-workers 0 "
    "--log-format none --seed 1 --cpu"
)
SEQUENCES = 512


def get_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--updates", type=int, default=5000, help="how many (5000)")
    parser.add_argument("--name", default="long_run", help="of the result file (long_run)")
    return parser


def train(folder: Path, updates: int) -> dict:
    """Train for *updates* in *folder*; return what ``timed_train.py`` wrote."""
    data, out = folder / "data", folder / "updates.json"
    make_data(data, "--num-train", str(SEQUENCES))
    script = str(Path(__file__).resolve().with_name("timed_train.py"))
    limits = ["--rounds", updates, "--max-update", updates, "--save-dir", folder / "checkpoints"]
    command(script, out, data, *TRAINING.split(), *limits)
    return json.loads(out.read_text())


def quarters(values: list[float]) -> tuple[float, float]:
    """Return the medians of the second quarter of *values* and of the last."""
    size = len(values) // 4
    return statistics.median(values[size : 2 * size]), statistics.median(values[-size:])


def compare(
    updates: list[tuple[str, float]], memory: list[float], probes: list[float]
) -> list[Figure]:
    """Return a figure for the memory and for each kind of update, with both quarters."""
    measured = [("memory", "MB", memory, [1.0] * len(memory), MEMORY)]
    for kind in sorted({kind for kind, _ in updates}):
        own = [(time, probe) for (found, time), probe in zip(updates, probes, strict=True)
               if found == kind]  # fmt: skip
        times, beside = (list(values) for values in zip(*own, strict=True))
        measured.append((kind, "seconds", times, beside, SLOWER))
    found = []
    for name, unit, values, beside, limit in measured:
        second, last = quarters(values)
        before, after = quarters(beside)
        growth = last / second / (after / before) - 1
        # Less memory would be no harm, but would say that the second quarter was not at rest.
        excess = abs(growth) if name == "memory" else growth
        found.append(
            {
                "name": "long_run",
                "what": name,
                "unit": unit,
                "second_quarter": second,
                "last_quarter": last,
                "machine_slower": after / before - 1,
                "growth": growth,
                "limit": limit,
                "within": excess <= limit,
            }
        )
    return found


def main() -> int:
    """Train, compare, and write the figures."""
    args = get_parser().parse_args()
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        written = train(Path(folder), args.updates)
        seconds = time.perf_counter() - begin
    found = compare(written["updates"], written["memory_mb"], written["probes"])
    about = {
        "name": "machine",
        "machine": processor(),
        "updates": len(written["updates"]),
        "seconds": round(seconds),
        "date": time.strftime("%Y-%m-%d"),
        "command": " ".join(["python", "benchmarks/long_run.py", *sys.argv[1:]]),
    }
    path = run.RESULTS / f"{args.name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps([*found, about], indent=1) + "\n", encoding="utf-8")
    for f in found:
        print(
            f"{f['what']}: {f['second_quarter']:.4g} -> {f['last_quarter']:.4g} {f['unit']} "
            f"({f['growth']:+.1%}, limit {f['limit']:.0%})"
        )
    return 0 if all(f["within"] for f in found) else 1


if __name__ == "__main__":
    sys.exit(main())
