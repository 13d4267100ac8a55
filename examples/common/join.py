"""Seeds that were trained elsewhere: another machine's folder, or results that were published."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from . import presets
from .console import ExperimentError
from .files import read_json, write_json
from .recipe import Recipe, difference
from .shared import run_folder

_FILES = (run_folder.METRICS, run_folder.SCORES, run_folder.LOG)  # of a run, beside run.json


def check(folder: Path, recipe: Recipe, seeds: list[int]) -> None:
    """Check, before any work, that the runs in *folder* may stand beside those of *recipe*.

    Args:
        folder: of an experiment, or a publication.
        seeds: those that are trained here.

    Raises:
        ExperimentError: there is no finished run of another seed in it, or its recipe differs.
    """
    try:
        found = presets.load(folder / "recipe.yaml", folder)
    except ExperimentError as error:
        raise ExperimentError(f"--join {folder}: {error}") from error
    different = difference(_without_seeds(found), _without_seeds(recipe))
    if different is not None:
        raise ExperimentError(f"--join {folder}: was run with another recipe: {different}")
    if not _others(folder, seeds):
        raise ExperimentError(
            f"--join {folder}: holds no finished run of another seed with {run_folder.METRICS}, "
            "which results that were published before 29 November 2026 do not have"
        )


def join(folder: Path, runs: Path, about_data: dict[str, Any], seeds: list[int]) -> None:
    """Copy the finished runs of other seeds in *folder* to *runs*, whole or not at all.

    Their ``run.json`` says that they were joined. A run that was finished here is kept.

    Args:
        about_data: what ``run.json`` says of the data; theirs must say the same.
        seeds: those that are trained here.

    Raises:
        ExperimentError: other data, or *runs* has another finished run of that name.
    """
    for source in _others(folder, seeds):
        about = read_json(source / run_folder.RUN)
        for key, value in about_data.items():
            if about.get(key) != value:
                raise ExperimentError(f"--join {folder}: {source.name} was run on other data")
        target = runs / source.name
        if not _stands(target, about, folder):
            target.mkdir(parents=True, exist_ok=True)
            for name in _FILES:
                if (source / name).is_file():
                    shutil.copyfile(source / name, target / name)
            # Last: it says that the run is finished.
            write_json(target / run_folder.RUN, about | {"joined": True})


def _stands(target: Path, about: dict[str, Any], folder: Path) -> bool:
    """Return whether *target* holds the finished run already that *about* describes.

    Raises:
        ExperimentError: it holds another one.
    """
    if not (target / run_folder.RUN).is_file():
        return False
    found = read_json(target / run_folder.RUN)
    if found.get("finished") is not True:
        return False
    if _of_run(found) != _of_run(about):
        raise ExperimentError(
            f"--join {folder}: {target} is another run of this name; move one of the two away"
        )
    return True


def _of_run(about: dict[str, Any]) -> dict[str, Any]:
    """Return what ``run.json`` says of the run itself, and not of where it has been."""
    own = {key: value for key, value in about.items() if key not in ("published", "joined")}
    return {"temperature": 1.0} | own


def _others(folder: Path, seeds: list[int]) -> list[Path]:
    """Return the run folders of finished runs of other seeds, by name."""
    found = []
    for path in sorted(folder.glob(f"runs/*/{run_folder.RUN}")):
        about = read_json(path)
        needed = [run_folder.METRICS] + [run_folder.SCORES] * ("published" not in about)
        whole = all((path.parent / name).is_file() for name in needed)
        other = isinstance(about.get("seed"), int) and about["seed"] not in seeds
        if whole and other and about.get("finished") is True:
            found.append(path.parent)
    return found


def _without_seeds(recipe: Any) -> Any:
    """Return *recipe* without the number of its seeds, which makes no difference to a run."""
    experiment = recipe.get("experiment")
    if not isinstance(experiment, dict):
        return recipe
    return recipe | {"experiment": {k: v for k, v in experiment.items() if k != "seeds"}}
