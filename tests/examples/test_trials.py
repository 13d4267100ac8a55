"""examples/trials: the scripts that docs/trials.md names, run on tiny data."""

import json
import re
import subprocess
import sys

import pytest
from helpers.commands import LENGTH, MODEL, REPO, differences, load
from helpers.examples import EXAMPLES
from helpers.run_sh import finish, start

STUDENT = f"--fixed-length {LENGTH} --tokens-per-sample {LENGTH + 1} --decoder-hidden-size 8 --cpu"
TRAINING, SAMPLES = 200, 24


@pytest.mark.slow
def test_a_larger_student(data, played, tmp_path):
    """Three students, whose data are the training split and the samples; resumed, the same."""
    script = EXAMPLES / "trials" / "larger_student.sh"
    arguments = [played.last, data, tmp_path]
    sizes = {"SAMPLES": str(SAMPLES), "EPOCHS": "1", "STUDENT": STUDENT}
    printed = finish(start(script, *arguments, **sizes))
    found = dict(re.findall(r"^student, (\w+): nll (\d\.\d+)$", printed, re.MULTILINE))
    assert list(found) == ["real", "plain", "guided"]
    assert found["real"] != found["plain"] != found["guided"]

    texts = {kind: (tmp_path / kind / "data/text").read_text().splitlines() for kind in found}
    real = (data / "train.txt").read_text().splitlines()
    assert texts["real"] == real and len(real) == TRAINING
    for kind in ("plain", "guided"):
        assert texts[kind][:TRAINING] == real
        assert [len(line.split()) for line in texts[kind][TRAINING:]] == [LENGTH] * SAMPLES
    assert texts["plain"] != texts["guided"]

    drawn = (tmp_path / "guided/generate.txt").stat().st_mtime_ns
    assert finish(start(script, *arguments, **sizes)) == printed
    assert (tmp_path / "guided/generate.txt").stat().st_mtime_ns == drawn


def test_a_training_that_fails_is_told_of(tmp_path):
    """In a function of the script as well: once, and where to look."""
    data, stubs = tmp_path / "data", tmp_path / "bin"
    for folder in (data, stubs):
        folder.mkdir()
    for name in ("train.txt", "dict.txt", "valid.bin", "valid.idx", "test.bin", "test.idx"):
        (data / name).write_text("1 2\n")
    for name, status in (("fairseq-preprocess", 0), ("fairseq-train", 1), ("python", 0)):
        (stubs / name).write_text(f"#!/bin/sh\nexit {status}\n")
        (stubs / name).chmod(0o755)
    script = EXAMPLES / "trials" / "cross_fitting.sh"
    process = start(script, data, tmp_path / "out", PYTHON=str(stubs / "python"))
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1 and out == ""
    assert err == f"error: a command failed; what it said is in {tmp_path / 'out'}\n"


@pytest.mark.slow
def test_cross_fitting(data, tmp_path):
    """Six discriminators of two halves of the training split; resumed, the same."""
    script = EXAMPLES / "trials" / "cross_fitting.sh"
    sizes = {
        "SAMPLES": "100",
        "G": f"--fixed-length {LENGTH} --tokens-per-sample {LENGTH + 1} --decoder-hidden-size 8"
        " --cpu --max-epoch 1",
        "D": "--d-kernel-widths 1,2 --d-kernel-counts 4,4 --pretrain-d-steps 1",
    }
    printed = finish(start(script, data, tmp_path, **sizes))
    rows = re.findall(r"^\| ([\w -]+\w) +\| (-?\d\.\d+) ± \d\.\d+", printed, re.MULTILINE)
    names = [f"{pair}-{half}" for pair in ("all", "halves", "cross") for half in (1, 2)]
    assert [name for name, _ in rows][:6] == names
    assert [name for name, _ in rows][6:] == [
        f"mean of {pair}-1 and {pair}-2" for pair in ("all", "halves", "cross")
    ]
    assert "100 samples" in printed

    halves = [(tmp_path / f"half-{half}/text").read_text().splitlines() for half in (1, 2)]
    real = (data / "train.txt").read_text().splitlines()
    assert halves == [real[::2], real[1::2]]
    for name, start_of in {"all-1": "g-all", "halves-1": "g-all", "cross-1": "g-half-2"}.items():
        assert f"{tmp_path}/{start_of}/checkpoint_best.pt" in (tmp_path / f"{name}.log").read_text()
    trained = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/checkpoint_last.pt")}
    assert len(trained) == 9
    assert finish(start(script, data, tmp_path, **sizes)) == printed


