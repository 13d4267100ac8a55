"""The presets of the synthetic data, read and not run: their options, controls and schedules."""

import sys
from argparse import Namespace
from dataclasses import replace
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest
from fairseq import options
from helpers.commands import PLUGIN
from helpers.examples import PRESETS as ALL_PRESETS
from helpers.examples import ExperimentError, load, make_commands, pairs, variants

PRESETS = [preset for folder, preset in ALL_PRESETS if folder == "synthetic"]


def commands_of(preset):
    """Return the recipe, training commands and rows of a preset, without running any."""
    recipe, made = make_commands("synthetic", preset)
    systems = list(made.systems.values())
    lines = {s.name: made.train(s, 1) for s in systems if s.options}
    return recipe, lines, [(v.folder(1), v.label) for v in variants(systems)]


def stated_in(line: list[str]) -> dict[str, str]:
    """Return every word of a command line with the word after it."""
    return dict(pairwise(line))


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_hold_options_that_fairseq_knows(preset, monkeypatch):
    """A misspelt option would end a training after hours of others."""
    _, lines, rows = commands_of(preset)
    for name, line in lines.items():
        words = [word for word in line if "fairseq-train" not in word and word != "-m"]
        monkeypatch.setattr(sys, "argv", ["fairseq-train", *words])
        args = options.parse_args_and_arch(options.get_training_parser(), words)
        assert args.user_dir == str(PLUGIN)
        assert args.oracle, name
    assert len({folder for folder, _ in rows}) == len(rows)


def test_the_paper_preset_is_the_authors_recipe():
    recipe, lines, _ = commands_of("paper")
    seqgan = stated_in(lines["seqgan"])
    expected = pairs(
        "--lr 0.01 --batch-size 64 --rounds 200 --g-steps 1 --d-steps 5 --k 3 "
        "--pretrain-d-steps 50 --rollouts 16 --discriminator-lr 0.0001 --d-dropout 0.25 "
        "--d-l2 0.2 --d-batch-size 64 --negative-pool-size 10000 --d-embed-dim 64 "
        f"--clip-norm {5 / 64} --fixed-length 20 --decoder-hidden-size 32"
    )
    assert {name: seqgan[name] for name in expected} == expected
    assert seqgan["--finetune-from-model"].endswith("mle-seed1/checkpoint_last.pt")
    mle = stated_in(lines["mle"])
    assert (mle["--max-epoch"], mle["--lr"], mle["--clip-norm"]) == ("120", "0.01", "5")
    continued = stated_in(lines["mle_continued"])
    assert continued["--max-update"] == "200"
    assert recipe["experiment"]["seeds"] == 5
    assert recipe["samples"]["num-samples"] == 100_000
    assert recipe["data"]["num-train"] == 10_000


CONTROLS = {("constant", 1), ("random", 1), ("continued", 1)} | {
    (None, temperature) for temperature in (0.9, 0.8, 0.7, 0.6, 0.5)
}


@pytest.mark.parametrize("preset", PRESETS)
def test_every_table_has_all_controls(preset):
    """Two rewards that know nothing, MLE continued, and MLE at lower temperatures.

    In place of random numbers as the reward, ``laptop`` and the longer run of it have D's values
    on the wrong sequences.
    """
    recipe, lines, _ = commands_of(preset)
    found = set()
    for name, system in recipe["systems"].items():
        if "updates-of" in system:
            found.add(("continued", 1))
        if system["kind"] == "control" and "updates-of" not in system:
            found.add((stated_in(lines[name]).get("--reward"), 1))
        found |= {(None, at) for at in system.get("sweep", {}).get("temperatures", [])}
    own = {("shuffled" if preset in ("laptop", "eighty_rounds") else "random", 1)}
    assert found == CONTROLS - {("random", 1)} | own


def test_figure3_has_the_papers_strategies():
    _, lines, _ = commands_of("figure3")
    found = set()
    for line in lines.values():
        stated = stated_in(line)
        if stated.get("--reward") == "discriminator":
            found.add(tuple(int(stated[o]) for o in ("--g-steps", "--d-steps", "--k")))
            # They start with D's trained alike.
            assert int(stated["--pretrain-d-steps"]) * int(stated["--k"]) == 30
    assert found == {(100, 1, 10), (30, 1, 30), (1, 1, 10), (1, 5, 3)}


def test_authors_d_is_laptop_with_the_discriminator_of_paper():
    paper, laptop, authors_d = (
        commands_of(preset)[0]["options"] for preset in ("paper", "laptop", "authors_d")
    )
    for name in ("d-embed-dim", "d-kernel-widths", "d-kernel-counts"):
        assert laptop["discriminator"].pop(name) != authors_d["discriminator"][name]
        assert authors_d["discriminator"].pop(name) == paper["discriminator"][name]
    for name in ("rounds", "validate-interval", "save-interval"):
        assert laptop["adversarial"].pop(name) > authors_d["adversarial"].pop(name)
    draws = [authors_d.pop(f"{which}_draw") for which in ("second", "third", "fourth", "fifth")]
    assert all(draw.keys() == {"seed"} for draw in draws)
    assert len({draw["seed"] for draw in draws}) == 4
    assert authors_d.pop("random") == {"reward": "random"}  # it has this control as well
    assert authors_d.items() <= laptop.items()  # groups that no row uses are left out


def test_each_draw_of_each_seed_is_a_training_of_its_own():
    """A recipe's own ``seed`` is that of seed 1; were it that of all, they would be alike."""
    _, made = make_commands("synthetic", "laptop")
    draws = [s for name, s in made.systems.items() if name.startswith("constant_reward")]
    assert len(draws) == 3
    found = [stated_in(made.train(s, seed))["--seed"] for s in draws for seed in (1, 2, 3)]
    assert found == "1 2 3 2001 2002 2003 3001 3002 3003".split()


def test_a_mistake_in_updates_of_is_found_before_anything_is_trained():
    recipe, systems = load("synthetic", "quick")
    by_name = {system.name: system for system in systems}
    by_name["mle_continued"] = replace(by_name["mle_continued"], updates_of="mle")
    experiment = import_module("synthetic.experiment").EXPERIMENT
    with pytest.raises(ExperimentError, match="mle: its options must state rounds and g-steps"):
        experiment.commands(Namespace(), recipe, by_name, Path("/dest"))
