"""The validation of a plain language model logs what that of a game does, as far as it can."""

import json
from argparse import Namespace

import pytest
import torch
from helpers.commands import LENGTH, differences, fork, gan, load, mle

from fairseq_seqgan.adversarial import validation
from fairseq_seqgan.adversarial.prefixes import Prefixes
from fairseq_seqgan.adversarial.validation import Validation
from fairseq_seqgan.cli import inputs
from fairseq_seqgan.oracle.lstm import Oracle, from_fairseq
from fairseq_seqgan.policy.policy import Policy
from fairseq_seqgan.policy.rollouts import sample
from fairseq_seqgan.policy.saved_model import load_language_model
from fairseq_seqgan.reporting.training_log import best, validations
from fairseq_seqgan.support import compat_checkpoints
from fairseq_seqgan.support.eval_mode import eval_mode
from fairseq_seqgan.support.rng import seeded_rng

SAMPLES = 70


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """The training of ``pretrained`` once more, with --oracle; its folder and its validations."""
    folder = tmp_path_factory.mktemp("mle-oracle")
    options = ["--oracle", data / "oracle.npz", "--num-eval-samples", SAMPLES]
    result = fork("train", folder, mle(data, folder, *options, "--log-format", "json")).check()
    (folder / "train.log").write_text(result.output)
    return folder, validations(folder / "train.log")


def policy_of(folder, data):
    compat_checkpoints.allow_checkpoints()
    dictionary = inputs.read_dictionary(data)
    model, _ = load_language_model(folder / "checkpoint_last.pt", data, dictionary)
    return Policy(model, dictionary, fixed_length=LENGTH), dictionary


def test_a_gain_without_an_error_leaves_the_validation(data, tmp_path):
    """Half of three held-out sequences is one, which has no standard error; the rest counts."""
    options = "--pretrain-d-steps 1 --rounds 1 --d-steps 0 --num-eval-samples 3".split()
    result = fork("train", tmp_path, gan(data, tmp_path, None, *options, "--log-format", "json"))
    (tmp_path / "train.log").write_text(result.check().output)
    found = validations(tmp_path / "train.log")
    assert len(found) == 2
    assert all("d_gain" in record and "d_gain_stderr" not in record for record in found)


def test_heldout_nll_is_the_policys(data, trained):
    """Over the T tokens, not the end symbol, in nats: what ``evaluate`` calls nll."""
    folder, records = trained
    policy, dictionary = policy_of(folder, data)
    tokens = torch.tensor(inputs.read_split(data, "valid", dictionary))
    with torch.no_grad(), eval_mode(policy.model):
        nll = -float(policy.log_probs(tokens).double().mean())
    assert records[-1]["nll"] == pytest.approx(nll, abs=1e-4)
    # fairseq's own loss is in bits and counts the end symbol.
    assert records[-1]["loss"] != pytest.approx(nll, abs=0.1)


def test_samples_are_measured_by_the_oracle(data, trained):
    folder, records = trained
    policy, _ = policy_of(folder, data)
    with torch.no_grad():  # and in eval mode
        drawn = sample(policy, SAMPLES, seeded_rng("validation", 1, 0))
    nll = Oracle.load(data / "oracle.npz").nll(from_fairseq(drawn.tokens)).double().mean()
    assert records[-1]["nll_oracle"] == pytest.approx(float(nll), abs=1e-4)
    entropy = -float(drawn.log_probs.double().mean())
    assert records[-1]["entropy"] == pytest.approx(entropy, abs=1e-4)


def test_every_epoch_is_logged(trained):
    _, records = trained
    assert [r["epoch"] for r in records] == [1, 2, 3]
    assert len({r["nll_oracle"] for r in records}) == 3
    assert best(records)["loss"] == min(r["loss"] for r in records)


def test_the_training_is_the_same_without_it(trained, pretrained):
    folder, _ = trained
    with_it, without = (load(path) for path in (folder / "checkpoint_last.pt", pretrained.last))
    assert differences(with_it["model"], without["model"]) == []
    assert differences(with_it["last_optimizer_state"], without["last_optimizer_state"]) == []


def test_without_an_oracle_no_samples_are_drawn(trained, pretrained):
    logged = pretrained.result.logged("valid")
    _, records = trained
    assert float(logged[-1]["nll"]) == records[-1]["nll"]
    assert not {"nll_oracle", "entropy"} & set(logged[-1])


def test_no_nll_where_a_row_is_no_sequence(data, tmp_path):
    options = ["--sample-break-mode", "none", "--max-epoch", 1]
    logged = fork("train", tmp_path, mle(data, tmp_path, *options)).check().logged("valid")
    assert logged and "nll" not in logged[-1]


def test_scheduled_sampling_too(data, tmp_path):
    options = ["--oracle", data / "oracle.npz", "--num-eval-samples", SAMPLES, "--max-epoch", 1]
    options += ["--criterion", "scheduled_sampling", "--log-format", "json"]
    result = fork("train", tmp_path, mle(data, tmp_path, *options)).check()
    lines = [line for line in result.stdout.splitlines() if " | valid | {" in line]
    logged = json.loads(lines[-1].partition(" | valid | ")[2])
    assert {"valid_nll", "valid_nll_oracle", "valid_entropy", "valid_loss"} <= set(logged)


def test_the_games_own_validation_is_as_before(played):
    """One value of each in the log of an adversarial training, D's AUCs among them."""
    logged = played.result.logged("valid")
    assert {"nll", "nll_oracle", "entropy", "d_auc_train", "d_auc_heldout"} <= set(logged[-1])


def test_a_validation_that_is_repeated_measures(data, trained, monkeypatch):
    """fairseq repeats a batch for which the memory did not suffice."""
    policy, _ = policy_of(trained[0], data)
    options = Namespace(oracle=None, num_eval_samples=SAMPLES, seed=1, sample_break_mode="none")
    own = Validation(options)
    own.oracle = Oracle.load(data / "oracle.npz")
    real = validation.Real({}, Prefixes(0, torch.ones(1, 3)))

    def out_of_memory(*_, **__):
        raise RuntimeError("out of memory")

    for measure, count in (
        (lambda: own.measure_language_model(policy, None), lambda found: found["nll_oracle_count"]),
        (
            lambda: own.measure_samples(policy, None, lambda: real),
            lambda found: found["entropy"][1],
        ),
    ):
        own.begin()
        monkeypatch.setattr(validation, "sample", out_of_memory)
        with pytest.raises(RuntimeError):
            measure()
        monkeypatch.undo()
        assert count(measure()) in (SAMPLES, SAMPLES * LENGTH)
        assert measure() == {}
