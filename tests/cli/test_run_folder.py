"""``fairseq-seqgan run-folder``: from a checkpoint and its samples to a row of a report."""

import argparse
import json
import os
import threading

import numpy as np
import pytest
import torch
from helpers import make_runs
from helpers.commands import fork, generate, load
from helpers.mutations import no_hang

from fairseq_seqgan import cli
from fairseq_seqgan.cli import run_folder
from fairseq_seqgan.support.errors import InputError


@pytest.fixture(scope="module")
def samples(data, played, tmp_path_factory):
    """60 samples of an adversarial training, as fairseq-generate prints them."""
    folder = tmp_path_factory.mktemp("samples")
    result = fork("generate", folder, generate(data, played.last, "--num-samples", 60)).check()
    (folder / "samples.out").write_text(result.stdout, encoding="utf-8")
    return folder / "samples.out"


@pytest.fixture
def log(tmp_path_factory):
    """What fairseq-train --log-format json prints."""
    path = tmp_path_factory.mktemp("log") / "log.out"
    path.write_text(make_runs.log_lines(make_runs.curve(9.0, 7.7, "mle")), encoding="utf-8")
    return path


def make(checkpoint, samples, dest, *options):
    words = ["run-folder", checkpoint, "--samples", samples, "--dest", dest]
    cli.main([str(word) for word in (*words, "--num-eval-samples", 50, *options)])
    return json.loads((dest / "run.json").read_text(encoding="utf-8"))


