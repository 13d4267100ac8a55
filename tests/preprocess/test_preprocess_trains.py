"""What the preprocess scripts write is what the task trains on: MLE, then adversarially."""

import itertools
import random

import pytest
from helpers.commands import fork, gan, load, mle
from helpers.raw_data import midi, save, scale, script, stats

pytestmark = pytest.mark.slow

SMALL_GAN = "--rounds 1 --g-steps 1 --d-steps 1 --k 1 --rollouts 2 --num-eval-samples 20"


def poems(folder):
    """Write poems of few characters; return the script's options and the length of a sequence."""
    generator = random.Random(1)
    lines = ["".join(generator.choices("春夏秋冬山水风花雪月", k=20)) for _ in range(100)]
    (folder / "raw").write_text("\n".join(lines), encoding="utf-8")
    return "poems", [], 20


def speeches(folder):
    """Write paragraphs; their sequences vary in length."""
    words = itertools.product(["We", "They", "You"], ["will", "can"], "abcdefghijklmnopqrst")
    lines = [" ".join(w) + " go" * (i % 5) + "." for i, w in enumerate(words)]
    (folder / "raw").write_text("\n\n".join(lines), encoding="utf-8")
    return "obama", ["--max-length", 8], 0


def tunes(folder):
    """Write tunes, not divided."""
    for i in range(60):
        save(midi(scale(70 + i, i)), folder / "raw" / f"{i}.mid")
    return "nottingham", [], 32


@pytest.mark.parametrize("source", [poems, speeches, tunes])
def test_raw_data_to_an_adversarial_step(source, tmp_path):
    name, options, length = source(tmp_path)
    options = ["--source", "raw", "--dest", "data", *options]
    script(name, tmp_path / "logs", *options, cwd=tmp_path).check()
    data = tmp_path / "data"
    numbers = stats(data)["splits"]["train"]
    assert (numbers["shortest"] == numbers["longest"]) == bool(length)
    shape = f"--fixed-length {length} --tokens-per-sample {numbers['longest'] + 1}"
    if not length:
        shape = f"--tokens-per-sample {numbers['longest'] + 1} --max-length {numbers['longest']}"
    args = mle(data, tmp_path / "mle", "--max-update", 2, shape=shape)
    result = fork("train", tmp_path / "mle-logs", args).check()
    assert result.logged("valid")
    best = tmp_path / "mle" / "checkpoint_best.pt"
    args = gan(data, tmp_path / "gan", best, *SMALL_GAN.split(), shape=shape)
    result = fork("train", tmp_path / "gan-logs", args).check()
    assert 0 < result.logged("train")[-1]["reward"] < 1
    assert load(tmp_path / "gan" / "checkpoint_last.pt")["criterion"]
