"""examples/poem, obama and nottingham with tiny recipes and made-up raw data, every step run."""

import itertools
import json
import random
import re
import subprocess
import sys
from pathlib import Path

import mido
import pytest
import yaml
from fairseq import options
from helpers import run_sh
from helpers.commands import PLUGIN
from helpers.examples import EXAMPLES, load, make_commands, pairs, variants
from helpers.raw_data import midi, save, scale
from helpers.run_sh import finish, kill_at, write
from real.people import sources

from fairseq_seqgan.cli.evaluate import add_arguments as evaluate_arguments

TASKS = ("poem", "obama", "nottingham")
PRESETS = [(task, kind) for task in TASKS for kind in ("quick", "full")]
EPOCHS, ROUNDS, SAMPLES, SHOWN = 4, 2, 40, 3
EVALUATION = "{bleu-samples: 5, num-eval-samples: 20, self-bleu-samples: 10}"
OPTIONS = f"""
generator: {{decoder-embed-dim: 8, decoder-hidden-size: 8, decoder-out-embed-dim: 8,
             num-eval-samples: 10}}
mle: {{batch-size: 32, max-epoch: {EPOCHS}}}
adversarial: {{batch-size: 8, rounds: {ROUNDS}, g-steps: 1, rollouts: 2}}
discriminator: {{d-kernel-widths: "1,2", d-kernel-counts: "4,4", negative-pool-size: 32,
                 pretrain-d-steps: 1}}
"""


def poems(folder: Path) -> Path:
    """Write a file of poems of few characters."""
    generator = random.Random(1)
    lines = ["".join(generator.choices("春夏秋冬山水风花雪月", k=20)) for _ in range(110)]
    (folder / "raw").write_text("\n".join(lines), encoding="utf-8")
    return folder / "raw"


def speeches(folder: Path) -> Path:
    """Write a file of paragraphs whose sentences vary in length."""
    words = itertools.product(["We", "They", "You"], ["will", "can"], "abcdefghijklmnopqrst")
    lines = [" ".join(w) + " go" * (i % 5) + "." for i, w in enumerate(words)]
    (folder / "raw").write_text("\n\n".join(lines), encoding="utf-8")
    return folder / "raw"


def tunes(folder: Path) -> Path:
    """Write a folder of tunes, not divided."""
    for i in range(60):
        save(midi(scale(70 + i, i)), folder / "raw" / f"{i}.mid")
    return folder / "raw"


RAW = {"poem": poems, "obama": speeches, "nottingham": tunes}


def tiny(task: str, systems: list[str]) -> dict:
    """Return the recipe of the preset ``quick`` with small numbers and only *systems*."""
    recipe, _ = load(task, "quick")
    recipe["environment"] = {"OMP_NUM_THREADS": 1}
    recipe["samples"] = {"num-samples": SAMPLES, "batch-size": 20}
    recipe["people"] |= {"shown": SHOWN, "per-source": 3}
    recipe["evaluation"] |= yaml.safe_load(EVALUATION)
    for group, numbers in yaml.safe_load(OPTIONS).items():
        recipe["options"][group] |= numbers
    recipe["systems"] = {name: recipe["systems"][name] for name in systems}
    recipe["systems"]["mle"] |= {"checkpoints": ["best"]}
    recipe["systems"]["mle"].pop("sweep")
    return recipe


def start(task: str, *arguments, **environment: str) -> subprocess.Popen:
    return run_sh.start(EXAMPLES / task / "run.sh", *arguments, **environment)


def refused(task: str, *arguments, **environment: str) -> str:
    return run_sh.refused(EXAMPLES / task / "run.sh", *arguments, **environment)


def metrics(dest: Path, run: str) -> dict:
    return json.loads((dest / "runs" / run / "metrics.json").read_text())


def check(task: str, dest: Path, runs: list[str]) -> dict[str, dict]:
    """Check what every task leaves; return the metrics of every run."""
    found = {run: metrics(dest, run) for run in runs}
    assert sorted(path.name for path in (dest / "runs").iterdir()) == sorted(runs)
    about = [json.loads((dest / "runs" / run / "run.json").read_text()) for run in runs]
    steps = json.loads((dest / "experiment.json").read_text())["seconds"]
    # Each training is counted once, also where only its best checkpoint has a row.
    counted = sum(
        took for step, took in steps.items() if re.match("train-|samples-|metrics-", step)
    )
    assert sum(each["wall_seconds"] for each in about) == pytest.approx(
        counted, abs=0.1 * len(runs)
    )
    for run, values in found.items():
        about = json.loads((dest / "runs" / run / "run.json").read_text())
        assert about["finished"] is True
        # The folder that the test is in may lie below the checkout.
        assert not [line for line in about["commands"] if str(dest) in line]
        assert "DEST/data" in about["commands"][0] and "SOURCE" in about["commands"][0]
        for order in (2, 3, 4):
            assert 0 <= values[f"bleu{order}_corpus"] <= 1, run
        samples = dest / "runs" / run / "samples.txt"
        assert samples.exists() == (not run.startswith("real"))
        if samples.exists():
            assert len(samples.read_text(encoding="utf-8").splitlines()) == SAMPLES
    table = (dest / "report" / "table.md").read_text(encoding="utf-8")
    assert f"{found['real-seed1']['bleu2_corpus']:.3f}" in table or task != "poem"
    assert (dest / "report" / "report.md").exists()
    page = (dest / "turing" / "test.html").read_text(encoding="utf-8")
    assert "SeqGAN" not in page
    key = json.loads((dest / "turing" / "test.key.json").read_text())
    assert "SeqGAN" in json.dumps(key)
    return found


