"""examples/synthetic with a tiny recipe: interrupted and resumed, side by side, published."""

import fcntl
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from helpers.commands import REPO
from helpers.examples import PRESETS as ALL_PRESETS
from helpers.examples import load
from helpers.run_sh import finish, kill_at, write
from helpers.tiny_synthetic import EPOCHS, ROUNDS, refused, start, tiny

PRESETS = [preset for folder, preset in ALL_PRESETS if folder == "synthetic"]


# --- an interrupted experiment resumes


@pytest.fixture(scope="module")
def straight(tmp_path_factory) -> tuple[Path, Path, str]:
    """A recipe, the folder of an experiment that nothing interrupted, and what it printed."""
    folder = tmp_path_factory.mktemp("synthetic")
    recipe = write(folder / "tiny.yaml", tiny(["mle", "seqgan", "mle_continued"]))
    printed = finish(start(recipe, "--dest", folder / "straight"))
    return recipe, folder / "straight", printed


def rows(dest: Path) -> list:
    return json.loads((dest / "report" / "report.json").read_text())["rows"]


def validated(log: Path) -> list[int]:
    """Return the epochs that a log holds a validation of, in order."""
    lines = [line for line in log.read_text().splitlines() if " | valid | {" in line]
    return [json.loads(line.partition(" | valid | ")[2])["epoch"] for line in lines]


@pytest.mark.slow
def test_interrupted_twice_and_resumed(straight, tmp_path):
    """Killed in the middle of two trainings, it ends with the same bits; nothing is done twice."""
    recipe, expected, _ = straight
    dest = tmp_path / "out"
    kill_at(start(recipe, "--dest", dest), "epoch 3 ")
    state = json.loads((dest / "experiment.json").read_text())
    assert list(state["seconds"]) == ["data"]
    assert json.loads((dest / "runs/mle-seed1/run.json").read_text())["finished"] is False

    second = "".join(kill_at(start(recipe, "--dest", dest), "round 4 "))
    assert "oracle and its data: done before" in second
    assert "epoch 1 " not in second  # it resumed from a checkpoint
    made = {p: p.stat().st_mtime_ns for p in (dest / "trainings/mle-seed1").iterdir()}

    third = finish(start(recipe, "--dest", dest))
    assert "training: MLE, seed 1: done before" in third
    assert "evaluating: MLE, seed 1: done before" in third
    assert "round 2 " not in third
    assert {p: p.stat().st_mtime_ns for p in made} == made
    # Each epoch was trained once, but for the one that was under way.
    for name, total in (("mle", EPOCHS), ("seqgan", 2 + ROUNDS)):
        epochs = validated(dest / f"logs/train-{name}-seed1.log")
        assert sorted(set(epochs)) == list(range(1, total + 1))
        assert len(epochs) <= total + 1

    assert rows(dest) == rows(expected)
    for path in expected.glob("runs/*/samples.txt"):
        other = dest / path.relative_to(expected)
        assert other.read_bytes() == path.read_bytes()
        with (
            np.load(path.with_name("scores.npz")) as a,
            np.load(other.with_name("scores.npz")) as b,
        ):
            assert a["nll_oracle"].tolist() == b["nll_oracle"].tolist()
    attempts = {
        path.parent.name: json.loads(path.read_text())["attempts"]
        for path in dest.glob("runs/*/run.json")
    }
    assert attempts == {"mle-seed1": 2, "seqgan-seed1": 2, "mle_continued-seed1": 1}


@pytest.mark.slow
def test_again_it_does_nothing_again(straight):
    recipe, dest, _ = straight
    made = {p: p.stat().st_mtime_ns for p in dest.glob("[rt]*/*/*")}
    printed = finish(start(recipe, "--dest", dest))
    assert printed.count("\n$ ") == 1  # the report
    assert {p: p.stat().st_mtime_ns for p in made} == made


@pytest.mark.slow
def test_what_is_trained_again_is_measured_again(straight, tmp_path):
    """Of a training that was deleted, no samples and no numbers are left."""
    recipe, expected, _ = straight
    dest = tmp_path / "out"
    shutil.copytree(expected, dest)
    run = dest / "runs/mle_continued-seed1"
    shutil.rmtree(dest / "trainings/mle_continued-seed1")
    for name in ("samples.txt", "metrics.json"):
        (run / name).write_text("of another training")
    finish(start(recipe, "--dest", dest))
    assert rows(dest) == rows(expected)
    whole = (expected / "runs/mle_continued-seed1/samples.txt").read_bytes()
    assert (run / "samples.txt").read_bytes() == whole


