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

from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from fairseq_seqgan.metrics.significance import paired

RESULTS = Path(__file__).resolve().parents[1] / "nottingham" / "results"
# (preset, seed): the MLE that the pair starts from. `full` and `teach` have one in common for each
# seed. The first two of `judged` are those of `teach` to the last digit, so they are left out.
PAIRS = {
    **{("quick", seed): f"quick {seed}" for seed in (1, 2, 3)},
    **{("full", seed): f"strong {seed}" for seed in (1, 2)},
    **{("teach", seed): f"strong {seed}" for seed in (1, 2, 3, 4, 5)},
    ("judged", 3): "judged 3",
}
# What is measured: a metric, and whether SeqGAN's should be higher (1) or lower (-1).
MEASURED = {
    "held-out NLL, nats per token": ("nll", -1),
    "BLEU-4, corpus": ("bleu4_corpus", 1),
}


def metric(preset: str, system: str, seed: int, name: str) -> float:
    """Return the metric *name* of a published run."""
    path = RESULTS / preset / "runs" / f"{system}-seed{seed}" / "metrics.json"
    return json.loads(path.read_text(encoding="utf-8"))[name]


def differences(name: str, sign: int) -> dict[tuple[str, int], float]:
    """Return by how much SeqGAN is better than the constant reward, for every pair."""
    return {
        pair: sign * (metric(pair[0], "seqgan", pair[1], name)
                      - metric(pair[0], "constant_reward", pair[1], name))
        for pair in PAIRS
    }  # fmt: skip


def row(title: str, values: list[float]) -> list[str]:
    """Return the row of the table for these differences."""
    test = paired(values)
    assert test is not None, "the differences are not all equal"
    mean, spread = statistics.mean(values), statistics.stdev(values)
    better = f"{sum(value > 0 for value in values)} of {len(values)}"
    return [title, better, f"{mean:.3f} ± {spread:.3f}", f"{test.p:.2g}"]


def main() -> None:
    """Print the table."""
    rows = []
    for title, (name, sign) in MEASURED.items():
        found = differences(name, sign)
        by_start = defaultdict(list)
        for pair, value in found.items():
            by_start[PAIRS[pair]].append(value)
        rows.append(row(f"{title}: pairs", list(found.values())))
        rows.append(row(f"{title}: MLEs", [statistics.mean(v) for v in by_start.values()]))
    headers = ["", "SeqGAN is better", "difference", "p"]
    print(tabulate(rows, headers, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
