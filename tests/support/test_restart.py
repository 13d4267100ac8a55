"""What fairseq will load is found out before it does so, by its own rules."""

import pytest
from fairseq.dataclass.configs import CheckpointConfig
from omegaconf import OmegaConf

from fairseq_seqgan.support.errors import InputError
from fairseq_seqgan.support.restart import Restart, find_restart


@pytest.fixture
def options(tmp_path):
    """fairseq's options of checkpoints, for a folder that has none yet."""
    config = OmegaConf.structured(CheckpointConfig)
    config.save_dir = str(tmp_path / "save")
    (tmp_path / "save").mkdir()
    return config


def touch(folder, name):
    path = folder / name
    path.touch()
    return path


def test_nothing(options):
    assert find_restart(options) == Restart()


def test_the_last_checkpoint_comes_first(options, tmp_path):
    """Before the model to begin with, and before ``--continue-once``."""
    options.finetune_from_model = str(touch(tmp_path, "mle.pt"))
    assert find_restart(options) == Restart(tmp_path / "mle.pt", False, False)
    options.continue_once = str(touch(tmp_path, "once.pt"))
    assert find_restart(options) == Restart(tmp_path / "once.pt", True, True)
    last = touch(tmp_path / "save", "checkpoint_last.pt")
    assert find_restart(options) == Restart(last, True, True)


def test_resets(options, tmp_path):
    path = touch(tmp_path, "other.pt")
    options.restore_file = str(path)
    options.reset_optimizer = True
    assert find_restart(options) == Restart(path, False, True)
    options.reset_dataloader = True
    assert find_restart(options) == Restart(path, False, False)


def test_a_file_to_restore_must_exist(options, tmp_path):
    options.restore_file = str(tmp_path / "gone.pt")
    with pytest.raises(InputError, match=r"--restore-file .*gone\.pt: no such checkpoint"):
        find_restart(options)


def test_a_file_to_continue_once_must_exist(options, tmp_path):
    """fairseq would begin with random nets, although a model to begin with is given."""
    options.finetune_from_model = str(touch(tmp_path, "mle.pt"))
    options.continue_once = str(tmp_path / "typo.pt")
    with pytest.raises(InputError, match=r"--continue-once .*typo\.pt: no such checkpoint"):
        find_restart(options)