@pytest.mark.slow
def test_what_it_leaves(straight):
    _, dest, printed = straight
    found = {(row["system"], row["kind"]): row for row in rows(dest)}
    kinds = {"mle": "baseline", "seqgan": "system", "mle_continued": "control"}
    assert list(found) == list(kinds.items())
    for row in found.values():
        assert row["samples"] == 50
        assert {"nll_oracle", "nll", "entropy", "self_bleu", "copied_samples"} <= set(row)
        assert f"{row['nll_oracle']['mean']:.3f}" in printed
    about = json.loads((dest / "runs/mle_continued-seed1/run.json").read_text())
    assert about["finished"] is True
    data, training, _, _ = about["commands"]
    assert data.startswith(
        "OMP_NUM_THREADS=1 python preprocess/oracle.py --dest DEST/data --seed 1"
    )
    assert f"--max-update {2 * ROUNDS}" in training
    assert "DEST/trainings/mle-seed1/checkpoint_best.pt" in training
    assert not [line for line in about["commands"] if str(dest) in line or str(REPO) in line]
    for key in ("hardware", "software", "date", "commit"):
        assert about[key], key
    assert about["wall_seconds"] > 0
    for name in ("learning_curves.png", "frontier.png"):
        assert (dest / "report" / name).stat().st_size > 10_000


@pytest.mark.slow
def test_a_finished_training_is_not_trained_further(straight, tmp_path):
    """Killed between the last update and the note that it is done: it does not do one more."""
    recipe, expected, _ = straight
    dest = tmp_path / "out"
    shutil.copytree(expected, dest)
    state = json.loads((dest / "experiment.json").read_text())
    del state["seconds"]["train-mle_continued-seed1"]
    (dest / "experiment.json").write_text(json.dumps(state))
    before = (dest / "trainings/mle_continued-seed1/checkpoint_last.pt").read_bytes()
    finish(start(recipe, "--dest", dest))
    assert (dest / "trainings/mle_continued-seed1/checkpoint_last.pt").read_bytes() == before


@pytest.mark.slow
def test_a_damaged_last_checkpoint_is_not_deleted(straight, tmp_path):
    """With no other beside it, the experiment ends with a line about it; nothing begins afresh."""
    recipe, expected, _ = straight
    dest = tmp_path / "out"
    shutil.copytree(expected, dest)
    state = json.loads((dest / "experiment.json").read_text())
    del state["seconds"]["train-mle_continued-seed1"]
    (dest / "experiment.json").write_text(json.dumps(state))
    last = dest / "trainings/mle_continued-seed1/checkpoint_last.pt"
    last.write_bytes(last.read_bytes()[:1000])
    (last.parent / "checkpoint_best.pt").unlink(missing_ok=True)
    before = {path.name: path.read_bytes() for path in last.parent.iterdir()}
    ended = start(recipe, "--dest", dest)
    printed, errors = ended.communicate()
    assert ended.returncode == 1, printed
    assert "checkpoint_last.pt: not a readable checkpoint" in errors
    log = (dest / "logs/train-mle_continued-seed1.log").read_text()
    # One line; what fairseq logs on the other stream may come after it.
    assert len([line for line in log.splitlines() if "no other whole checkpoint" in line]) == 1
    assert {path.name: path.read_bytes() for path in last.parent.iterdir()} == before


@pytest.mark.slow
def test_publish(straight, tmp_path):
    recipe, dest, _ = straight
    finish(start(recipe, "--dest", dest, "--publish", tmp_path / "results"))
    files = {str(p.relative_to(tmp_path / "results")) for p in tmp_path.rglob("*.*")} - {"."}
    reports = {"report.md", "report.json", "learning_curves.png", "frontier.png", "recipe.yaml"}
    reports |= {"results.csv", "published.json"}
    names = ("run.json", "metrics.json", "train.log")
    runs = {f"runs/{s}-seed1/{n}" for s in ("mle", "seqgan", "mle_continued") for n in names}
    assert files == reports | runs
    published = (tmp_path / "results" / "recipe.yaml").read_text()
    assert yaml.safe_load(published) == yaml.safe_load(recipe.read_text())


# --- seeds side by side, and from elsewhere


