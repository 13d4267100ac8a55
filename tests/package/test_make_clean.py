"""``make clean`` removes what make has made, and nothing of the user's."""

import shutil
import subprocess

from helpers.commands import REPO


def clean(folder):
    shutil.copy(REPO / "Makefile", folder)
    subprocess.run(["make", "-s", "clean"], cwd=folder, check=True, timeout=60)


def test_an_environment_and_an_experiment_of_the_users_stay(tmp_path):
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "experiment.json").write_text('{\n  "task": "poem",\n  "recipe": {}\n}\n')
    clean(tmp_path)
    assert (tmp_path / ".venv" / "pyvenv.cfg").exists()
    assert (tmp_path / "demo" / "experiment.json").exists()


def test_those_that_make_has_built_go(tmp_path):
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".installed").write_text(f"{tmp_path}\n")
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "experiment.json").write_text('{\n  "seed": 1,\n  "recipe": {}\n}\n')
    clean(tmp_path)
    assert not (tmp_path / ".venv").exists() and not (tmp_path / "demo").exists()
