"""Recipes: YAML files that hold every number of an experiment, turned into command lines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from .console import ExperimentError

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "fairseq_seqgan"

Recipe = dict[str, dict[str, Any]]


def read(path: Path, sections: tuple[str, ...], optional: tuple[str, ...] | None = ()) -> Recipe:
    """Return the recipe in the YAML file *path*, a mapping of sections that are mappings.

    Args:
        sections: those that must be there.
        optional: others that may be; None: any.

    Raises:
        ExperimentError: the file cannot be read, or a section is missing or unknown.
    """
    try:
        recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ExperimentError(f"{path}: cannot be read as a recipe ({reason})") from error
    if not isinstance(recipe, dict):
        names = ", ".join(sections)
        raise ExperimentError(f"{path}: not a recipe; it must hold the sections {names}")
    for section in (*sections, *map(str, recipe)):
        if not isinstance(recipe.get(section), dict):
            raise ExperimentError(f"{path}: section '{section}' is missing or empty")
        if optional is not None and section not in (*sections, *optional):
            raise ExperimentError(f"{path}: there is no section '{section}'")
    return recipe


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
