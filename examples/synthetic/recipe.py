"""A preset: the YAML file that holds every number of the experiment, and the systems in it."""

from __future__ import annotations

from pathlib import Path

from common.recipe import Recipe, need_whole, read
from common.systems import System, parse, variants

__all__ = ["ORACLE", "load", "variants"]

SECTIONS = ("environment", "experiment", "device", "data", "samples", "options", "systems")
OPTIONAL = ("evaluation", "report")
NEEDED = {"experiment": ("seeds", "data-seed"), "data": ("length",), "samples": ("num-samples",)}
ORACLE = "oracle"  # the kind of the oracle's own row


def load(path: Path) -> tuple[Recipe, list[System]]:
    """Return the recipe in the YAML file *path* and its systems, in order.

    Raises:
        ExperimentError: the file cannot be read, or something in it is missing or unknown.
    """
    recipe = read(path, SECTIONS, OPTIONAL)
    for section, names in NEEDED.items():
        need_whole(path, recipe, section, names)
    return recipe, parse(path, recipe, ORACLE)
