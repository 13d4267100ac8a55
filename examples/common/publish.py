"""Results for the repository: the report and what each run was made with, without checkpoints."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from .files import read_json


def publish(dest: Path, folder: Path, tidy: Callable[[Path], None] = lambda report: None) -> None:
    """Copy what is worth keeping of the experiment in *dest* to *folder*, in place of what it has.

    The report, the ``run.json`` of every finished run, and the recipe. *tidy* is given the copy of
    the report, to take out of it what is not to be published.
    """
    temporary = folder.with_name(folder.name + ".new")
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(dest / "report", temporary, copy_function=shutil.copyfile)
    tidy(temporary)
    for path in sorted((dest / "runs").glob("*/run.json")):
        if read_json(path)["finished"]:
            (temporary / "runs" / path.parent.name).mkdir(parents=True)
            shutil.copyfile(path, temporary / "runs" / path.parent.name / path.name)
    shutil.copyfile(dest / "recipe.yaml", temporary / "recipe.yaml")
    shutil.rmtree(folder, ignore_errors=True)
    temporary.replace(folder)
