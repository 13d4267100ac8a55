"""``fairseq-seqgan run-folder``: from a checkpoint and its samples to a row of a report."""

import argparse
import json

import numpy as np
import pytest
from helpers.commands import fork, generate

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


def test_with_an_oracle_and_a_log(data, played, pretrained, samples, tmp_path):
    """The score is NLL_oracle, and the log says where the curve of learning is."""
    runs, oracle = tmp_path / "runs", ["--oracle", data / "oracle.npz"]
    log = pretrained.folder / "log.out"
    mle = make(pretrained.best, samples, runs / "mle", *oracle, "--log", log)
    assert mle["training"] == {"phase": "pre-training"} and len(mle["oracle"]) == 64
    assert (runs / "mle" / "train.log").read_bytes() == log.read_bytes()
    seqgan = make(
        played.last, samples, runs / "seqgan", *oracle, "--log", played.folder / "log.out"
    )
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
