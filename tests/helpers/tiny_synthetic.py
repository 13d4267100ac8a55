"""A small version of the experiments in examples/synthetic."""

import subprocess
from pathlib import Path

import yaml

from helpers import run_sh
from helpers.commands import REPO
from helpers.examples import load

SYNTHETIC = REPO / "examples" / "synthetic"
ROUNDS, EPOCHS = 12, 8
DATA = """{vocab-size: 30, embed-dim: 4, hidden-size: 4, length: 6,
           num-train: 64, num-valid: 32, num-test: 40}"""
OPTIONS = f"""
generator: {{decoder-embed-dim: 8, decoder-hidden-size: 8, decoder-out-embed-dim: 8,
             fixed-length: 6, tokens-per-sample: 7, num-eval-samples: 20}}
mle: {{batch-size: 16, max-epoch: {EPOCHS}}}
mle_continued: {{batch-size: 8, validate-interval-updates: 2}}
adversarial: {{batch-size: 8, rounds: {ROUNDS}, g-steps: 2, rollouts: 2}}
discriminator: {{d-kernel-widths: "1,2", d-kernel-counts: "4,4", negative-pool-size: 32,
                 pretrain-d-steps: 2}}
"""


def tiny(systems: list[str]) -> dict:
    """Return the recipe of the preset ``quick`` with small numbers and only *systems*."""
    recipe, _ = load("synthetic", "quick")
    recipe["environment"] = {"OMP_NUM_THREADS": 1}
    recipe["data"] = yaml.safe_load(DATA)
    recipe["samples"] = {"num-samples": 50, "batch-size": 20}
    recipe["evaluation"] = {"num-eval-samples": 50, "self-bleu-samples": 20}
    for group, numbers in yaml.safe_load(OPTIONS).items():
        recipe["options"][group] |= numbers
    recipe["systems"] = {name: recipe["systems"][name] for name in systems}
    if "mle" in systems:
        recipe["systems"]["mle"] |= {"checkpoints": ["last"]}
        recipe["systems"]["mle"].pop("sweep")
    if "seqgan" in systems:
        recipe["systems"]["seqgan"] |= {"checkpoints": ["last"]}
    return recipe


def start(recipe: Path | str, *arguments, **environment: str) -> subprocess.Popen:
    return run_sh.start(SYNTHETIC / "run.sh", recipe, *arguments, **environment)


def refused(*arguments, **environment: str) -> str:
    return run_sh.refused(SYNTHETIC / "run.sh", *arguments, **environment)
