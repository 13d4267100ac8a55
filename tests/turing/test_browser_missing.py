"""Without chromium the tests that drive it are skipped, and fail where a browser is required."""

import shutil

import pytest
from helpers.browser import start_browser


@pytest.fixture(params=["chromium", "chromedriver"])
def missing(request, monkeypatch) -> str:
    """One of the two programs is not on the path."""

    def which(name: str) -> str | None:
        return None if name == request.param else f"/usr/bin/{name}"

    monkeypatch.setattr(shutil, "which", which)
    return request.param


@pytest.mark.parametrize(
    ("required", "outcome"), [(None, pytest.skip.Exception), ("1", pytest.fail.Exception)]
)
def test_missing_browser(missing, required, outcome, monkeypatch, tmp_path):
    monkeypatch.delenv("REQUIRE_BROWSER", raising=False)
    if required:
        monkeypatch.setenv("REQUIRE_BROWSER", required)
    with (
        pytest.raises(outcome, match=f"{missing} not found; .*apt-get install chromium"),
        start_browser(tmp_path),
    ):
        pass