@pytest.mark.slow
def test_seeds_of_two_machines(tmp_path):
    """Seed 1 is published; another folder trains seed 2 and joins it: as both seeds in one."""
    recipe, results = write(tmp_path / "tiny.yaml", tiny(["oracle", "mle"])), tmp_path / "results"
    finish(start(recipe, "--dest", tmp_path / "one", "--publish", results))
    other, again = tmp_path / "other", ["--seeds", "2-2", "--join", results]
    finish(start(recipe, "--dest", other, *again))
    assert not list((other / "trainings").glob("*-seed1"))
    finish(start(recipe, "--dest", other, *again))  # joined already
    finish(start(recipe, "--dest", tmp_path / "one", "--seeds", 2))
    both = rows(tmp_path / "one")
    assert [row["seeds"] for row in both] == [[1, 2], [1, 2]]
    assert rows(other) == [row | {"welch_over_samples": None} for row in both]
    finish(start(recipe, "--dest", other, "--seeds", 2))  # now seed 1 is trained here as well
    assert rows(other) == both
    for path in other.glob("runs/*/run.json"):
        assert not {"published", "joined"} & json.loads(path.read_text()).keys()
    changed = tiny(["oracle", "mle"])
    changed["options"]["mle"] |= {"max-epoch": EPOCHS + 1}
    words = ["--dest", tmp_path / "new", "--seeds", "2-2", "--join", results]
    message = refused(write(tmp_path / "changed.yaml", changed), *words)
    assert (
        f"another recipe: options: mle: max-epoch was {EPOCHS}, and is {EPOCHS + 1} now" in message
    )
    assert "no finished run of another seed" in refused(recipe, *words[:2], *words[-2:])
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_side_by_side_changes_no_result(tmp_path):
    """Ended while two seeds train, with both trainings, and resumed; then one seed at a time."""
    recipe = write(tmp_path / "tiny.yaml", tiny(["mle"]))
    dest = tmp_path / "both"
    process = start(recipe, "--dest", dest, "--seeds", 2, "--jobs", 2)
    waiting = {"train-mle-seed1: epoch 2 ", "train-mle-seed2: epoch 2 "}
    for line in process.stdout:
        waiting -= {words for words in waiting if words in line}
        if not waiting:
            process.terminate()
            break
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "resumes from here" in err
    folder = os.open(dest, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)  # free: no training lives on
    os.close(folder)

    finish(start(recipe, "--dest", dest, "--seeds", 2, "--jobs", 2))
    finish(start(recipe, "--dest", tmp_path / "one", "--seeds", 2))
    assert rows(dest) == rows(tmp_path / "one")
    assert rows(dest)[0]["seeds"] == [1, 2]


@pytest.mark.slow
def test_one_failure_ends_all(tmp_path):
    """The error is that of the seed that failed; the other one's training does not go on."""
    recipe = tiny(["mle"])
    recipe["options"]["mle"] |= {"max-epoch": 100_000}
    path, dest = write(tmp_path / "tiny.yaml", recipe), tmp_path / "out"
    kill_at(start(path, "--dest", dest), "epoch 1 ")
    obstacle = dest / "trainings" / "mle-seed2" / "checkpoint_last.pt"
    obstacle.mkdir(parents=True)
    process = start(path, "--dest", dest, "--seeds", 2, "--jobs", 2)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert err.startswith("error: training: MLE, seed 2: the command failed with status 2")
    assert f"{obstacle}: cannot be written" in err


# --- all systems


@pytest.mark.slow
def test_every_kind_of_system(tmp_path):
    """The preset's systems from a given oracle, but for two that differ by one option from one."""
    names = list(load("synthetic", "quick")[0]["systems"])
    recipe = tiny([n for n in names if n not in ("random_unigram", "random_reward")])
    recipe["options"]["mle"]["max-epoch"] = 2
    recipe["options"]["adversarial"]["rounds"] = 2
    recipe["systems"]["mle"]["sweep"] = {"checkpoint": "last", "temperatures": [0.5]}
    recipe["systems"]["seqgan"]["checkpoints"] = ["last", "best"]
    from fairseq_seqgan.oracle.lstm import Oracle

    Oracle.random(30, 4, 4, seed=5).save(tmp_path / "given.npz")
    path = write(tmp_path / "tiny.yaml", recipe)
    dest = tmp_path / "out"
    finish(start(path, "--dest", dest, ORACLE=str(tmp_path / "given.npz")))
    found = rows(dest)
    assert [(r["system"], r["temperature"], r["selection"]) for r in found] == [
        ("oracle", 1, "last"),
        ("random_uniform", 1, "last"),
        ("mle", 1, "last"),
        ("mle", 0.5, "last"),
        ("scheduled_sampling", 1, "last"),
        ("seqgan", 1, "last"),
        ("seqgan", 1, "best-on-validation"),
        ("pg_bleu", 1, "last"),
        ("constant_reward", 1, "last"),
        ("mle_continued", 1, "last"),
    ]
    kinds = {r["system"]: r["kind"] for r in found}
    assert kinds["constant_reward"] == kinds["mle_continued"] == "control"
    assert (dest / "data" / "oracle.npz").read_bytes() == (tmp_path / "given.npz").read_bytes()
    test = (dest / "data" / "test.txt").read_text().splitlines()
    assert not set(test) & set((dest / "runs/oracle-seed1/samples.txt").read_text().splitlines())
    # Tempered, G's own entropy falls, and the held-out NLL is that of the tempered policy.
    by_key = {(r["system"], r["temperature"]): r for r in found}
    mle, cold = by_key["mle", 1], by_key["mle", 0.5]
    assert cold["entropy"]["mean"] < mle["entropy"]["mean"]
    assert cold["nll"]["mean"] != mle["nll"]["mean"]

    other = tmp_path / "other.npz"
    Oracle.random(30, 4, 4, seed=6).save(other)
    assert "made with oracle" in refused(path, "--dest", dest, ORACLE=str(other))
    recipe["options"]["discriminator"]["d-kernel-widths"] = "1,3"
    path, given = write(tmp_path / "other.yaml", recipe), str(tmp_path / "given.npz")
    message = refused(path, "--dest", dest, ORACLE=given)
    assert "options: discriminator: d-kernel-widths was 1,2, and is 1,3 now" in message
