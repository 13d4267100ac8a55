"""docs/what-is-deleted.md names the way in which files are written."""

from pathlib import Path

import pytest
from helpers.commands import REPO
from helpers.examples import files

PAGE = (REPO / "docs" / "what-is-deleted.md").read_text(encoding="utf-8")


def test_experiments_write_beside_the_place(tmp_path, monkeypatch):
    renamed = []
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda own, to: renamed.append(own) or replace(own, to))
    files.write(tmp_path / "NAME", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["NAME"]
    assert f"Experiments write `{renamed[0].name}` in their own folder" in PAGE


@pytest.mark.parametrize("path", sorted(REPO.glob("examples/*/*.py")), ids=lambda path: path.name)
def test_what_writes_in_place_is_named(path):
    """Other files of experiments go through common/files.py."""
    source = path.read_text(encoding="utf-8")
    if path.name != "files.py" and (".write_text(" in source or ".savefig(" in source):
        assert path.relative_to(REPO).as_posix() in PAGE
