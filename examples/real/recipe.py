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
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise ExperimentError(
            f"{path}: people: sources must name rows, such as SeqGAN: seqgan/last ({error})"
        ) from error
    return recipe, systems


def sources(recipe: Recipe, systems: list[System]) -> dict[str, Variant]:
    """Return the rows whose samples people see beside the real ones, by the name they have there.

    Raises:
        KeyError, AttributeError, ValueError: the recipe names something else than a row.
    """
    rows = {
        (row.system.name, row.checkpoint): row
        for row in variants(systems)
        if row.temperature == 1.0 and row.system.options is not None
    }
    wanted = recipe["people"]["sources"].items()
    return {name: rows[tuple(text.split("/"))] for name, text in wanted}
