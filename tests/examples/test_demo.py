"""The demo end to end with a tiny recipe: what it leaves, going on, and refusing another demo."""

import importlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from helpers.commands import program
from helpers.examples import ExperimentError, load

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "examples" / "demo"
TINY = """
base: demo
data: {vocab-size: 30, embed-dim: 4, hidden-size: 4, length: 6,
       num-train: 64, num-valid: 32, num-test: 40}
samples: {num-samples: 50, batch-size: 20}
evaluation: {num-eval-samples: ~, self-bleu-samples: ~}
options:
  generator: {decoder-embed-dim: 8, decoder-hidden-size: 8, decoder-out-embed-dim: 8,
              fixed-length: 6, tokens-per-sample: 7, num-eval-samples: 20}
  mle: {batch-size: 16, max-epoch: 2}
  adversarial: {batch-size: 8, rounds: 2, g-steps: 3, rollouts: 2}
  discriminator: {negative-pool-size: 32, pretrain-d-steps: 1, d-steps: 1, k: 1,
                  d-kernel-widths: "1,2", d-kernel-counts: "4,4"}
"""


def run_demo(*args, cwd):
    command = [str(DEMO / "run.sh"), *map(str, args)]
    environment = os.environ | {"PYTHON": str(program("python"))}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=900
    )


