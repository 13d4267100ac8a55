"""--join: seeds of another folder beside these, whole or refused."""

import json
from pathlib import Path

import pytest
import yaml
from helpers.examples import ExperimentError, join

RECIPE = {"experiment": {"seeds": 3, "data-seed": 1}, "options": {"mle": {"lr": 0.1, "x": [1]}}}
DATA = {"data": "tunes", "vocab_size": 7}
FILES = {"metrics.json": '{"nll": 2.0}', "scores.npz": "many", "train.log": "valid"}


def make_run(runs: Path, seed: object, finished: bool = True, **about) -> Path:
    folder = runs / f"mle-seed{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in FILES.items():
        (folder / name).write_text(text)
    (folder / "samples.txt").write_text("1 2 3")
    about = {"seed": seed, "finished": finished, **DATA, **about}
    (folder / "run.json").write_text(json.dumps(about))
    return folder


@pytest.fixture
def other(tmp_path) -> Path:
    """Return the folder of an experiment with a finished run of seed 1 and one of seed 2."""
    for seed in (1, 2):
        make_run(tmp_path / "other" / "runs", seed)
    (tmp_path / "other" / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    return tmp_path / "other"


def test_other_seeds_are_copied(other, tmp_path):
    make_run(other / "runs", 3, finished=False)
    join.join(other, tmp_path / "runs", DATA, [2])
    join.join(other, tmp_path / "runs", DATA, [2])  # again: they are there already
    found = {p.relative_to(tmp_path / "runs").as_posix() for p in (tmp_path / "runs").glob("*/*")}
    assert found == {f"mle-seed1/{name}" for name in (*FILES, "run.json")}
    for name in FILES:
        assert (tmp_path / "runs" / "mle-seed1" / name).read_text() == FILES[name]
    about = json.loads((tmp_path / "runs" / "mle-seed1" / "run.json").read_text())
    assert about == {"seed": 1, "finished": True, **DATA, "joined": True}


def test_the_same_run_as_it_was_published_is_there_already(other, tmp_path):
    """From another machine's folder, then from what that machine has published."""
    join.join(other, tmp_path / "runs", DATA, [2])
    (other / "runs" / "mle-seed1" / "scores.npz").unlink()
    make_run(other / "runs", 1, temperature=1.0, published={"samples": 7})
    join.join(other, tmp_path / "runs", DATA, [2])


def test_a_run_that_was_begun_here_and_left_is_replaced(other, tmp_path):
    own = make_run(tmp_path / "runs", 1, finished=False)
    (own / "metrics.json").unlink()
    join.join(other, tmp_path / "runs", DATA, [2])
    assert (own / "metrics.json").read_text() == FILES["metrics.json"]


@pytest.mark.parametrize("text", ["[]", "5", "null", "{", "[" * 100_000])
def test_a_broken_run_is_refused(other, text):
    (other / "runs" / "mle-seed1" / "run.json").write_text(text)
    with pytest.raises(ExperimentError, match=r"mle-seed1/run\.json: "):
        join.check(other, RECIPE, [3])


def test_the_number_of_seeds_makes_no_difference(other):
    join.check(other, RECIPE | {"experiment": {"seeds": 2, "data-seed": 1}}, [3])


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (
            RECIPE | {"experiment": {"seeds": 3, "data-seed": 2}},
            "experiment: data-seed was 1, and is 2 now",
        ),
        (
            RECIPE | {"experiment": {"seeds": 3}},
            "experiment: data-seed was 1, and is not there now",
        ),
        (
            RECIPE | {"options": {"mle": {"lr": 0.1, "x": [1], "y": 0}}},
            "options: mle: y was not there, and is 0 now",
        ),
        (
            RECIPE | {"options": {"mle": {"lr": 0.1, "x": [2]}}},
            r"options: mle: x was \[1\], and is \[2\] now",
        ),
        (RECIPE | {"report": {"x": 1}}, "report was not there, and is"),
    ],
)
def test_another_recipe_is_refused(other, recipe, words):
    with pytest.raises(ExperimentError, match=f"run with another recipe: {words}"):
        join.check(other, recipe, [3])


@pytest.mark.parametrize("text", ["[", "- 1", "x: 1", "", "\xff"])
def test_what_is_no_recipe_is_refused(other, text):
    (other / "recipe.yaml").write_bytes(text.encode("latin-1"))
    with pytest.raises(ExperimentError, match="recipe"):
        join.check(other, RECIPE, [3])


def test_a_folder_without_other_seeds_is_refused(other, tmp_path):
    with pytest.raises(ExperimentError, match="no finished run of another seed"):
        join.check(other, RECIPE, [1, 2])
    (other / "runs" / "mle-seed2" / "scores.npz").unlink()  # half a copy
    make_run(other / "runs", "x")  # of no known seed
    with pytest.raises(ExperimentError, match="no finished run of another seed"):
        join.check(other, RECIPE, [1])
    with pytest.raises(ExperimentError, match=r"nowhere/recipe\.yaml: cannot be read"):
        join.check(tmp_path / "nowhere", RECIPE, [3])


def test_other_data_are_refused(other, tmp_path):
    with pytest.raises(ExperimentError, match="mle-seed1 was run on other data"):
        join.join(other, tmp_path / "runs", DATA | {"data": "poems"}, [2])
    assert not (tmp_path / "runs").exists()


def test_another_run_of_that_name_is_kept(other, tmp_path):
    own = make_run(tmp_path / "runs", 1, date="2026-01-01")
    before = {path.name: path.read_bytes() for path in own.iterdir()}
    with pytest.raises(ExperimentError, match="mle-seed1 is another run of this name"):
        join.join(other, tmp_path / "runs", DATA, [2])
    assert {path.name: path.read_bytes() for path in own.iterdir()} == before
