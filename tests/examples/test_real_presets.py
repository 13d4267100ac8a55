"""The presets of the experiments with real data."""

import itertools
import sys
from pathlib import Path

import pytest
from fairseq import options
from helpers.commands import PLUGIN
from helpers.examples import load, make_commands, pairs, variants
from helpers.tiny_real import TASKS
from real.people import sources

from fairseq_seqgan.cli.evaluate import add_arguments as evaluate_arguments

PRESETS = [(task, kind) for task in TASKS for kind in ("quick", "full")]


def commands_of(task: str, preset: str | Path) -> dict:
    """Return the commands of a preset, without running any."""
    recipe, made = make_commands(task, preset)
    systems = list(made.systems.values())
    rows = variants(systems)
    drawn = [made.samples(row, 1, Path("/x/y")) for row in rows]
    return {
        "recipe": recipe,
        "data": made.make_data(),
        "train": {s.name: made.train(s, 1) for s in systems if s.options},
        "samples": [line[0] for line in drawn if line],
        "evaluate": [made.evaluate(row, 1, Path("s"), Path("f")) for row in rows],
        "rows": [row.folder(1) for row in rows],
    }


def words(line: list[str], command: str) -> list[str]:
    """Return the options of a command line without the start of it."""
    return [word for word in line if command not in word and word != "-m"]


@pytest.mark.parametrize(("task", "preset"), PRESETS)
def test_presets_hold_options_that_the_commands_know(task, preset, monkeypatch):
    """A misspelt option would end an experiment after hours of others."""
    import argparse
    import importlib

    made = commands_of(task, preset)
    for name, line in made["train"].items():
        given = words(line, "fairseq-train")
        monkeypatch.setattr(sys, "argv", ["fairseq-train", *given])
        args = options.parse_args_and_arch(options.get_training_parser(), given)
        assert args.user_dir == str(PLUGIN), name
    for line in made["samples"]:
        if "fairseq-generate" in line[0]:
            given = words(line, "fairseq-generate")
            monkeypatch.setattr(sys, "argv", ["fairseq-generate", *given])
            parser = options.get_generation_parser()
            args = options.parse_args_and_arch(parser, given)
            assert args.num_samples == made["recipe"]["samples"]["num-samples"]
    parser = argparse.ArgumentParser()
    evaluate_arguments(parser)
    for line in made["evaluate"]:
        assert parser.parse_args(line[line.index("evaluate") + 1 :]).bleu == [2, 3, 4]
    script = importlib.import_module(f"fairseq_seqgan.preprocess.{Path(made['data'][1]).stem}")
    script.get_parser().parse_args(made["data"][2:])
    assert len(set(made["rows"])) == len(made["rows"])


@pytest.mark.parametrize("task", TASKS)
def test_full_is_the_authors_schedule_from_the_strong_mle(task):
    made = commands_of(task, "full")
    stated = dict(itertools.pairwise(made["train"]["seqgan"]))
    expected = pairs(
        "--batch-size 64 --rollouts 16 --g-steps 1 --d-steps 5 --k 3 --d-batch-size 64 "
        f"--d-dropout 0.25 --d-l2 0.2 --discriminator-lr 0.0001 --clip-norm {5 / 64}"
    )
    assert {name: stated[name] for name in expected} == expected
    strong, weak = commands_of(task, "worth")["train"], commands_of(task, "quick")["train"]
    assert made["train"]["mle"] == strong["mle"]
    # A strong MLE of tunes takes five minutes; of poems and speeches, half an hour.
    assert (weak["mle"] == strong["mle"]) == (task == "nottingham")
    assert made["train"]["guided"] == strong["guided"]
    # In every preset, adversarial training starts from the epoch with the best held-out loss.
    for preset in ("quick", "full"):
        lines = commands_of(task, preset)["train"]
        for name in set(lines) - {"mle"}:
            start = dict(itertools.pairwise(lines[name]))["--finetune-from-model"]
            assert start.endswith("mle-seed1/checkpoint_best.pt")


def test_people_see_any_row_that_a_training_has():
    recipe, systems = load("poem", "full")
    shown = sources(recipe, systems)
    assert [row.folder(1) for row in shown.values()] == [
        "mle-best-seed1",
        "seqgan-seed1",
        "guided-k16-seed1",
    ]
    recipe["people"]["sources"] = {"A": "mle/best/t0.7", "B": "guided/k16/t0.9"}
    shown = sources(recipe, systems)
    assert [(row.temperature, row.guide) for row in shown.values()] == [(0.7, 1), (0.9, 16)]


def test_only_a_model_is_calibrated(tmp_path):
    """Real data have no temperature, so that row must not ask for one."""
    preset = tmp_path / "mine.yaml"
    preset.write_text("base: [nottingham, worth]\nevaluation: {calibrate: valid}\n")
    made = commands_of("nottingham", preset)
    for row, line in zip(made["rows"], made["evaluate"], strict=True):
        assert ("--calibrate" in line) == ("--model" in line) == ("real" not in row)
