"""Trainings that begin from a checkpoint that is not their own."""

import shutil

import pytest
import torch
from helpers.commands import (
    PLUGIN,
    TOTAL_UPDATES,
    fork,
    gan,
    load,
    training_state,
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "resets",
    [
        "--reset-optimizer",  # what fairseq's own message advises
        "--reset-optimizer --reset-lr-scheduler --reset-meters",
        "--reset-optimizer --reset-dataloader",
    ],
)
def test_restoring_a_language_model_trains_to_the_end(resets, data, pretrained, tmp_path):
    """Whatever epoch its training has reached, adversarial training begins at update 0."""
    args = gan(data, tmp_path, None, "--restore-file", pretrained.last, *resets.split())
    fork("train", tmp_path, args).check()
    assert training_state(tmp_path / "checkpoint_last.pt")["updates"] == TOTAL_UPDATES


def test_restoring_a_language_model_without_resets_is_refused(data, pretrained, tmp_path):
    """The line says how to begin with it."""
    args = gan(data, tmp_path / "gan", None, "--restore-file", pretrained.last)
    result = fork("train", tmp_path, args)
    assert result.returncode == 2 and "Traceback" not in result.output
    line = result.stderr.strip().splitlines()[-1]
    assert "checkpoint_last.pt: a checkpoint of another criterion (CrossEntropyCriterion)" in line
    assert "--finetune-from-model" in line
    assert not list((tmp_path / "gan").glob("*.pt"))


def test_the_folder_of_a_language_model_is_refused(data, pretrained, tmp_path):
    """Its checkpoint would be overwritten."""
    folder = tmp_path / "gan"
    folder.mkdir()
    shutil.copy(pretrained.last, folder)
    before = pretrained.last.read_bytes()
    result = fork("train", tmp_path, gan(data, folder, pretrained.best))
    assert result.returncode == 2 and "Traceback" not in result.output
    assert "needs a --save-dir apart from" in result.stderr.strip().splitlines()[-1]
    assert (folder / "checkpoint_last.pt").read_bytes() == before


def test_a_missing_restore_file_is_refused(data, tmp_path):
    """fairseq would begin with random nets."""
    args = gan(data, tmp_path / "gan", None, "--restore-file", tmp_path / "nowhere.pt")
    result = fork("train", tmp_path, args)
    assert result.returncode == 2
    assert "nowhere.pt: no such checkpoint" in result.stderr.strip().splitlines()[-1]


def test_a_checkpoint_is_read_without_what_its_training_began_with(data, played, tmp_path):
    """fairseq-validate sets a task up with the options of the training, which is not repeated."""
    state = load(played.last)
    state["cfg"]["checkpoint"]["restore_file"] = str(tmp_path / "gone.pt")
    torch.save(state, tmp_path / "moved.pt")
    options = f"--user-dir {PLUGIN} --task seqgan --cpu --valid-subset test --batch-size 8".split()
    result = fork("validate", tmp_path, [data, *options, "--path", tmp_path / "moved.pt"])
    assert "| nll " in result.check().output


def test_another_discriminator_than_that_of_the_model_to_begin_with(data, played, tmp_path):
    """A new training with the nets of an adversarial one is checked, too."""
    args = gan(data, tmp_path / "gan", played.best, "--d-embed-dim", 8)
    result = fork("train", tmp_path, args)
    assert result.returncode == 2 and "Traceback" not in result.output
    assert "--d-embed-dim is 8, in the checkpoint" in result.stderr.strip().splitlines()[-1]