@pytest.mark.parametrize(
    ("script", "usage"),
    [("larger_student.sh", "CHECKPOINT DATA DEST"), ("cross_fitting.sh", "DATA DEST")],
)
def test_arguments_are_missing(script, usage, tmp_path):
    process = start(EXAMPLES / "trials" / script, tmp_path)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert f"{script} {usage}\n" in err


@pytest.mark.slow
def test_a_command_fails(data, tmp_path):
    """One line says where its log is; what was made before stays."""
    script = EXAMPLES / "trials" / "larger_student.sh"
    sizes = {"EPOCHS": "1", "STUDENT": STUDENT}
    process = start(script, tmp_path / "nothing.pt", data, tmp_path / "out", **sizes)
    _, err = process.communicate(timeout=300)
    assert process.returncode not in (0, None)
    assert f"error: a command failed; what it said is in {tmp_path / 'out'}" in err
    assert "nothing.pt" in (tmp_path / "out/plain/generate.log").read_text()
    assert (tmp_path / "out/real/checkpoints/checkpoint_best.pt").exists()


@pytest.mark.slow
def test_a_discriminator_that_reads_the_generator(data, pretrained, tmp_path):
    """Four kinds, of which each knows something else; G is as it was; resumed, the same."""
    script = EXAMPLES / "trials" / "reads_generator.sh"
    sizes = {
        "SAMPLES": "100",
        "SEEDS": "1",
        "FORM": f"{MODEL} --fixed-length {LENGTH} --tokens-per-sample {LENGTH + 1} --cpu",
        "D": "--d-kernel-widths 1,2 --d-kernel-counts 4,4 --pretrain-d-steps 1",
    }
    arguments = [pretrained.best, data, tmp_path]
    printed = finish(start(script, *arguments, **sizes))
    rows = dict(re.findall(r"^\| (\w+)-1 +\| (-?\d\.\d+) ± \d\.\d+", printed, re.MULTILINE))
    assert list(rows) == ["plain", "surprise", "states", "output"]
    states = {kind: load(tmp_path / f"{kind}-1" / "checkpoint_last.pt") for kind in rows}
    generator = load(pretrained.best)["model"]
    for kind in ("surprise", "states", "output"):
        stored = states[kind]["criterion"]
        copied = {name: stored[f"discriminator.generator.{name}"] for name in generator}
        assert differences(copied, generator) == []
        width = stored["discriminator.convolutions.0.weight"].size(1)
        assert width == 32 + {"surprise": 1, "states": 33, "output": 0}[kind]
    assert finish(start(script, *arguments, **sizes)) == printed


def test_the_page_has_the_pairs_that_the_script_prints():
    """Of the published results: publish more of them, and the page has to say so.

    A pair that two presets share, because their trainings are the same, counts once.
    """
    command = [sys.executable, EXAMPLES / "trials" / "tune_pairs.py"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    page = (REPO / "docs" / "trials.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")] for line in printed.splitlines()[2:]]
    assert len(rows) == 4
    stated = [[cell.strip() for cell in line.split("|")] for line in page.splitlines()]
    assert all(row in stated for row in rows)
    places = sorted(EXAMPLES.glob("nottingham/results/*/runs/constant_reward-seed*/metrics.json"))
    different = {json.loads(place.read_text())["nll"] for place in places}
    assert len(places) > len(different) == int(rows[0][2].split()[-1])
