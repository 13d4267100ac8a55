"""Small versions of the experiments with real data, and raw data for them."""

import itertools
import random
import subprocess
from pathlib import Path

import yaml

from helpers import run_sh
from helpers.examples import EXAMPLES, load
from helpers.raw_data import midi, save, scale

TASKS = ("poem", "obama", "nottingham")
EPOCHS, ROUNDS, SAMPLES, SHOWN = 4, 2, 40, 3
EVALUATION = "{bleu-samples: 5, num-eval-samples: 20, self-bleu-samples: 10}"
OPTIONS = f"""
generator: {{decoder-embed-dim: 8, decoder-hidden-size: 8, decoder-out-embed-dim: 8,
             num-eval-samples: 10}}
mle: {{batch-size: 32, max-epoch: {EPOCHS}}}
adversarial: {{batch-size: 8, rounds: {ROUNDS}, g-steps: 1, rollouts: 2}}
discriminator: {{d-kernel-widths: "1,2", d-kernel-counts: "4,4", negative-pool-size: 32,
                 pretrain-d-steps: 1}}
"""


def poems(folder: Path) -> Path:
    """Write a file of poems of few characters."""
    generator = random.Random(1)
    lines = ["".join(generator.choices("春夏秋冬山水风花雪月", k=20)) for _ in range(110)]
    (folder / "raw").write_text("\n".join(lines), encoding="utf-8")
    return folder / "raw"


def speeches(folder: Path) -> Path:
    """Write a file of paragraphs whose sentences vary in length."""
    words = itertools.product(["We", "They", "You"], ["will", "can"], "abcdefghijklmnopqrst")
    lines = [" ".join(w) + " go" * (i % 5) + "." for i, w in enumerate(words)]
    (folder / "raw").write_text("\n\n".join(lines), encoding="utf-8")
    return folder / "raw"


def tunes(folder: Path) -> Path:
    """Write a folder of tunes, not divided."""
    for i in range(60):
        save(midi(scale(70 + i, i)), folder / "raw" / f"{i}.mid")
    return folder / "raw"


RAW = {"poem": poems, "obama": speeches, "nottingham": tunes}


def tiny(task: str, systems: list[str]) -> dict:
    """Return the recipe of the preset ``quick`` with small numbers and only *systems*."""
    recipe, _ = load(task, "quick")
    recipe["environment"] = {"OMP_NUM_THREADS": 1}
    recipe["samples"] = {"num-samples": SAMPLES, "batch-size": 20}
    recipe["people"] |= {"shown": SHOWN, "per-source": 3}
    recipe["evaluation"] |= yaml.safe_load(EVALUATION)
    for group, numbers in yaml.safe_load(OPTIONS).items():
        recipe["options"][group] |= numbers
    recipe["systems"] = {name: recipe["systems"][name] for name in systems}
    recipe["systems"]["mle"] |= {"checkpoints": ["best"]}
    recipe["systems"]["mle"].pop("sweep")
    return recipe


def start(task: str, *arguments, **environment: str) -> subprocess.Popen:
    return run_sh.start(EXAMPLES / task / "run.sh", *arguments, **environment)


def refused(task: str, *arguments, **environment: str) -> str:
    return run_sh.refused(EXAMPLES / task / "run.sh", *arguments, **environment)
