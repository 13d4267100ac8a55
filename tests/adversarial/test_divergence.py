"""Numbers that are no longer finite: status 3, and a line with tensor, phase and checkpoint."""

import math
import re

import pytest
import torch
from helpers.commands import (
    G_STEPS,
    POOL_UPDATES,
    differences,
    fork,
    gan,
    load,
    mle,
    run,
    training_state,
)
from helpers.ranks import train_ranks

pytestmark = pytest.mark.slow

SPOIL = "from helpers import spoiling; spoiling.spoil({update}, {net!r}, {kind!r})"


def assert_diverged(result, *words):
    """Check the status and the one line; return the checkpoint that the line names, if any."""
    assert result.returncode == 3, result.output[-3000:]
    assert "Traceback" not in result.output
    (line,) = [text for text in result.stderr.splitlines() if text.startswith("error:")]
    for word in words:
        assert word in line
    good = re.search(r"the last good checkpoint is (\S+)$", line)
    return good[1] if good else None


def assert_finite(checkpoint):
    state = load(checkpoint)
    for part in (state["model"], state["criterion"] or {}):
        assert all(torch.isfinite(weight).all() for weight in part.values())


def test_a_rate_that_destroys_g(data, pretrained, tmp_path):
    """--lr 1e30 in a game whose last update is of G: nothing is saved as if it were good."""
    options = ["--lr", "1e30", "--rounds", 1, "--d-steps", 0, "--pretrain-d-steps", 1]
    options += ["--g-steps", 1]
    result = fork("train", tmp_path, gan(data, tmp_path, pretrained.best, *options))
    named = assert_diverged(result, f"update {POOL_UPDATES + 1}")
    assert named == str(tmp_path / "checkpoint_last.pt")  # of the end of D's pre-training
    assert training_state(named)["updates"] == POOL_UPDATES
    assert_finite(named)


@pytest.mark.parametrize("more", ["", "--disable-validation --max-update 20"])
def test_a_rate_that_destroys_a_language_model(more, data, tmp_path):
    """In the MLE phase too; without a validation the nets are looked at before they are saved."""
    options = ["--lr", "1e30", "--max-epoch", 8, *more.split()]
    result = fork("train", tmp_path, mle(data, tmp_path, *options))
    assert assert_diverged(result, f"there is no good checkpoint in {tmp_path}") is None
    assert not list(tmp_path.glob("checkpoint*.pt"))


@pytest.mark.parametrize(
    ("kind", "update", "words"),
    [
        ("weight", 10, ["the loss of a training step is NaN", "before update 11 changed a weight"]),
        ("gradient", 10, ["the gradient of decoder.", "of a training step", "before update 11"]),
        ("last", 14, ["the loss of a held-out batch", "in the validation after update 14"]),
    ],
)
def test_a_language_model(kind, update, words, data, tmp_path):
    """7 updates make an epoch; what the one before saved is as it was."""
    args = mle(data, tmp_path)
    result = fork("train", tmp_path, args, SPOIL.format(update=update, net="model", kind=kind))
    named = assert_diverged(result, *words)
    assert named == str(tmp_path / "checkpoint_last.pt")
    assert training_updates(named) == 7
    assert_finite(named)
    assert not list(tmp_path.glob("*.tmp"))


def training_updates(checkpoint):
    return load(checkpoint)["optimizer_history"][-1]["num_updates"]


def test_a_language_model_of_two_processes(data, tmp_path):
    """NaN in one of them is in the gradient of both, and both end."""
    setup = (
        "import sys\nif sys.argv[sys.argv.index('--distributed-rank') + 1] == '1': "
        + SPOIL.format(update=2, net="model", kind="gradient").replace(";", "\n   ").strip()
    )
    setup = setup.replace(": from helpers", ":\n    from helpers")
    for rank in train_ranks(tmp_path, mle(data, tmp_path), "legacy_ddp", setup):
        assert_diverged(rank, "the gradient of decoder.", "before update 3 changed a weight")


IN_G = POOL_UPDATES + 1  # the second G step of round 1
IN_D = POOL_UPDATES + G_STEPS + 3
ROUND_ONE = POOL_UPDATES + G_STEPS + POOL_UPDATES


