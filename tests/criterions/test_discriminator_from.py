"""--discriminator-from: a training that starts with the D of an earlier one."""

import shutil

import pytest
import torch
from fairseq.data import Dictionary
from helpers.commands import PLUGIN, differences, fork, gan, load

from fairseq_seqgan.criterions.discriminator_weights import read_discriminator

pytestmark = pytest.mark.slow

# One round of two G steps, in which D is not trained.
SHORT = "--rounds 1 --d-steps 0 --pretrain-d-steps 0".split()


def test_starts_with_that_discriminator(data, pretrained, played, tmp_path):
    """D stays as it was stored; its slope scales the reward, and sampling gets the new G's."""
    options = [*SHORT, "--reward", "logit", "--reward-scale", "auto", "--discriminator-from"]
    arguments = gan(data, tmp_path / "gan", pretrained.best, *options, played.last)
    result = fork("train", tmp_path, arguments).check()
    before, after = load(played.last), load(tmp_path / "gan" / "checkpoint_last.pt")
    assert differences(before["criterion"], after["criterion"]) == []
    stored, new = (state["extra_state"]["SeqGANTask"] for state in (before, after))
    assert new["reward_slope"] == stored["slope"]
    validated = result.logged("valid")[-1]
    assert "d_auc_heldout" in validated
    assert new["slope"] == pytest.approx(validated["d_slope"], abs=1e-4)
    last = str(tmp_path / "gan" / "checkpoint_last.pt")
    assert read_discriminator(last, Dictionary.load(str(data / "dict.txt"))).slope == new["slope"]


def test_it_is_not_that_of_the_generators_checkpoint(data, pretrained, played, tmp_path):
    """Where both hold a D, the option's counts, and a resumed training needs no file."""
    judge = tmp_path / "judge.pt"
    shutil.copy(played.last, judge)
    state = load(judge)
    for weight in state["criterion"].values():
        weight += 0.1
    torch.save(state, judge)
    options = [*SHORT, "--reward", "logit", "--discriminator-from", judge]
    fork("train", tmp_path, gan(data, tmp_path / "gan", played.last, *options)).check()
    last = tmp_path / "gan" / "checkpoint_last.pt"
    assert differences(load(last)["criterion"], state["criterion"]) == []
    judge.unlink()
    fork(
        "train", tmp_path, gan(data, tmp_path / "gan", played.last, *options, "--rounds", 2)
    ).check()
    assert differences(load(last)["criterion"], state["criterion"]) == []
    evaluated = [data, "--path", last, *f"--user-dir {PLUGIN} --task seqgan --cpu".split()]
    fork("validate", tmp_path, [*evaluated, "--batch-size", 32]).check()


def test_its_slope_is_the_rewards_scale(data, pretrained, played, tmp_path):
    """With another slope in the file, G goes another way."""
    state = load(played.last)
    state["extra_state"]["SeqGANTask"]["slope"] += 1.0
    torch.save(state, tmp_path / "steeper.pt")
    ends = []
    for name, path in (("own", played.last), ("steeper", tmp_path / "steeper.pt")):
        options = [*SHORT, "--reward", "logit", "--reward-scale", "auto", "--discriminator-from"]
        arguments = gan(data, tmp_path / name, pretrained.best, *options, path)
        fork("train", tmp_path, arguments).check()
        ends.append(load(tmp_path / name / "checkpoint_last.pt")["model"])
    assert differences(*ends)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--d-kernel-counts 8,8,9", "--d-kernel-counts 8,8,8 there and 8,8,9 here"),
        ("--d-ensemble 2", "--d-ensemble 1 there and 2 here"),
        ("--d-embed-dim 4 --d-dropout 0.9", "another one (--d-embed-dim 64 there and 4 here)"),
        ("--discriminator rcnn", "--discriminator cnn_highway there and rcnn here"),
    ],
)
def test_another_kind_of_discriminator(data, pretrained, played, tmp_path, options, words):
    more = [*SHORT, *options.split(), "--discriminator-from", played.last]
    result = fork("train", tmp_path, gan(data, tmp_path / "gan", pretrained.best, *more))
    assert result.returncode == 2
    assert words in result.stderr.strip().splitlines()[-1]
    assert "Traceback" not in result.output


def test_a_file_without_one(data, pretrained, tmp_path):
    for path, words in ((pretrained.best, "holds no discriminator"), ("/no.pt", "no such")):
        more = [*SHORT, "--discriminator-from", path]
        result = fork("train", tmp_path, gan(data, tmp_path / "gan", pretrained.best, *more))
        assert result.returncode == 2
        assert words in result.stderr.strip().splitlines()[-1]
