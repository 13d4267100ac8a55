import shutil
from pathlib import Path

import pytest
from helpers import make_runs


@pytest.fixture
def folder(tmp_path) -> Path:
    """A copy of the stored run folders, to change or to break."""
    shutil.copytree(make_runs.RUNS, tmp_path / "runs")
    return tmp_path / "runs"