@pytest.mark.parametrize(
    ("net", "kind", "update", "words"),
    [
        ("criterion", "weight", 3, ["the loss of a pretrain step", "before update 4 changed"]),
        ("criterion", "gradient", 3, ["the gradient of discriminator.", "of a pretrain step"]),
        ("model", "weight", IN_G, ["log-probability of a generator step", f"update {IN_G + 1} "]),
        ("model", "gradient", IN_G, ["the gradient of decoder.", "of a generator step"]),
        ("criterion", "weight", IN_D, ["the loss of a discriminator step", f"update {IN_D + 1} "]),
        ("criterion", "last", ROUND_ONE, ["D's score", f"in the validation after {ROUND_ONE}"]),
        ("model", "last", ROUND_ONE, ["", f"in the validation after update {ROUND_ONE}"]),
    ],
)
def test_a_game(net, kind, update, words, data, pretrained, tmp_path):
    """Each phase by its name; with an oracle, whose metrics need tokens that exist."""
    words = [word.replace("after 3", "after update 3") for word in words]
    args = gan(data, tmp_path, pretrained.best, "--oracle", data / "oracle.npz")
    result = fork("train", tmp_path, args, SPOIL.format(update=update, net=net, kind=kind))
    named = assert_diverged(result, *words)
    if update == 3:
        assert named is None
    else:
        assert training_state(named)["updates"] == POOL_UPDATES
        assert_finite(named)


def test_d_after_a_pool_of_its_pretraining(data, pretrained, tmp_path):
    """D is measured between two epochs of fairseq for --pretrain-d-keep best."""
    args = gan(data, tmp_path, pretrained.best, "--pretrain-d-keep", "best")
    setup = SPOIL.format(update=POOL_UPDATES - 1, net="criterion", kind="step")
    result = fork("train", tmp_path, args, setup)
    assert_diverged(result, "D's score", f"stopped in update {POOL_UPDATES}")


def test_weights_are_looked_at_before_they_are_saved(data, pretrained, tmp_path):
    """Without a validation, NaN after an epoch's last update must not replace the checkpoint."""
    args = gan(data, tmp_path, pretrained.best, "--disable-validation")
    for net, name in (("model", "decoder."), ("criterion", "discriminator.")):
        setup = SPOIL.format(update=ROUND_ONE, net=net, kind="last")
        result = fork("train", tmp_path, args, setup)
        words = [f"the weight {name}", f"after update {ROUND_ONE}, before saving"]
        named = assert_diverged(result, *words)
        assert training_state(named)["updates"] == POOL_UPDATES


def test_the_damaged_and_the_spoilt_are_not_called_good(data, pretrained, tmp_path):
    """The newest one that can be read and is finite is named."""
    args = gan(data, tmp_path, pretrained.best, "--save-interval-updates", 4, "--max-update", 10)
    fork("train", tmp_path, args).check()
    (tmp_path / "checkpoint_1_8.pt").write_bytes(b"half")
    state = load(tmp_path / "checkpoint_last.pt")
    next(iter(state["model"].values())).fill_(math.nan)
    torch.save(state, tmp_path / "checkpoint_last.pt")
    torch.save(state, tmp_path / "checkpoint_best.pt")
    before = {path.name: path.read_bytes() for path in tmp_path.glob("checkpoint*.pt")}
    args = gan(data, tmp_path, None, "--restore-file", tmp_path / "checkpoint_1_4.pt")
    setup = SPOIL.format(update=6, net="criterion", kind="weight")
    result = fork("train", tmp_path, args, setup)
    assert assert_diverged(result, "before update 7") == str(tmp_path / "checkpoint_1_4.pt")
    after = {path.name: path.read_bytes() for path in tmp_path.glob("checkpoint*.pt")}
    assert before == after


def test_the_program_itself(data, pretrained, tmp_path):
    """From its start to its exit status."""
    state = load(pretrained.best)
    state["model"]["decoder.fc_out.weight"].fill_(math.nan)
    torch.save(state, tmp_path / "nan.pt")
    arguments = gan(data, tmp_path / "gan", tmp_path / "nan.pt")
    result = run("fairseq-train", *arguments, cwd=tmp_path, cold=True)
    assert_diverged(result, "log-probability of a draw of negatives", "before update 1 changed")
    assert differences(list(tmp_path.glob("gan/checkpoint*.pt")), []) == []


def test_a_policy_that_has_collapsed(data, pretrained, tmp_path):
    """--lr 100 makes G draw one sequence; that is finite, so it is a warning, given once."""
    options = ["--lr", 100, "--rounds", 2, "--d-steps", 0, "--pretrain-d-steps", 1]
    result = fork("train", tmp_path, gan(data, tmp_path, pretrained.best, *options)).check()
    assert result.output.count("the policy has collapsed") == 1
    before = int(re.search(r"collapsed: before update (\d+) its entropy is", result.output)[1])
    # Ended one update earlier, the last validation says it.
    folder = tmp_path / "last"
    last = [*options, "--max-update", before - 1]
    result = fork("train", folder, gan(data, folder, pretrained.best, *last)).check()
    assert result.output.count("the policy has collapsed: its entropy is") == 1


def test_no_warning_otherwise(played):
    assert "collapsed" not in played.result.output
