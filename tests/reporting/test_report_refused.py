"""What ``fairseq-seqgan report`` refuses: run folders that are broken or do not compare."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers import make_runs
from helpers.reports import change, refused, report

from fairseq_seqgan.cli import main
from fairseq_seqgan.support.errors import InputError


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [("oracle", "f" * 64, "oracle (sha256)"), ("vocab_size", 4999, "vocabulary")],
)
def test_refuses_runs_that_do_not_belong_together(tmp_path, folder, key, value, words):
    change(folder / "seqgan-seed2" / "run.json", **{key: value})
    message = refused(tmp_path / "out", folder)
    assert "seqgan-seed2" in message
    assert "constant_reward-seed1" in message  # the first one
    assert words in message
    assert str(value) in message


def test_refuses_the_same_seed_twice(tmp_path, folder):
    shutil.copytree(folder / "mle-seed1", folder / "mle-again")
    message = refused(tmp_path / "out", folder)
    assert "mle-again" in message and "mle-seed1" in message and "seed 1" in message


def test_refuses_different_numbers_of_samples(tmp_path, folder):
    path = folder / "mle-seed3" / "scores.npz"
    with np.load(path) as file:
        scores = file["nll_oracle"]
    np.savez(path, nll_oracle=np.repeat(scores, 2))
    message = refused(tmp_path / "out", folder)
    assert "mle-seed3" in message and "40 and 80 samples" in message
    assert report(tmp_path / "out", folder, "--num-samples", 40)


@pytest.mark.parametrize(
    ("path", "content", "words"),
    [
        ("mle-seed1/run.json", b"{", "not readable JSON"),
        ("mle-seed1/run.json", b"[]", "not a JSON object"),
        ("mle-seed1/run.json", b'{"format": 1}', "does not say 'system'"),
        ("mle-seed1/metrics.json", b"{", "not readable JSON"),
        ("mle-seed1/metrics.json", b'{"nll": NaN}', "nll is nan"),
        ("mle-seed1/metrics.json", b"{}", "is not the nll_oracle of metrics.json, None"),
        ("mle-seed1/scores.npz", b"PK\x03\x04", "not readable"),
        ("mle-seed1/scores.npz", b"\x80\x04K\x01.", "not readable"),  # a pickle
        ("mle-seed1/train.log", b"nothing", "logs no validation"),
    ],
)
def test_refuses_broken_files(tmp_path, folder, path, content, words):
    (folder / path).write_bytes(content)
    message = refused(tmp_path / "out", folder)
    assert words in message
    assert path in message or "mle-seed1" in message


class Trap:
    """An object that makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_scores_run_no_code(tmp_path, folder):
    trap = np.empty(1, dtype=object)
    trap[0] = Trap(tmp_path / "sprung")
    np.savez(folder / "mle-seed1" / "scores.npz", nll_oracle=trap)
    message = refused(tmp_path / "out", folder)
    assert "mle-seed1/scores.npz: not readable" in message
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"format": 2}, "format 2"),
        ({"kind": "winner"}, "kind is 'winner'"),
        ({"selection": "first"}, "selection is 'first'"),
        ({"seed": "1"}, "seed is '1'"),
        ({"seed": True}, "seed is True"),
        ({"training": {"phase": "nap"}}, "phase is 'nap'"),
        ({"training": {"phase": "fine-tuning", "g_steps": 0}}, "g_steps is 0"),
        ({"training": {"phase": "fine-tuning", "start": "mle"}}, "start is 'mle'"),
    ],
)
def test_refuses_a_malformed_run_json(tmp_path, folder, values, words):
    change(folder / "seqgan-seed1" / "run.json", **values)
    message = refused(tmp_path / "out", folder)
    assert words in message
    assert "seqgan-seed1/run.json" in message


def test_refuses_scores_of_other_samples(tmp_path, folder):
    shutil.copy(folder / "mle-seed1" / "scores.npz", folder / "seqgan-seed1" / "scores.npz")
    message = refused(tmp_path / "out", folder)
    assert "seqgan-seed1: the mean of scores.npz" in message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["{tmp}"], "none in it (run.json is missing)"),
        (["{runs}", "--num-samples", "0"], "--num-samples"),
        (["{runs}", "--num-samples", "41"], "40 samples, --num-samples asks for 41"),
        (["{runs}/constant_reward-seed3"], "there is no finished run"),
    ],
)
def test_refuses_arguments(tmp_path, arguments, words):
    (tmp_path / "empty").mkdir()
    places = {"tmp": tmp_path / "empty", "runs": make_runs.RUNS}
    message = refused(tmp_path / "out", *(a.format(**places) for a in arguments))
    assert words in message


def test_refuses_an_output_that_is_a_file(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(InputError, match="--output"):
        main(["report", str(make_runs.RUNS), "--output", str(tmp_path / "out")])
    assert (tmp_path / "out").read_text() == "mine"
