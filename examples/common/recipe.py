"""Recipes: every number of an experiment, read from a preset and turned into command lines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from . import presets
from .console import ExperimentError
from .presets import EXAMPLES

ROOT = EXAMPLES.parent
PLUGIN = ROOT / "fairseq_seqgan"

Recipe = dict[str, dict[str, Any]]


def read(path: Path, folder: Path, sections: tuple[str, ...], optional: tuple[str, ...]) -> Recipe:
    """Return the recipe that the preset *path* and its bases make: sections that are mappings.

    Args:
        folder: of the experiment, in which a base is looked for.
        sections: those that must be there.
        optional: others that may be.

    Raises:
        ExperimentError: a file cannot be read, or a section is missing or unknown.
    """
    recipe = presets.load(path, folder)
    for section in (*sections, *map(str, recipe)):
        if not isinstance(recipe.get(section), dict):
            raise ExperimentError(f"{path}: section '{section}' is missing or empty")
        if section not in (*sections, *optional):
            raise ExperimentError(f"{path}: there is no section '{section}'")
    return {name: value for name, value in recipe.items() if value or name not in optional}


def as_yaml(recipe: Recipe) -> str:
    """Return *recipe* as the text of a YAML file."""
    return yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True)


def difference(found: Any, wanted: Any, place: tuple[str, ...] = ()) -> str | None:
    """Say where a recipe that was *found* first differs from the one *wanted*; None: nowhere."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        inner = (
            difference(found.get(key), wanted.get(key), (*place, str(key)))
            for key in dict.fromkeys([*wanted, *found])
        )
        return next(filter(None, inner), None)
    if found == wanted:
        return None
    there, here = ("not there" if value is None else str(value)[:60] for value in (found, wanted))
    return f"{': '.join(place)} was {there}, and is {here} now"


def need_whole(path: Path, recipe: Recipe, section: str, names: tuple[str, ...]) -> None:
    """Check that *section* holds whole numbers, above or equal 0, under *names*.

    Raises:
        ExperimentError: one is missing or something else.
    """
    for name in names:
        value = recipe[section].get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ExperimentError(f"{path}: {section}: {name} must be a whole number")


def program(name: str, module: str) -> list[str]:
    """Return the start of a command line: the script *name* of this environment, or its module."""
    script = Path(sys.executable).parent / name
    return [str(script)] if script.is_file() else [sys.executable, "-m", module]


def options(*sections: dict[str, Any]) -> list[str]:
    """Return *sections* of a recipe as options of a command; the last to name one decides.

    ``true`` is an option without a value, ``false`` leaves it out, a list is several values.
    """
    merged: dict[str, Any] = {}
    for section in sections:
        merged |= section
    words = []
    for name, value in merged.items():
        if value is not False:
            values = value if isinstance(value, list) else [] if value is True else [value]
            words += [f"--{name}", *map(str, values)]
    return words