def run_folder(system):
    """Return the run folder of *system* in the tiny demo."""
    return f"runs/{system}-seed3"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Return the folder of a finished tiny demo, its recipe file, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    path = folder / "tiny.yaml"
    path.write_text(TINY)
    done = run_demo("--recipe", path, "--seed", 3, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, path, done.stdout


def checkpoint(path):
    import fairseq_seqgan  # noqa: F401  (lets torch.load read fairseq's checkpoints)

    return torch.load(path, map_location="cpu", weights_only=True)


@pytest.mark.slow
def test_leaves_everything(tiny):
    folder, _, printed = tiny
    demo = folder / "demo"
    for name in (
        "report.json",
        "learning_curves.png",
        "samples.txt",
        "trainings/mle-seed3/checkpoint_best.pt",
        "trainings/seqgan-seed3/checkpoint_last.pt",
        "trainings/constant_reward-seed3/checkpoint_last.pt",
        "logs/train-mle-seed3.log",
        "logs/train-seqgan-seed3.log",
    ):
        assert (demo / name).stat().st_size > 0, name
    assert (demo / "learning_curves.png").read_bytes().startswith(b"\x89PNG")
    samples = (demo / "samples.txt").read_text().splitlines()
    assert len(samples) == 50
    assert {len(line.split()) for line in samples} == {6}
    assert {int(word) for line in samples for word in line.split()} <= set(range(30))
    assert not list(demo.rglob("*.new")) + list(demo.rglob("generate-test.txt"))
    assert "fairseq-train" in printed or "fairseq_cli.train" in printed
    assert "Everything is in demo/" in printed.splitlines()[-1]


@pytest.mark.slow
def test_report(tiny):
    folder, _, printed = tiny
    systems = json.loads((folder / "demo" / "report.json").read_text())["systems"]
    assert list(systems) == ["oracle", "mle", "seqgan", "constant_reward"]
    for name, numbers in systems.items():
        for metric in ("nll_oracle", "nll", "entropy"):
            assert 0 < numbers[metric] < 100, (name, metric)
            assert f"{numbers[metric]:.3f}" in printed
        for auc in ("d_auc_train", "d_auc_heldout"):
            assert (auc in numbers) == (name != "oracle")
    # The oracle's own NLL is no worse than that of a model fitted to 64 of its sequences.
    assert systems["oracle"]["nll"] < systems["mle"]["nll"]
    # The three generators are different ones, so their samples' entropies differ.
    assert len({numbers["entropy"] for numbers in systems.values()}) == 4


@pytest.mark.slow
def test_control_has_as_many_updates_of_g(tiny):
    folder, _, _ = tiny
    states = [
        checkpoint(folder / f"demo/trainings/{name}-seed3/checkpoint_last.pt")
        for name in ("seqgan", "constant_reward")
    ]
    updates = [state["optimizer_history"][-1]["num_updates"] for state in states]
    # 1 pool before the first round, then 2 rounds of 3 updates of G and 1 pool, each one minibatch.
    assert updates == [1 + 2 * (3 + 1)] * 2
    rewards = [state["cfg"]["task"]["reward"] for state in states]
    assert list(map(str, rewards)) == ["discriminator", "constant"]


@pytest.mark.slow
def test_a_second_run_does_nothing_again(tiny):
    folder, recipe, first = tiny
    made = {p: p.stat().st_mtime_ns for p in (folder / "demo").rglob("*") if p.is_file()}
    again = run_demo("--recipe", recipe, "--seed", 3, cwd=folder)
    assert again.returncode == 0, again.stderr
    assert "$ " not in again.stdout  # no command was run
    assert again.stderr == ""  # nor does a library talk
    for path, when in made.items():
        if path.name not in ("report.json", "learning_curves.png", "experiment.json"):
            assert path.stat().st_mtime_ns == when, path
    table = [text.split("\n\n", 1)[1].splitlines()[:-1] for text in (first, again.stdout)]
    assert len(table[0]) > 8
    assert table[0] == table[1]


@pytest.mark.slow
def test_goes_on_where_it_stopped(tiny, tmp_path):
    folder, recipe, _ = tiny
    shutil.copytree(folder / "demo", tmp_path / "demo")
    (tmp_path / "demo" / "samples.txt").unlink()
    (tmp_path / "demo" / run_folder("seqgan") / "samples.txt").unlink()
    again = run_demo("--recipe", recipe, "--seed", 3, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("\n$ ") == 1
    same = [(f / "demo" / "samples.txt").read_text() for f in (folder, tmp_path)]
    assert same[0] == same[1]


@pytest.mark.slow
def test_a_failing_command_shows_its_log(tiny, tmp_path):
    folder, recipe, _ = tiny
    shutil.copytree(folder / "demo", tmp_path / "demo")
    (tmp_path / "demo" / run_folder("seqgan") / "samples.txt").unlink()
    path = tmp_path / "demo" / "trainings" / "seqgan-seed3" / "checkpoint_last.pt"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    failed = run_demo("--recipe", recipe, "--seed", 3, cwd=tmp_path)
    assert failed.returncode == 1
    assert "Traceback" not in failed.stderr.splitlines()[0]
    assert "samples-seqgan-seed3.log" in failed.stderr
    assert "checkpoint_last.pt: not a readable checkpoint" in failed.stderr


def refused(result, *words):
    assert result.returncode == 2
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    for word in words:
        assert word in result.stderr


@pytest.fixture
def begun(tmp_path):
    """Return a folder that holds a demo of seed 1 in which no step is done."""
    recipe, _ = load("demo", "demo")
    (tmp_path / "demo").mkdir()
    state = {"seed": 1, "recipe": recipe, "seconds": {}}
    (tmp_path / "demo" / "experiment.json").write_text(json.dumps(state))
    return tmp_path


def test_refuses_another_seed(begun):
    before = (begun / "demo" / "experiment.json").read_text()
    refused(run_demo("--seed", 2, cwd=begun), "demo: made with seed 1, not 2", "--dest")
    assert (begun / "demo" / "experiment.json").read_text() == before


def test_refuses_another_recipe(begun):
    (begun / "other.yaml").write_text("base: demo\noptions: {mle: {lr: 0.5}}\n")
    result = run_demo("--seed", 1, "--recipe", "other.yaml", cwd=begun)
    refused(result, "demo: made with another recipe: options: mle: lr was ", "is 0.5 now", "--dest")


def test_refuses_a_folder_of_something_else(tmp_path):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "thesis.tex").write_text("all my work")
    refused(run_demo("--seed", 1, cwd=tmp_path), "demo: is not a folder of this demo")
    assert [p.name for p in (tmp_path / "demo").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mle: [", "cannot be read as a recipe"),
        ("just words", "not a recipe"),
        ("environment: {}", "section 'data' is missing"),
    ],
)
def test_refuses_a_broken_recipe(tmp_path, text, message):
    (tmp_path / "broken.yaml").write_text(text)
    refused(run_demo("--recipe", "broken.yaml", cwd=tmp_path), "broken.yaml", message)
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize("seed", ["one", str(2**32)])
def test_refuses_a_seed_that_is_no_number_or_too_large(tmp_path, seed):
    refused(run_demo("--seed", seed, cwd=tmp_path), f"the seed is '{seed}'")


@pytest.mark.parametrize(
    ("epochs", "found"), [([2, 4], (2, 4)), ([1, 2, 3, 4], (2, 4)), ([4], (None, 4))]
)
def test_not_every_round_need_be_validated(tmp_path, epochs, found):
    """Two epochs of D's pre-training and two rounds, of which the last one is validated."""
    lines = [f'INFO | valid | {{"epoch": {e}, "valid_num_updates": "{e}"}}' for e in epochs]
    log = tmp_path / "train.log"
    log.write_text("\n".join(lines))
    paper = importlib.import_module("demo.paper").PaperSize
    steps = SimpleNamespace(
        training_log=lambda system, seed: log,
        commands=SimpleNamespace(training=lambda system, seed: tmp_path / "trainings"),
    )
    system = SimpleNamespace(training_options={"pretrain-d-steps": 2, "rounds": 2})
    before, after = paper._validations(steps, system, 1)
    assert (before and before["epoch"], after["epoch"]) == found
    log.write_text("\n".join(lines[:-1]))
    with pytest.raises(ExperimentError, match="does not hold the last round; remove it and"):
        paper._validations(steps, system, 1)
