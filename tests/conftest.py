"""Fixtures that more than one test file uses."""

from pathlib import Path

import pytest
from helpers import warm
from helpers.trainings import data, played, pretrained, text
from helpers.turing_pages import browser, poem_page, tune_page

__all__ = ["browser", "data", "played", "poem_page", "pretrained", "text", "tune_page"]

WARM = pytest.StashKey[warm.Warm]()
DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"


def pytest_configure(config: pytest.Config) -> None:
    """Start the server of the warm programs, one for all workers."""
    if not hasattr(config, "workerinput"):
        config.stash[WARM] = warm.Warm()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop it."""
    if WARM in config.stash:
        config.stash[WARM].stop()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public data files, which the project does not ship."""
    if not DATA.is_dir():
        pytest.skip(f"the public data files are not in {DATA}")
    return DATA.resolve()


@pytest.fixture(scope="session")
def authors_pickle(shared_data: Path) -> Path:
    """The SeqGAN authors' oracle, as they published it."""
    return _existing(shared_data / "oracle" / "target_params_py3.pkl")


@pytest.fixture(scope="session")
def authors_npz(shared_data: Path) -> Path:
    """The SeqGAN authors' oracle as named arrays."""
    return _existing(shared_data / "oracle" / "target_params.npz")


@pytest.fixture(scope="session")
def quatrains(shared_data: Path) -> Path:
    """The paper's Chinese quatrains."""
    return _existing(shared_data / "quatrains" / "shi.txt")


@pytest.fixture(scope="session")
def obama(shared_data: Path) -> Path:
    """The paper's speeches."""
    return _existing(shared_data / "obama" / "input.txt")


@pytest.fixture(scope="session")
def nottingham(shared_data: Path) -> Path:
    """The paper's folk tunes, repacked."""
    return _existing(shared_data / "nottingham" / "Nottingham.zip")


def _existing(path: Path) -> Path:
    if not path.is_file():
        pytest.skip(f"the public data file {path} is missing")
    return path
