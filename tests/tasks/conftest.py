"""What tests of the whole commands share."""

import shutil

import pytest


@pytest.fixture
def folder(data, pretrained, tmp_path):
    """A copy of the data and of the pre-trained model, to be damaged."""
    shutil.copytree(data, tmp_path / "data")
    shutil.copy(pretrained.best, tmp_path / "data" / "mle.pt")
    return tmp_path / "data"
