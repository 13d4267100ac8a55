"""Does D's reward do better than a constant one on the folk tunes?

    python examples/trials/tune_pairs.py

prints, from the published results, the difference between SeqGAN and the constant reward over all
pairs of trainings with the same start, with a paired t-test; and the same with one value for each
MLE that they start from, which is the mean of its pairs. Mean ± standard deviation; a difference
above 0 is in SeqGAN's favour.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from fairseq_seqgan.metrics.significance import paired

RESULTS = Path(__file__).resolve().parents[1] / "nottingham" / "results"
# Presets whose SeqGAN and constant reward have the same start and as many updates of G, and seeds.
PRESETS = {"quick": 3, "full": 2, "teach": 5, "judged": 3}
# What is measured: a metric, and whether SeqGAN's should be higher (1) or lower (-1).
MEASURED = {
    "held-out NLL, nats per token": ("nll", -1),
    "BLEU-4, corpus": ("bleu4_corpus", 1),
}


class Pair(NamedTuple):
    """Published metrics of SeqGAN, of the constant reward, and of the MLE that both start from."""

    seqgan: dict[str, Any]
    constant: dict[str, Any]
    start: dict[str, Any]


def pairs() -> list[Pair]:
    """Return all pairs; of trainings that two presets share, and so have the same numbers, one."""
    found: list[Pair] = []
    for preset, seeds in PRESETS.items():
        for seed in range(1, seeds + 1):
            runs = RESULTS / preset / "runs"
            names = ("seqgan", "constant_reward", "mle-best")
            files = [runs / f"{name}-seed{seed}" / "metrics.json" for name in names]
            pair = Pair(*(json.loads(file.read_text(encoding="utf-8")) for file in files))
            if all(pair.seqgan["nll"] != other.seqgan["nll"] for other in found):
                found.append(pair)
    return found


def row(title: str, values: list[float]) -> list[str]:
    """Return the row of the table for these differences."""
    test = paired(values)
    assert test is not None, "the differences are not all equal"
    mean, spread = statistics.mean(values), statistics.stdev(values)
    better = f"{sum(value > 0 for value in values)} of {len(values)}"
    return [title, better, f"{mean:.3f} ± {spread:.3f}", f"{test.p:.2g}"]


def main() -> None:
    """Print the table."""
    rows, found = [], pairs()
    for title, (name, sign) in MEASURED.items():
        differences = [sign * (pair.seqgan[name] - pair.constant[name]) for pair in found]
        by_start = defaultdict(list)
        for pair, value in zip(found, differences, strict=True):
            by_start[pair.start["nll"]].append(value)
        rows.append(row(f"{title}: pairs", differences))
        rows.append(row(f"{title}: MLEs", [statistics.mean(v) for v in by_start.values()]))
    headers = ["", "SeqGAN is better", "difference", "p"]
    print(tabulate(rows, headers, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
