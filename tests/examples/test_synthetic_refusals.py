"""What examples/synthetic/run.sh refuses, before it writes anything."""

import fcntl
import json
import os

import pytest
from helpers.run_sh import write
from helpers.tiny_synthetic import refused, tiny

TRAINED = {"label": "x", "kind": "system", "train": ["mle"]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"systems": {"x": {"label": "x", "kind": "winner"}}}, "kind 'winner'"),
        ({"systems": {"x": {"label": "x", "kind": "system"}}}, "neither 'train' nor 'random'"),
        ({"systems": {"x": {"kind": "oracle"}}}, "systems: x: label"),
        ({"systems": {"x": TRAINED | {"train": ["mlé"]}}}, "no 'mlé'"),
        ({"systems": {"x": {"label": "x", "kind": "oracle", "seed": 3}}}, "'seed' is not one of"),
        (
            {
                "systems": {
                    "x": {"label": "x", "kind": "system", "train": ["mle"], "from": "y/last"}
                }
            },
            "builds on 'y'",
        ),
        ({"systems": {"x": TRAINED | {"control": "y"}}}, "systems: x: control 'y' is none"),
        ({"experiment": {"seeds": "many", "data-seed": 1}}, "seeds must be a whole number"),
        (
            {"experiment": {"seeds": 1, "data-seed": 1, "judge": "jury"}},
            "judge: no system 'jury' is trained",
        ),
        ({"samples": {}}, "num-samples must be a whole number"),
        ({"extra": {}}, "there is no section 'extra'"),
    ],
)
def test_refuses_a_broken_recipe(tmp_path, change, words):
    path = write(tmp_path / "broken.yaml", tiny(["mle"]) | change)
    message = refused(path, "--dest", tmp_path / "out")
    assert "broken.yaml" in message
    assert words in message
    assert not (tmp_path / "out").exists()


def test_refuses_a_training_without_its_schedule(tmp_path):
    recipe = tiny(["mle", "seqgan"])
    recipe["options"]["adversarial"]["g-steps"] = None
    message = refused(write(tmp_path / "broken.yaml", recipe), "--dest", tmp_path / "out")
    assert "seqgan: its options must state g-steps as a whole number" in message
    assert not (tmp_path / "out").exists()


def test_a_recipe_of_ones_own_has_no_place_for_results(tmp_path):
    path = write(tmp_path / "quick.yaml", tiny(["mle"]))
    assert "--publish: name a folder" in refused(path, "--dest", tmp_path / "out", "--publish")
    assert not (tmp_path / "out").exists()


def test_refuses_what_is_not_there(tmp_path):
    out = tmp_path / "out"
    assert "nothing" in refused("nothing", "--dest", out)
    path = write(tmp_path / "tiny.yaml", tiny(["mle"]))
    for seeds in (0, "3-2", "0-2", "x", "1-", "-1-2", f"1-{'9' * 5000}"):
        assert f"--seeds is {seeds}: " in refused(path, "--dest", out, f"--seeds={seeds}")
    nowhere = tmp_path / "nowhere"
    assert f"--join {nowhere}: " in refused(path, "--dest", out, "--join", nowhere)
    assert "--jobs is 0" in refused(path, "--dest", out, "--jobs", 0)
    assert "ORACLE=nowhere: no such file" in refused(path, "--dest", out, ORACLE="nowhere")
    assert not out.exists()


def test_refuses_another_experiments_folder(tmp_path):
    path = write(tmp_path / "tiny.yaml", tiny(["mle"]))
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("all my work")
    assert "is not a folder of this experiment" in refused(path, "--dest", out)
    assert [p.name for p in out.iterdir()] == ["thesis.tex"]
    (out / "thesis.tex").unlink()
    state = {"oracle": "a fresh one", "recipe": {}, "seconds": {}}
    (out / "experiment.json").write_text(json.dumps(state))
    assert "made with another recipe" in refused(path, "--dest", out)


def test_refuses_a_second_run_in_the_same_folder(tmp_path):
    path = write(tmp_path / "tiny.yaml", tiny(["mle"]))
    (tmp_path / "out").mkdir()
    folder = os.open(tmp_path / "out", os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        assert "another run is at work in it" in refused(path, "--dest", tmp_path / "out")
    finally:
        os.close(folder)