# --- the whole way


@pytest.fixture(scope="module")
def poem(tmp_path_factory) -> tuple[Path, Path, Path, list[str], str]:
    """Recipe, source, folder and outputs of an experiment that was killed in a training."""
    folder = tmp_path_factory.mktemp("poem")
    recipe = tiny("poem", ["real", "mle", "seqgan"])
    path, source, dest = write(folder / "tiny.yaml", recipe), poems(folder), folder / "out"
    first = kill_at(start("poem", path, "--dest", dest, SOURCE=str(source)), "epoch 2 ")
    second = finish(start("poem", path, "--dest", dest, "--source", source))
    return path, source, dest, first, second


@pytest.mark.slow
def test_poems_interrupted_and_resumed(poem):
    _, _, dest, first, second = poem
    assert "== data\n" in "".join(first)
    for done in ("== data: done before", "evaluating: real (valid split), seed 1: done before"):
        assert done in second
    assert "epoch 1 " not in second and f"epoch {EPOCHS} " in second
    found = check("poem", dest, ["real-seed1", "mle-best-seed1", "seqgan-seed1"])
    assert "entropy" in found["seqgan-seed1"]
    assert "nll" not in found["real-seed1"]


@pytest.mark.slow
def test_poems_are_shown_as_four_lines_side_by_side(poem):
    _, _, dest, _, _ = poem
    lines = (dest / "report" / "samples.md").read_text(encoding="utf-8").splitlines()
    rows = [line.strip("|").split("|") for line in lines if line.startswith("|")]
    assert [cell.strip() for cell in rows[0]] == ["real", "MLE", "SeqGAN"]
    assert len(rows) == 2 + SHOWN
    test = (dest / "data" / "test.txt").read_text(encoding="utf-8").replace(" ", "")
    for row in rows[2:]:
        for cell in row:
            assert [len(line) for line in cell.strip().split("<br>")] == [6, 6, 6, 6]
        real = "".join(c for c in row[0].replace("<br>", "") if c not in "，。 ")
        assert real in test.split("\n")


