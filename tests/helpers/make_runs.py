"""Makes tests/reporting/data/runs, small run folders with invented numbers.

    python tests/helpers/make_runs.py

The golden report beside them is what ``fairseq-seqgan report`` makes of them, without the pictures:

    cd tests/reporting/data && fairseq-seqgan report runs --output report && rm report/*.png
"""

import io
import json
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np

RUNS = Path(__file__).resolve().parents[1] / "reporting" / "data" / "runs"
ORACLE = "0" * 64
SAMPLES = 40
SEEDS = (1, 2, 3)
ENTROPY = 5.8

# name, selection, temperature: label, kind, NLL_oracle, held-out NLL
SYSTEMS = {
    ("oracle", "last", 1.0): ("the oracle itself", "oracle", ENTROPY, ENTROPY),
    ("random_unigram", "last", 1.0): ("random, unigram", "baseline", 10.3, None),
    ("mle", "last", 1.0): ("MLE", "baseline", 9.05, 7.70),
    ("mle", "best-on-validation", 1.0): ("MLE", "baseline", 9.20, 7.62),
    ("mle", "last", 0.8): ("MLE, T = 0.8", "control", 8.30, 7.95),
    ("mle", "last", 0.6): ("MLE, T = 0.6", "control", 7.40, 8.60),
    ("scheduled_sampling", "last", 1.0): ("scheduled sampling", "baseline", 8.99, 7.72),
    ("seqgan", "last", 1.0): ("SeqGAN", "system", 8.74, 7.80),
    ("constant_reward", "last", 1.0): ("constant reward", "control", 8.85, 7.84),
    ("mle_continued", "last", 1.0): ("MLE continued", "control", 9.04, 7.71),
}
EPOCHS, ROUNDS, G_STEPS, PRETRAIN = 6, 4, 5, 2


def npz(path: Path, scores: np.ndarray) -> None:
    """Write what ``evaluate --per-sample`` writes, with the same bytes every time."""
    content = io.BytesIO()
    np.save(content, scores)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(zipfile.ZipInfo("nll_oracle.npy"), content.getvalue())


def log_lines(records: list[dict]) -> str:
    """Return lines as fairseq-train logs them, among others that are no validation."""
    lines = ["2026-11-21 10:00:00 | INFO | fairseq_cli.train | begin validation"]
    for record in records:
        logged = {"epoch": record.pop("epoch")}
        logged |= {f"valid_{k}": str(v) for k, v in record.items()}
        lines.append(f"2026-11-21 10:00:00 | INFO | valid | {json.dumps(logged)}")
    return "\n".join(lines) + "\n"


def curve(end: float, nll: float, name: str) -> list[dict]:
    """Return the validations of a training that ends at *end*."""
    if name in ("mle", "scheduled_sampling"):
        return [
            {
                "epoch": epoch, "num_updates": 10 * epoch, "loss": round(nll + gap**2 / 50, 3),
                "nll": round(nll + gap**2 / 50, 4), "nll_oracle": round(end + gap**1.5 / 9, 4),
            } | ({"best_loss": round(nll + gap**2 / 50, 3)} if epoch > 1 else {})
            for epoch in range(1, EPOCHS + 1)
            for gap in [EPOCHS - epoch]
        ]  # fmt: skip
    steps = range(1, ROUNDS + 1)
    if name == "mle_continued":
        return [
            {"epoch": 1, "num_updates": G_STEPS * r, "loss": 11.0, "nll": nll, "nll_oracle": end}
            for r in steps
        ]
    before = [
        {"epoch": e, "num_updates": e, "loss": 11.0, "nll": 7.7, "nll_oracle": 9.05}
        for e in range(1, PRETRAIN + 1)
    ]
    return before + [
        {
            "epoch": PRETRAIN + r, "num_updates": 100 * r, "loss": 11.0,
            "nll": round(7.7 + (nll - 7.7) * r / ROUNDS, 4),
            "nll_oracle": round(9.05 + (end - 9.05) * r / ROUNDS, 4),
        }
        for r in steps
    ]  # fmt: skip


def training(name: str) -> dict:
    """Return what ``run.json`` says of a training."""
    if name in ("mle", "scheduled_sampling"):
        return {"phase": "pre-training"}
    start = {"system": "mle", "selection": "last"}
    found = {"phase": "fine-tuning", "start": start, "g_steps": G_STEPS}
    return found if name == "mle_continued" else found | {"pretrain_d_steps": PRETRAIN}


def make_run(folder: Path, key: tuple, seed: int, position: int, finished: bool = True) -> None:
    """Write one run folder."""
    name, selection, temperature = key
    label, kind, nll_oracle, nll = SYSTEMS[key]
    folder.mkdir(parents=True)
    about = {
        "format": 1, "system": name, "label": label, "kind": kind, "selection": selection,
        "temperature": temperature, "seed": seed, "position": position, "oracle": ORACLE,
        "vocab_size": 5000, "hardware": "2 cores", "date": "2026-11-21", "commit": "1234567",
        "commands": ["fairseq-train ..."], "wall_seconds": 60.0, "attempts": 1,
        "finished": finished,
    }  # fmt: skip
    rng = np.random.default_rng([position, seed])
    scores = nll_oracle + rng.normal(0, 0.03) + rng.normal(0, 0.5, SAMPLES)
    trained = kind not in ("oracle",) and not name.startswith("random")
    if trained and selection == "last" and temperature == 1.0:
        about["training"] = training(name)
        (folder / "train.log").write_text(log_lines(curve(float(scores.mean()), nll, name)))
    (folder / "run.json").write_text(json.dumps(about, indent=1) + "\n")
    if not finished:
        return
    metrics = {"samples": SAMPLES, "nll_oracle": float(scores.mean()), "oracle_nll": ENTROPY}
    if trained:
        metrics |= {"nll": nll + rng.normal(0, 0.01), "entropy": nll - 0.3, "temperature": 1.0}
    metrics |= {
        "copied_samples": 0.0, "copied_4grams": 0.01 * seed, "self_bleu": 0.2 + 0.01 * position,
        "self_bleu_signature": "BLEU-4|hyps:40|refs:39|eff:no|tok:none|smooth:exp|scale:0-1",
    }  # fmt: skip
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    npz(folder / "scores.npz", scores)


def main(dest: Path = RUNS) -> None:
    """Write all of them."""
    if dest == RUNS:  # which is committed; any other folder must be new
        shutil.rmtree(dest, ignore_errors=True)
    for position, key in enumerate(SYSTEMS):
        name, selection, temperature = key
        suffix = "-best" if selection != "last" else f"-t{temperature}" if temperature != 1 else ""
        for seed in (1,) if name in ("oracle", "mle_continued") else SEEDS:
            # Seed 3 of the constant reward died half-way; scheduled sampling lost a log.
            died = name == "constant_reward" and seed == 3
            folder = dest / f"{name}{suffix}-seed{seed}"
            make_run(folder, key, seed, position, finished=not died)
    (dest / "scheduled_sampling-seed2" / "train.log").unlink()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