def test_folders_become_a_report(data, played, pretrained, samples, tmp_path, capsys):
    """README's steps: one folder for each model, and then ``report``."""
    runs = tmp_path / "runs"
    seqgan = make(played.last, samples, runs / "seqgan")
    mle = make(pretrained.best, samples, runs / "mle", "--label", "MLE", "--temperature", 0.5)
    assert seqgan["system"] == seqgan["label"] == "seqgan" and seqgan["kind"] == "system"
    assert seqgan["selection"] == "last" and seqgan["seed"] == 1 and seqgan["vocab_size"] == 50
    assert (mle["kind"], mle["selection"]) == ("baseline", "best-on-validation")
    assert (mle["label"], mle["temperature"]) == ("MLE", 0.5)
    cooler = make(pretrained.best, samples, tmp_path / "cooler", "--temperature", 0.5)
    assert cooler["label"] == "cooler, T = 0.5"
    assert seqgan["data"] == mle["data"]
    metrics = json.loads((runs / "seqgan" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["samples"] == 60 and 0 < metrics["bleu4_corpus"] < 1
    with np.load(runs / "seqgan" / "scores.npz", allow_pickle=False) as scores:
        assert scores["bleu4_sentence"].mean() == pytest.approx(metrics["bleu4_sentence"])
    cli.main(["report", str(runs), "--output", str(tmp_path / "report")])
    table = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    assert "MLE" in table and "seqgan" in table
    assert "written to" in capsys.readouterr().out


def test_with_an_oracle_and_a_log(data, played, pretrained, samples, log, tmp_path):
    """The score is NLL_oracle, and the log says where the curve of learning is."""
    runs, oracle = tmp_path / "runs", ["--oracle", data / "oracle.npz"]
    mle = make(pretrained.best, samples, runs / "mle", *oracle, "--log", log)
    assert mle["training"] == {"phase": "pre-training"} and len(mle["oracle"]) == 64
    assert (runs / "mle" / "train.log").read_bytes() == log.read_bytes()
    seqgan = make(played.last, samples, runs / "seqgan", *oracle, "--log", log)
    assert seqgan["training"] == {
        "phase": "fine-tuning",
        "start": {"system": "mle", "selection": "best-on-validation"},
        "g_steps": 2,
        "pretrain_d_steps": 1,
    }


@pytest.mark.parametrize("reward", ["discriminator", "logit", "constant", "random", "shuffled"])
def test_a_reward_that_says_nothing_makes_a_control(reward, data, tmp_path):
    parser = argparse.ArgumentParser()
    run_folder.add_arguments(parser)
    words = ["checkpoint_last.pt", "--samples", "samples.out", "--dest", str(tmp_path / "seqgan")]
    config = {"criterion": {"_name": "seqgan"}, "task": {"reward": reward}}
    found = run_folder.describe(parser.parse_args(words), config, data)
    assert found["kind"] == ("system" if reward in ("discriminator", "logit") else "control")


def test_mistakes_leave_nothing(played, samples, tmp_path):
    taken = tmp_path / "taken"
    taken.mkdir()
    for arguments, message in (
        ([played.last, samples, taken], "taken: exists; nothing is overwritten"),
        ([tmp_path / "none.pt", samples, tmp_path / "d"], "none.pt: no such checkpoint"),
        ([played.last, tmp_path / "none", tmp_path / "d"], "none: cannot be read"),
        (
            [played.last, samples, tmp_path / "d", "--log", tmp_path / "none"],
            "none: cannot be read",
        ),
        (
            [played.last, samples, tmp_path / "d", "--oracle", tmp_path / "none"],
            "none: cannot be read",
        ),
    ):
        with pytest.raises(InputError, match=message):
            make(*arguments)
    assert list(tmp_path.iterdir()) == [taken] and list(taken.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--num-eval-samples", 0], "--num-eval-samples is 0: it must be above 0"),
        (["--temperature", "nan"], "--temperature is nan: it must be above 0"),
        (["--log", "{text}"], "--log .*my.txt: logs no validation in JSON; train with --log"),
        (["--log", "{pipe}"], "pipe: cannot be read .a pipe, not a file"),
        (["--oracle", "{pipe}"], "pipe: cannot be read .a pipe, not a file"),
        (["--dest", "{text}/x/y"], "--dest .*my.txt/x/y: .*my.txt is no folder"),
    ],
)
def test_refused_before_anything_is_measured(
    options, expected, played, samples, tmp_path, monkeypatch
):
    (tmp_path / "my.txt").write_text("epoch 1, loss 3.2", encoding="utf-8")
    os.mkfifo(tmp_path / "pipe")
    places = {"text": tmp_path / "my.txt", "pipe": tmp_path / "pipe"}
    monkeypatch.setattr(run_folder, "measure", lambda *_: pytest.fail("measured"))
    given = [str(option).format(**places) for option in options]
    with no_hang(), pytest.raises(InputError, match=expected):
        make(played.last, samples, tmp_path / "d", *given)
    assert {path.name for path in tmp_path.iterdir()} == {"my.txt", "pipe"}


def test_a_model_of_several_shards_needs_all_training_data(played, data, samples, tmp_path):
    """What is copied from another shard would not be counted."""
    state = load(played.last)
    state["cfg"]["task"]["data"] = f"{data}:{tmp_path}"
    torch.save(state, tmp_path / "shards.pt")
    with pytest.raises(InputError, match="was trained on 2 shards; give --data"):
        make(tmp_path / "shards.pt", samples, tmp_path / "d")


@pytest.mark.parametrize("option", ["--label", "--system", "--start", "--dest"])
def test_text_that_is_not_utf8(option, played, samples, tmp_path):
    with pytest.raises(InputError) as error:
        make(played.last, samples, tmp_path / "d", option, "caf\udce9")
    assert str(error.value) == rf"error: {option} caf\udce9: is not UTF-8"
    assert list(tmp_path.iterdir()) == []


def test_a_seed_below_0_is_one_line(played, samples, tmp_path, capsys):
    with pytest.raises(SystemExit):
        make(played.last, samples, tmp_path / "d", "--seed", -1)
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.endswith("argument --seed: '-1': it must be a whole number, 0 or more")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda state: state.update(cfg=5), "its 'cfg' holds no options but a int"),
        (lambda state: state["cfg"].update(criterion=[1]), "no options of 'criterion' but .1."),
        (lambda state: state["cfg"]["common"].update(seed="x"), "its seed is x; give another"),
        (lambda state: state["cfg"]["task"].pop("g_steps"), "lack 'g_steps', which --log"),
    ],
)
def test_a_checkpoint_of_other_options(
    change, expected, played, data, samples, log, tmp_path, monkeypatch
):
    state = load(played.last)
    change(state)
    torch.save(state, tmp_path / "part.pt")
    monkeypatch.setattr(run_folder, "measure", lambda *_: pytest.fail("measured"))
    with pytest.raises(InputError, match=f"part.pt: .*{expected}"):
        make(tmp_path / "part.pt", samples, tmp_path / "d", "--data", data, "--log", log)


def test_a_log_that_the_shell_has_opened(played, samples, log, tmp_path, monkeypatch):
    """``--log <(zcat log.gz)`` can be read once."""
    content = log.read_bytes()
    reader, writer = os.pipe()
    thread = threading.Thread(target=lambda: (os.write(writer, content), os.close(writer)))
    thread.start()
    found = argparse.Namespace(per_sample={}, as_json=dict)
    monkeypatch.setattr(run_folder, "measure", lambda *_: found)
    make(played.last, samples, tmp_path / "d", "--log", f"/dev/fd/{reader}")
    thread.join()
    os.close(reader)
    assert (tmp_path / "d" / "train.log").read_bytes() == content
