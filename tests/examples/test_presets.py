"""Presets on top of their base: what they merge to, and what is refused."""

import re
import textwrap
from pathlib import Path

import pytest
import yaml
from helpers.commands import REPO
from helpers.examples import EXAMPLES, EXPERIMENTS, PRESETS, ExperimentError, load, presets

from fairseq_seqgan.tasks import config

PUBLISHED = sorted(path.parent for path in EXAMPLES.glob("*/results/*/recipe.yaml"))
# Options since some of the results were made: what was always so, or had no effect.
SINCE = {"policy-gradient-dropout": (True, False), "pretrain-d-select": ("auc", "gain")}
SMALL = """
environment: {THREADS: 2}
options:
  mle: {lr: 0.1, clip-norm: 5, d-l2: ~}
  gan: {rounds: 4}
  bleu: {reward: bleu}
systems:
  mle: {label: MLE, train: [mle]}
  gan: {label: GAN, train: [gan]}
  pg: {label: PG, train: [gan, bleu]}
rows: [pg, mle, gan]
"""


@pytest.fixture
def merge(tmp_path):
    """Return a function that merges the text of a preset with SMALL."""
    (tmp_path / "small.yaml").write_text(SMALL)

    def merged(text: str) -> dict:
        (tmp_path / "mine.yaml").write_text(text)
        return presets.load(tmp_path / "mine.yaml", tmp_path)

    return merged


def test_every_experiment_has_presets():
    assert len(PRESETS) == 44
    assert {name for name, _ in PRESETS} == set(EXPERIMENTS)


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_merges_and_leaves_no_value_open(name, preset):
    path = EXAMPLES / name / f"{preset}.yaml"
    assert "base" in yaml.safe_load(path.read_text(encoding="utf-8"))
    recipe, systems = load(name, preset)
    assert "base" not in recipe and "rows" not in recipe
    assert list(recipe["systems"]) == [system.name for system in systems]
    trained = {group for entry in recipe["systems"].values() for group in entry.get("train", [])}
    assert set(recipe["options"]) == trained
    assert "null" not in yaml.safe_dump(recipe)


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_no_training_is_refused(name, preset):
    """For an option without effect, or one that goes with others only."""
    recipe, systems = load(name, preset)
    for system in systems:
        given: dict = {}
        for group in recipe["systems"][system.name].get("train", []):
            given |= recipe["options"][group]
        if given.get("criterion") != "seqgan":
            continue
        known = config.make_config()()
        for option, value in given.items():
            if hasattr(known, option.replace("-", "_")):
                setattr(known, option.replace("-", "_"), value)
        known.reward_scale = str(known.reward_scale)
        brings_d = "discriminator-from" in recipe["systems"][system.name]
        config.check_options(known, trained_before=brings_d)


@pytest.mark.parametrize("folder", PUBLISHED, ids=lambda path: "/".join(path.parts[-3::2]))
def test_is_the_recipe_that_the_published_results_were_made_with(folder: Path):
    """Base and preset hold every number of the complete files from before."""
    recipe, _ = load(folder.parts[-3], folder.name)
    published = yaml.safe_load((folder / "recipe.yaml").read_text(encoding="utf-8"))
    for group, options in recipe["options"].items():
        for option in SINCE.keys() - published["options"][group].keys():
            assert options.pop(option, None) in (None, *SINCE[option])
    assert recipe == published
    assert list(recipe["systems"]) == list(published["systems"])


def test_a_preset_changes_adds_and_takes_out(merge):
    found = merge(
        "base: small\noptions:\n  mle: {lr: 0.5, clip-norm: ~}\n  own: {k: 3}\n"
        "systems:\n  gan: {train: [gan, own]}\nrows: [mle, gan]\n"
    )
    assert found == {
        "environment": {"THREADS": 2},
        "options": {"mle": {"lr": 0.5}, "gan": {"rounds": 4}, "own": {"k": 3}},
        "systems": {
            "mle": {"label": "MLE", "train": ["mle"]},
            "gan": {"label": "GAN", "train": ["gan", "own"]},
        },
    }


