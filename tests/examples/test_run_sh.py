"""run.sh as a shell starts it, with no warm process behind it."""

import os
import subprocess
import sys

import pytest
from helpers.commands import REPO


def shell(folder, *arguments):
    """Run the run.sh of an experiment with this interpreter."""
    return subprocess.run(
        [REPO / "examples" / folder / "run.sh", *map(str, arguments)],
        env=os.environ | {"PYTHON": sys.executable},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("folder", ["demo", "nottingham", "obama", "poem", "synthetic"])
def test_it_starts(folder):
    result = shell(folder, "--help")
    assert result.returncode == 0, result.stderr
    assert "--dest" in result.stdout


@pytest.mark.parametrize("folder", ["nottingham", "obama", "poem", "synthetic"])
def test_help_says_what_each_preset_is(folder):
    printed = shell(folder, "--help").stdout
    presets = {path.stem for path in (REPO / "examples" / folder).glob("*.yaml")} - {"base"}
    assert {name for name in presets if f"\n  {name:20} " in printed} == presets


def test_a_mistake_is_one_line(tmp_path):
    result = shell("poem", "nonsense", "--dest", tmp_path / "out")
    assert result.returncode == 2
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_loop_of_links_is_one_line(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    result = shell("synthetic", "quick", "--dest", tmp_path / "loop" / "x")
    assert result.returncode == 2
    assert result.stderr == f"error: Symlink loop from '{tmp_path / 'loop' / 'x'}'\n"
