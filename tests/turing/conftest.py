"""Tests in a browser are skipped, or fail, before their fixtures are made."""

import pytest
from helpers.browser import find_programs


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip here and not in the fixture: so pytest reports all of them in one line."""
    if "browser" in item.fixturenames:
        find_programs()