@pytest.mark.parametrize("page", ["docs/trials.md", "examples/README.md"])
def test_a_preset_that_a_page_shows_is_one(page, tmp_path):
    text = (REPO / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^    base:.*\n(?:    .*\n)+", text, re.MULTILINE)
    assert blocks
    for block in blocks:
        (tmp_path / "mine.yaml").write_text(textwrap.dedent(block))
        _, systems = load("nottingham", tmp_path / "mine.yaml")
        assert "mle" in {system.name for system in systems}


def test_the_rows_of_the_base_are_the_order(merge):
    assert list(merge("base: small\n")["systems"]) == ["pg", "mle", "gan"]


def test_a_key_that_the_base_leaves_open_can_be_stated(merge):
    assert merge("base: small\noptions: {mle: {d-l2: 0.2}}\n")["options"]["mle"]["d-l2"] == 0.2


def test_of_two_bases_the_last_one_counts(merge, tmp_path):
    (tmp_path / "slow.yaml").write_text("options: {mle: {lr: 0.01}, gan: {rounds: 9}}\n")
    found = merge("base: [small, slow]\noptions: {gan: {rounds: 7}}\n")["options"]
    assert found["mle"]["lr"] == 0.01 and found["gan"]["rounds"] == 7


def test_a_complete_file_is_taken_as_it_is(merge):
    assert merge("options: {unused: {lr: 1}}\nsystems: {}\n") == {
        "options": {"unused": {"lr": 1}},
        "systems": {},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "base: small\noptions:\n  gan:\n    round: 3\n",
            "mine.yaml, line 4: options: gan: 'round' is not in its base; did you mean 'rounds'?",
        ),
        ("base: small\n\nenvirnment: {THREADS: 1}\n", "line 3: 'envirnment' is not in its base"),
        ("base: small\nenvironment: {CORES: 1}\n", "line 2: environment: 'CORES' is not in its"),
        (
            "base: small\noptions:\n  gna: {rounds: 3}\n",
            "options: no system trains with 'gna'",
        ),
        (
            "base: small\nsystems:\n  x: {label: x, train: [mle]}\n",
            "line 3: systems: 'x' is not one of its rows",
        ),
        ("base: small\nrows: [mle, gna]\n", "rows: there is no system 'gna'"),
        ("base: smal\n", "there is no base 'smal'"),
        ("base: [small, small.txt]\n", "there is no base 'small.txt'"),
        ("base: mine\n", "there is no base 'mine'"),
        ("base: small\nenvironment: {THREADS: 2020-01-01}\n", "cannot be merged with its base"),
        ("base: small\n- 3", "cannot be read as a recipe"),
        (
            "base: small\noptions: {mle: {lr: .nan}}\n",
            "options: mle: lr: nan is not a finite number",
        ),
        ("base: small\noptions: {mle: {lr: [1, .inf]}}\n", "mle: lr: inf is not a finite number"),
    ],
)
def test_refuses_a_typing_error(merge, text, message):
    with pytest.raises(ExperimentError) as error:
        merge(text)
    assert message in str(error.value) and "\n" not in str(error.value)
    assert "mine.yaml" in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("systems: {mle: {label: 2024}}", "systems: mle: label 2024 is not a text"),
        ("systems: {mle: {sweep: {temperatures: [cold]}}}", "temperature 'cold' is not a number"),
        ("systems: {mle: {sweep: {temperatures: [0]}}}", "temperature 0 is not a number above 0"),
        ("systems: {seqgan: {from: mle}}", "from 'mle' is not SYSTEM/CHECKPOINT, such as mle/best"),
        ("samples: {num-samples: 0}", "samples: num-samples must be at least 1"),
    ],
)
def test_refuses_a_value_before_anything_is_trained(tmp_path, text, message):
    (tmp_path / "mine.yaml").write_text(f"base: base\n{text}\n")
    with pytest.raises(ExperimentError) as error:
        load("synthetic", tmp_path / "mine.yaml")
    assert message in str(error.value) and "mine.yaml" in str(error.value)


def test_refuses_a_circle(merge, tmp_path):
    (tmp_path / "other.yaml").write_text("base: mine\n")
    with pytest.raises(ExperimentError, match="built on this file itself"):
        merge("base: other\n")
