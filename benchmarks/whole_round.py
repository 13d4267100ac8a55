"""One whole round of the authors' recipe, as ``fairseq-train`` does it: 1 G step, 4,695 D updates.

Compared with the sum of the plain parts: a naive G step, five times 10,000 sequences drawn by stock
``fairseq-generate``, and a plain update of D for each minibatch. What a plain training loop would
do beside that is not counted.
"""

from __future__ import annotations

import re
from pathlib import Path

from draw import ROUND, USER_DIR, command, make_data
from timing import Figure, figure

D_STEPS, K, MINIBATCHES = 5, 3, 313
COUNTS = {"g_step": 1, "draw_10k": D_STEPS, "d_step": D_STEPS * K * MINIBATCHES}  # in a round


def train_a_round(folder: Path, device: str, *options: str) -> float:
    """Return the seconds that ``fairseq-train`` took for one round, start and end not counted."""
    data, save = folder / "round-data", folder / "round"
    if not data.exists():
        make_data(data)
    recipe = f"{ROUND} --d-steps {D_STEPS} --k {K}{' --cpu' if device == 'cpu' else ''}".split()
    own = ["--user-dir", USER_DIR, "--save-dir", save, *recipe, *options]
    done = command("fairseq_cli.train", data, *own)
    found = re.findall(r"done training in ([\d.]+) seconds", done.stdout + done.stderr)
    return float(found[0])


def whole_round(folder: Path, device: str, parts: dict[str, Figure], dtype: str) -> Figure:
    """Time a round with D trained in *dtype*, against the sum of *parts*."""
    baseline = sum(times * parts[part]["baseline_s"] for part, times in COUNTS.items())
    what = "a round of the authors' recipe: 1 G step, 5 × 10,000 negatives, 4,695 updates of D"
    name = "round" if dtype == "float32" else "round_bf16"
    ours = train_a_round(folder, device, "--d-train-dtype", dtype)
    found = figure(name, f"{what}; D trained in {dtype}", ours, baseline)
    return found | {"ceiling_share": least_seconds(parts, dtype) / ours}


def least_seconds(parts: dict[str, Figure], dtype: str) -> float:
    """Return what the machine needs at least for a round: the sum of what the *parts* need."""
    update = "d_step" if dtype == "float32" else "d_step_bf16"
    ours = {"g_step": "g_step", "draw_10k": "draw_10k", "d_step": update}
    return sum(
        times * parts[ours[part]]["ours_s"] * parts[ours[part]]["ceiling_share"]
        for part, times in COUNTS.items()
    )