@pytest.mark.slow
def test_the_papers_table_2_beside_ours(poem):
    _, _, dest, _, _ = poem
    table = (dest / "report" / "table.md").read_text(encoding="utf-8")
    lines = [line for line in table.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    column = cells[0].index("**the paper's BLEU-2**")
    paper = {row[0]: row[column] for row in cells[2:]}
    assert paper == {
        "real (valid split)": "**0.746**",
        "MLE": "**0.667**",
        "SeqGAN": "**0.7389**",
    }
    found = metrics(dest, "seqgan-seed1")
    ours = {row[0]: row[column + 1 : column + 3] for row in cells[2:]}
    wanted = [f"{found[f'bleu2_{kind}']:.3f}" for kind in ("corpus", "sentence")]
    assert ours["SeqGAN"] == wanted
    assert "Nearest to the paper's BLEU-2 of 0.746 for real (valid split)" in table


@pytest.mark.slow
def test_again_it_does_nothing_again_and_publishes(poem, tmp_path):
    """The same data elsewhere are the same experiment."""
    recipe, source, dest, _, _ = poem
    (tmp_path / "moved").write_bytes(source.read_bytes())
    made = {p: p.stat().st_mtime_ns for p in dest.glob("[drt][aru]*/*/*")}
    made |= {p: p.stat().st_mtime_ns for p in (dest / "data").iterdir()}
    options = ["--source", tmp_path / "moved", "--publish", tmp_path / "results"]
    printed = finish(start("poem", recipe, "--dest", dest, *options))
    assert printed.count("\n$ ") == 1  # the report
    assert {p: p.stat().st_mtime_ns for p in made} == made
    published = {str(p.relative_to(tmp_path / "results")) for p in tmp_path.rglob("*.*")}
    assert {"report.md", "table.md", "samples.md", "recipe.yaml"} <= published
    assert "runs/seqgan-seed1/run.json" in published
    assert not [name for name in published if name.endswith((".pt", ".html", ".key.json"))]
    # What is shown of real data is for the user's eyes; it is not ours to publish.
    assert "samples/mle.txt" in published and "samples/real.txt" not in published
    shown = (tmp_path / "results" / "samples.md").read_text(encoding="utf-8").splitlines()
    header = next(line for line in shown if line.startswith("|"))
    assert [cell.strip() for cell in header.strip("|").split("|")] == ["MLE", "SeqGAN"]
    assert "real" not in "".join(shown)
    assert (dest / "report" / "samples" / "real.txt").is_file()


@pytest.mark.slow
def test_speeches(tmp_path):
    recipe = tiny("obama", ["real", "mle", "seqgan"])
    recipe["systems"]["mle"]["checkpoints"] = ["last", "best"]
    path, dest = write(tmp_path / "tiny.yaml", recipe), tmp_path / "out"
    finish(start("obama", path, "--dest", dest, "--source", speeches(tmp_path)))
    check("obama", dest, ["real-seed1", "mle-seed1", "mle-best-seed1", "seqgan-seed1"])
    log = (dest / "runs" / "mle-seed1" / "train.log").read_text()
    assert log.count(" | valid | {") == EPOCHS
    table = (dest / "report" / "table.md").read_text(encoding="utf-8")
    assert "the paper's BLEU-3" in table and "**0.427**" in table
    assert "not paragraphs" in table


@pytest.mark.slow
def test_tunes(tmp_path):
    recipe = tiny("nottingham", ["real", "mle", "seqgan"])
    recipe, dest = write(tmp_path / "tiny.yaml", recipe), tmp_path / "out"
    options = ["--source", tunes(tmp_path), "--publish", tmp_path / "results", "--publish-page"]
    finish(start("nottingham", recipe, "--dest", dest, *options))
    assert (tmp_path / "results" / "tunes" / "mle" / "tune-0001.mid").is_file()
    assert not (tmp_path / "results" / "tunes" / "real").exists()
    for name in ("test.html", "test.key.json"):
        page = (dest / "turing" / name).read_bytes()
        assert (tmp_path / "results" / "turing" / name).read_bytes() == page
    found = check("nottingham", dest, ["real-seed1", "mle-best-seed1", "seqgan-seed1"])
    assert {"mse_nearest", "mse_mean"} <= set(found["real-seed1"])
    assert "mse_one_step" in found["seqgan-seed1"]
    shown = (dest / "report" / "samples.md").read_text(encoding="utf-8")
    for name in ("real", "mle", "seqgan"):
        for number in range(1, SHOWN + 1):
            place = f"tunes/{name}/tune-{number:04d}"
            assert f"{place}.png" in shown and f"{place}.mid" in shown
            assert mido.MidiFile(dest / "report" / f"{place}.mid").length > 1
            assert (dest / "report" / f"{place}.png").stat().st_size > 1000


# --- the presets


def commands_of(task: str, preset: str) -> dict:
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


# --- what is refused


def test_refuses_what_is_not_there(tmp_path):
    out = tmp_path / "out"
    assert "no such file or folder" in refused("poem", "quick", "--dest", out, SOURCE="nowhere")
    message = refused("obama", "quick", "--dest", out, "--source", "no/where")
    assert "--source no/where: no such file or folder" in message
    assert "--seeds is 0" in refused("nottingham", "quick", "--dest", out, "--seeds", 0)
    assert "nothing" in refused("poem", "nothing", "--dest", out)
    assert "needs --publish" in refused("poem", "quick", "--dest", out, "--publish-page")
    assert not out.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"people": {"shown": 1, "per-source": 1, "sources": {"A": "gan/last"}}}, "no row 'gan/"),
        ({"people": {"shown": 1, "per-source": 1}}, "sources: must name rows"),
        ({"people": {"shown": 1}}, "per-source must be a whole number"),
        ({"people": {"shown": 1, "per-source": 1, "sources": {}}}, "sources: must name rows"),
        (
            {"people": {"shown": 0, "per-source": 1, "sources": {"A": "mle/last"}}},
            "shown is 0: it must be a whole number from 1 on",
        ),
        ({"systems": {"x": {"label": "x", "kind": "oracle"}}}, "kind 'oracle'"),
    ],
)
def test_refuses_a_broken_recipe(tmp_path, change, message):
    path = write(tmp_path / "broken.yaml", tiny("poem", ["mle", "seqgan"]) | change)
    assert message in refused("poem", path, "--dest", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_source_of_another_kind_is_one_clear_line(tmp_path):
    """The script's own words, not the end of a log."""
    (tmp_path / "raw").write_text("this is no poem\n" * 100)
    out = tmp_path / "out"
    message = refused("poem", "quick", "--dest", out, "--source", tmp_path / "raw")
    assert message.startswith("error: data: ") and "no quatrain of 5 characters" in message


def test_refuses_other_data_in_a_folder_that_is_begun(tmp_path):
    recipe = write(tmp_path / "tiny.yaml", tiny("poem", ["real", "mle", "seqgan"]))
    (tmp_path / "bad").write_text("no poem\n")
    out = tmp_path / "out"
    refused("poem", recipe, "--dest", out, "--source", tmp_path / "bad")
    message = refused("poem", recipe, "--dest", out, "--source", poems(tmp_path))
    assert "made with source" in message
