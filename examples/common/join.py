"""Seeds that were trained elsewhere: another machine's folder, or results that were published."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

from .console import ExperimentError
from .files import read_json, write
from .recipe import Recipe
from .shared import reading, run_folder

_MOST = reading.MIB  # of a recipe
_FILES = (run_folder.METRICS, run_folder.SCORES, run_folder.LOG)  # of a run, beside run.json


def check(folder: Path, recipe: Recipe, seeds: list[int]) -> None:
    """Check, before any work, that the runs in *folder* may stand beside those of *recipe*.

    Args:
        folder: of an experiment, or a publication.
        seeds: those that are trained here.

    Raises:
        ExperimentError: there is no finished run of another seed in it, or its recipe differs.
    """
    path = folder / "recipe.yaml"
    try:
        found = yaml.safe_load(reading.read_bytes(path, _MOST).decode("utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ExperimentError(f"--join {folder}: {path} cannot be read ({reason})") from error
    different = _difference(found, recipe)
    if different is not None:
        raise ExperimentError(f"--join {folder}: was run with another recipe: {different} differs")
    if not _others(folder, seeds):
        raise ExperimentError(f"--join {folder}: holds no finished run of another seed")


def join(folder: Path, runs: Path, about_data: dict[str, Any], seeds: list[int]) -> None:
    """Copy the finished runs of other seeds in *folder* to *runs*, whole or not at all.

    Args:
        about_data: what ``run.json`` says of the data; theirs must say the same.
        seeds: those that are trained here.

    Raises:
        ExperimentError: other data, or *runs* has another run of that name.
    """
    for source in _others(folder, seeds):
        about = read_json(source / run_folder.RUN)
        for key, value in about_data.items():
            if about.get(key) != value:
                raise ExperimentError(f"--join {folder}: {source.name} was run on other data")
        target = runs / source.name
        text = (source / run_folder.RUN).read_text(encoding="utf-8")
        if (target / run_folder.RUN).is_file():
            if (target / run_folder.RUN).read_text(encoding="utf-8") != text:
                raise ExperimentError(f"--join {folder}: {target} is another run of this name")
            continue
        target.mkdir(parents=True, exist_ok=True)
        for name in _FILES:
            if (source / name).is_file():
                shutil.copyfile(source / name, target / name)
        write(target / run_folder.RUN, text)  # last: it says that the run is finished


def _others(folder: Path, seeds: list[int]) -> list[Path]:
    """Return the run folders of finished runs of other seeds, by name."""
    found = []
    for path in sorted(folder.glob(f"runs/*/{run_folder.RUN}")):
        about = read_json(path)
        measured = (path.parent / run_folder.METRICS).is_file()
        if measured and about.get("finished") is True and about.get("seed") not in seeds:
            found.append(path.parent)
    return found


def _difference(found: Any, recipe: Any, place: tuple[str, ...] = ()) -> str | None:
    """Return the first place at which two recipes differ, if they do.

    How many seeds a recipe asks for makes no difference to a run of one of them.
    """
    if place == ("experiment", "seeds"):
        return None
    if not isinstance(found, dict) or not isinstance(recipe, dict):
        return None if found == recipe else ": ".join(place) or "it is no recipe, which"
    for key in dict.fromkeys([*recipe, *found]):
        inner = (*place, str(key))
        both = key in recipe and key in found
        different = _difference(found[key], recipe[key], inner) if both else ": ".join(inner)
        if different is not None:
            return different
    return None
