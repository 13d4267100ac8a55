"""``evaluate --discriminator`` and ``--judge``: what D is worth, by the real command."""

import json
import math
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fairseq.data import indexed_dataset
from helpers.commands import run_python

from fairseq_seqgan.cli import discriminator_scores, main, model_scores
from fairseq_seqgan.metrics.base import METRICS
from fairseq_seqgan.metrics.discriminator import DiscriminatorGain, LogOdds
from fairseq_seqgan.metrics.gain import Gain
from fairseq_seqgan.support.errors import InputError


@pytest.fixture(scope="module")
def evaluate(data, tmp_path_factory):
    """A function that evaluates the test data's own text, and returns its JSON and output."""
    folder = tmp_path_factory.mktemp("worth")

    def run(*options):
        out = folder / "out.json"
        out.unlink(missing_ok=True)
        result = run_python(
            "-m", "fairseq_seqgan.cli", "evaluate", "--data", data, "--samples",
            data / "valid.txt", "--num-eval-samples", 50, "--json", out, *options,
        )  # fmt: skip
        return (json.loads(out.read_text()) if out.exists() else None), result

    return run


def test_the_gain(evaluate, played):
    """Every key, and how they hang together; the same seed gives the same numbers."""
    options = ["--discriminator", played.last, "--discriminator-samples", 400]
    found, result = evaluate(*options)
    assert {"d_gain", "nll_with_d", "entropy_with_d", "d_auc"} <= set(METRICS)
    assert found["d_gain_per_token"] == pytest.approx(found["d_gain"] / 8)
    assert found["nll_with_d"] == pytest.approx(found["nll"] - found["d_gain_per_token"])
    assert found["nll_without_d"] == pytest.approx(found["nll"])  # G can draw all of them
    assert found["d_slope"] >= 0 and 1 <= found["d_effective_samples"] <= 400
    parts = found["d_gain_stderr_heldout"], found["d_gain_stderr_samples"]
    assert found["d_log_z_bias"] <= 0
    assert found["d_gain_stderr"] == pytest.approx(math.hypot(*parts))
    assert min(parts) > 0 and parts[0] != parts[1]
    assert "slope-split:valid" in found["d_gain_signature"]
    low, high = (found["d_gain"] + sign * 1.96 * found["d_gain_stderr"] for sign in (-1, 1))
    assert f"95 % interval {low:.4f} … {high:.4f}" in result.stdout
    assert ("D has nothing to teach" in result.stdout) == (low <= 0 <= high)
    slope, effective = found["d_slope"], found["d_effective_samples"]
    assert f"slope {slope:.3g}, {effective:,.0f} of 400 samples effective" in result.stdout
    bias = f"log Z is {-found['d_log_z_bias']:.2g} nats per sequence too small on average"
    assert bias in result.stdout
    assert evaluate(*options)[0] == found


def test_the_bound_is_of_the_sequences_that_d_sees(data, played, tmp_path):
    """Those with an unknown word count in G's NLL, but D's gain says nothing about them."""
    folder = tmp_path / "data"
    shutil.copytree(data, folder)
    (folder / "stats.json").unlink()  # it would tell that the data are others
    corpus = indexed_dataset.make_dataset(str(folder / "test"), "mmap")
    sequences = [corpus[i].clone() for i in range(len(corpus))]
    for tokens in sequences[::2]:
        tokens[3:-1] = 3  # <unk>
    builder = indexed_dataset.make_builder(str(folder / "test.bin"), "mmap", vocab_size=54)
    for tokens in sequences:
        builder.add_item(tokens)
    builder.finalize(str(folder / "test.idx"))
    found = {}
    for name, where in (("all", folder), ("seen", tmp_path / "seen")):
        if name == "seen":
            shutil.copytree(folder, where)
            builder = indexed_dataset.make_builder(str(where / "test.bin"), "mmap", vocab_size=54)
            for tokens in sequences[1::2]:
                builder.add_item(tokens)
            builder.finalize(str(where / "test.idx"))
        out = tmp_path / f"{name}.json"
        words = ["evaluate", "--data", where, "--samples", data / "valid.txt", "--json", out]
        words += ["--discriminator", played.last, "--discriminator-samples", 100]
        run_python("-m", "fairseq_seqgan.cli", *words, "--num-eval-samples", 50).check()
        found[name] = json.loads(out.read_text())
    one, other = found.values()
    assert one["nll"] != pytest.approx(other["nll"], abs=1e-3)
    assert one["nll_without_d"] == pytest.approx(other["nll"])
    assert one["nll_with_d"] == pytest.approx(other["nll_with_d"])


