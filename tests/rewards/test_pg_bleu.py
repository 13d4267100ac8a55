"""PG-BLEU with the real commands: policy gradient with BLEU as reward, and no update of D."""

import re

import pytest
from helpers.commands import differences, fork, gan, generate, load, run, training_state
from helpers.models import make_dictionary, make_lm

from fairseq_seqgan.adversarial.validation import measure
from fairseq_seqgan.metrics.bleu import bleu
from fairseq_seqgan.policy.policy import Policy
from fairseq_seqgan.support.rng import seeded_rng

pytestmark = pytest.mark.slow

ROUNDS = 40
# 2 G steps a round, and nothing else.
PG_BLEU = "--reward bleu --bleu-order 2 --d-steps 0 --pretrain-d-steps 0 --baseline mean".split()


@pytest.fixture(scope="module")
def trained(data, pretrained, tmp_path_factory):
    """A training by BLEU alone: its folder, and what it printed."""
    folder = tmp_path_factory.mktemp("pg_bleu")
    options = [*PG_BLEU, "--rounds", ROUNDS, "--validate-interval", 10]
    return folder, run("fairseq-train", *gan(data, folder, pretrained.best, *options)).check()


def sentences(text):
    """Return the words of every line, or of every hypothesis that fairseq-generate printed."""
    found = re.findall(r"^H-\d+\t\S+\t(.*)$", text, re.MULTILINE)
    return [line.split() for line in found or text.splitlines()]


def test_it_raises_bleu(data, pretrained, trained, tmp_path):
    """Samples are more like the training data than before, and the logged reward says so."""
    folder, result = trained
    references = sentences((data / "train.txt").read_text(encoding="utf-8"))
    scores = []
    for checkpoint in (pretrained.best, folder / "checkpoint_last.pt"):
        printed = fork("generate", tmp_path, generate(data, checkpoint, "--num-samples", 500))
        samples = sentences(printed.check().stdout)
        assert len(samples) == 500
        scores.append(bleu(samples, references, order=2).sentence)
    before, after = scores
    assert after > before + 0.1
    rewards = [epoch["reward"] for epoch in result.logged("train")]
    assert len(rewards) == ROUNDS
    assert all(0 < reward < 1 for reward in rewards)
    assert sum(rewards[-5:]) / 5 > sum(rewards[:5]) / 5 + 0.1


def test_no_update_trains_d(trained):
    """D is as it was built, and nothing is said about it."""
    folder, result = trained
    state = training_state(folder / "checkpoint_last.pt")
    assert state["updates"] == 2 * ROUNDS
    generator, discriminator = (g["params"] for g in state["optimizer"]["param_groups"])
    assert set(state["optimizer"]["state"]) == set(generator)
    assert discriminator
    for validation in result.logged("valid"):
        assert {"nll", "entropy"} <= validation.keys()
        assert not {"d_auc_train", "d_auc_heldout"} & validation.keys()
    assert not any("d_loss" in epoch for epoch in result.logged("train"))


@pytest.mark.parametrize(
    ("options", "stops"),
    [
        (PG_BLEU, [1, 3]),
        (["--reward", "bleu", "--bleu-order", 2, "--update-freq", 2], [5, 15, 20]),
    ],
    ids=["without D", "with D"],
)
def test_resume_is_exact(options, stops, data, pretrained, tmp_path):
    """Stopped and started again, it ends with the same nets, moments and negatives, bit for bit."""
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    fork("train", straight, gan(data, straight, pretrained.best, *options)).check()
    arguments = gan(data, resumed, pretrained.best, *options)
    for stop in stops:
        fork("train", resumed, [*arguments, "--max-update", stop]).check()
        assert training_state(resumed / "checkpoint_last.pt")["updates"] == stop
    fork("train", resumed, arguments).check()
    ours, whole = (training_state(path / "checkpoint_last.pt") for path in (resumed, straight))
    assert whole["updates"] > stops[-1]
    assert differences(ours, whole) == []
    assert differences(ours["generator"], load(pretrained.best)["model"]) != []


def test_validation_does_not_ask_an_untrained_d():
    """Without positives there is nothing for D to score: none is needed."""
    dictionary = make_dictionary(5)
    policy = Policy(make_lm("lstm_lm", dictionary), dictionary, fixed_length=4)
    found = measure(policy, None, None, {}, 10, seeded_rng(1))
    assert found.keys() == {"entropy"}
