"""Drawing 10,000 sequences: ``fairseq-generate`` with the plugin against ``fairseq-generate``.

Both are real commands on the same checkpoint; the time is the one that fairseq itself reports, that
of the generator alone, after the model is loaded.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
from pathlib import Path

from timing import Figure, figure

SAMPLES, LENGTH = 10_000, 20
ROOT = Path(__file__).resolve().parent.parent
USER_DIR = ROOT / "fairseq_seqgan"
GENERATOR = (
    "--task seqgan --arch lstm_lm --decoder-embed-dim 32 --decoder-hidden-size 32 "
    f"--decoder-out-embed-dim 32 --fixed-length {LENGTH} --tokens-per-sample {LENGTH + 1}"
)
STOCK = (
    f"--task language_modeling --sample-break-mode eos --min-len {LENGTH} --max-len-b {LENGTH} "
    "--unkpen 1e9 --required-batch-size-multiple 1"
)
# A training of one round that leaves nothing; k and d-steps are stated with it.
ROUND = (
    f"{GENERATOR} --dropout 0 --criterion seqgan --optimizer seqgan_adam --lr 0.01 --clip-norm 5 "
    "--batch-size 64 --rounds 1 --pretrain-d-steps 0 --disable-validation --no-save "
    "--num-workers 0 --log-format none"
)


def command(module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a module of fairseq, or a script, and return what it printed."""
    program = [str(module)] if module.endswith(".py") else ["-m", module]
    done = subprocess.run(
        [sys.executable, *program, *map(str, arguments)], capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"error: {module} failed\n{done.stderr[-2000:]}")
    return done


def make_data(folder: Path, *options: str) -> None:
    """Make data of the paper's size in *folder*, with small valid and test splits."""
    script = str(ROOT / "preprocess" / "oracle.py")
    command(script, "--dest", folder, "--num-valid", "64", "--num-test", "64", *options)


def prepare(folder: Path) -> tuple[Path, Path, Path]:
    """Make data of the paper's size, blank lines for the stock command, and a checkpoint."""
    data, blank, save = folder / "data", folder / "blank", folder / "model"
    make_data(data, "--num-train", "64")
    (folder / "blank.txt").write_text("\n" * SAMPLES)
    lines = ["--testpref", folder / "blank.txt", "--destdir", blank]
    command("fairseq_cli.preprocess", "--only-source", "--srcdict", data / "dict.txt", *lines)
    options = (
        f"{GENERATOR} --criterion cross_entropy --optimizer adam --lr 0.01 --batch-size 64 "
        "--max-update 1 --cpu --disable-validation --no-epoch-checkpoints"
    ).split()
    command("fairseq_cli.train", data, "--user-dir", USER_DIR, *options, "--save-dir", save)
    return data, blank, save / "checkpoint_last.pt"


def seconds(*arguments: object) -> float:
    """Run ``fairseq-generate`` and return the seconds that it spent generating."""
    errors = command("fairseq_cli.generate", *arguments, "--quiet").stderr
    rates = re.findall(r"\(([\d.]+) sentences/s", errors)
    return SAMPLES / float(rates[0])


def draw_10k(folder: Path, runs: int, device: str) -> Figure:
    """Compare the two commands, alternating."""
    data, blank, checkpoint = prepare(folder)
    common = ["--path", checkpoint, "--sampling", "--beam", 1, "--batch-size", 1024]
    common += ["--cpu"] if device == "cpu" else []
    ours, stock = [], []
    for _ in range(runs):
        ours.append(
            seconds(
                data, "--user-dir", USER_DIR, "--task", "seqgan", "--num-samples", SAMPLES, *common
            )
        )
        stock.append(seconds(blank, *STOCK.split(), *common))
    what = "drawing 10,000 sequences of 20 tokens, against stock fairseq-generate"
    return figure("draw_10k", what, statistics.median(ours), statistics.median(stock))