def test_a_split_that_g_could_not_have_drawn_is_refused(data, played, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(data, folder)
    (folder / "stats.json").unlink()
    builder = indexed_dataset.make_builder(str(folder / "test.bin"), "mmap", vocab_size=54)
    builder.add_item(torch.tensor([5, 3, 6, 7, 5, 3, 6, 7, 2]))  # 3 is <unk>
    builder.finalize(str(folder / "test.idx"))
    words = ["evaluate", "--data", folder, "--samples", data / "valid.txt"]
    result = run_python("-m", "fairseq_seqgan.cli", *words, "--discriminator", played.last)
    assert result.returncode == 2
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith("error: ") and "'test': no sequence that G could have drawn" in line


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (0.0, "D has nothing to teach"),
        (-3.0, "so D misleads"),
        (3.0, ""),
        (math.nan, "of one sequence, it is unknown"),
    ],
)
def test_the_verdict_is_what_the_interval_says(gain, words):
    found = Gain(gain, 0.1, 0.1, 1.0, 50.0, 0.0, 0.0, heldout=10, samples=100)
    odds = LogOdds(*[np.zeros(3)] * 4, None, None, tokens=5.0, nll=2.0, slope_split="valid")
    inputs = SimpleNamespace(once=lambda name, measure: (found, odds))
    over, _, rest = DiscriminatorGain().compute(inputs).over.partition("; slope ")
    assert rest == "1, 50 of 100 samples effective"
    assert over.partition(";")[2].strip().endswith(words) and bool(words) == (";" in over)


def test_the_judge(evaluate, played):
    """Held-out data against other real data: an AUC near one half."""
    found, _ = evaluate("--model", played.last, "--judge", played.last)
    assert 0.25 < found["judge_auc"] < 0.75
    assert found["judge_auc_stderr"] > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--judge", "{last}"], "--judge needs --model"),
        (["--temperature", "0.9"], "--temperature needs --model"),
        (["--discriminator", "{mle}"], "holds no discriminator"),
        (["--ensemble", "{mle}"], "--ensemble needs --model"),
        (["--discriminator", "{last}", "--discriminator-samples", 1], "at least 2 are needed"),
        (
            ["--model", "{last}", "--judge", "{last}", "--valid-subset", "train"],
            "--valid-subset train: D was trained on it, so its AUC",
        ),
        (["--discriminator", "{last}", "--slope-subset", "train"], "--slope-subset train: D was"),
        (["--discriminator", "{last}", "--valid-subset", "train"], "--valid-subset train: D was"),
    ],
)
def test_refused(evaluate, played, pretrained, options, words):
    names = {"{last}": played.last, "{mle}": pretrained.best}
    found, result = evaluate(*(names.get(option, option) for option in options))
    assert result.returncode == 2 and found is None
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith("error: ") and words in line


@pytest.mark.parametrize("option", ["--discriminator", "--judge", "--ensemble", "--slope-subset"])
def test_a_wrong_file_is_told_before_anything_is_measured(
    option, data, played, tmp_path, monkeypatch
):
    def fail(*_):
        raise AssertionError("measured too early")

    monkeypatch.setattr(model_scores, "heldout_log_probs", fail)
    wrong = "no-split" if option == "--slope-subset" else str(tmp_path / "missing.pt")
    command = ["evaluate", "--data", data, "--samples", data / "valid.txt", "--model", played.last]
    with pytest.raises(InputError, match=wrong):
        main(list(map(str, [*command, "--discriminator", played.last, option, wrong])))


def test_an_ensemble_of_language_models(evaluate, played, pretrained):
    """Twice the same model is that model; two models average to a distribution of their own."""
    alone, _ = evaluate("--model", pretrained.best)
    twice, _ = evaluate("--model", pretrained.best, "--ensemble", pretrained.best)
    assert twice["ensemble_nll"] == pytest.approx(alone["nll"], abs=1e-6)
    assert twice["ensemble_models"] == 2
    other, _ = evaluate("--model", played.last)
    both, _ = evaluate("--model", pretrained.best, "--ensemble", played.last)
    # The logarithm is concave: an average is at least as good as the models on average.
    assert both["ensemble_nll"] < (alone["nll"] + other["nll"]) / 2


@pytest.mark.parametrize(("fixed", "kept"), [(True, [3]), (False, [1, 2])])
def test_d_sees_what_g_can_draw(fixed, kept, capsys):
    """With a fixed length only that length; else any, with its end symbol."""
    policy = SimpleNamespace(fixed=fixed, eos=2, pad=1, length=3, banned=torch.tensor([0, 3]))
    sequences = [(5,), (5, 6), (5, 6, 7), (5, 6, 7, 8), (5, 3, 7)]
    found = discriminator_scores.rows(sequences, policy, "the samples")
    seen = [tuple(t for t in row if t not in (1, 2)) for row in found.tolist()]
    assert seen == [(5, 6, 7, 8)[:length] for length in kept]
