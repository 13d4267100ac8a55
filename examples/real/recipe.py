"""A preset of a real task: the YAML file that holds every number."""

from __future__ import annotations

from pathlib import Path

from common.console import ExperimentError
from common.recipe import Recipe, need_whole, read
from common.systems import System, Variant, parse, variants

SECTIONS = (
    "environment", "experiment", "device", "data", "samples", "people", "options", "systems",
)  # fmt: skip
OPTIONAL = ("evaluation", "report")
NEEDED = {
    "experiment": ("seeds", "data-seed"),
    "samples": ("num-samples",),
    "people": ("shown", "per-source"),
}
REAL = "real"  # the kind of the row of real held-out data


def load(path: Path) -> tuple[Recipe, list[System]]:
    """Return the recipe in the YAML file *path* and its systems, in order.

    Raises:
        ExperimentError: the file cannot be read, or something in it is missing or unknown.
    """
    # The options of preprocess/ may all stay at their defaults: `data: {}`.
    recipe = read(path, SECTIONS, OPTIONAL)
    for section, names in NEEDED.items():
        need_whole(path, recipe, section, names)
    systems = parse(path, recipe, REAL)
    try:
        sources(recipe, systems)
    except ValueError as error:
        raise ExperimentError(f"{path}: people: sources: {error}") from error
    return recipe, systems


def sources(recipe: Recipe, systems: list[System]) -> dict[str, Variant]:
    """Return the rows whose samples people see beside the real ones, by the name they have there.

    Raises:
        ValueError: the recipe names something else than a row.
    """
    wanted = recipe["people"].get("sources")
    if not isinstance(wanted, dict):
        raise ValueError("must name rows, such as SeqGAN: seqgan/last")
    rows = {
        f"{row.system.name}/{row.checkpoint}": row
        for row in variants(systems)
        if row.temperature == 1.0 and row.system.options is not None
    }
    for name, row in wanted.items():
        if row not in rows:
            raise ValueError(f"{name}: there is no row '{row}', only {', '.join(rows)}")
    return {name: rows[row] for name, row in wanted.items()}
