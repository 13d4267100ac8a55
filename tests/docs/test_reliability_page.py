"""Every test that docs/reliability.md names is there."""

import re

from helpers.commands import REPO

PAGE = REPO / "docs" / "reliability.md"
TEST = re.compile(r"\[`(test_\w+)`\]\(\.\./(tests/[\w/]+\.py)\)")


def test_named_tests_exist():
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    rows = [row for row in rows if not row.startswith("| fault |")]
    assert len(rows) > 20
    for row in rows:
        named = TEST.findall(row)
        assert named, row
        for name, path in named:
            source = (REPO / path).read_text(encoding="utf-8")
            assert re.search(rf"^def {name}\(", source, re.MULTILINE), f"{path}: {name}"
