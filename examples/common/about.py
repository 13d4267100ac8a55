"""What ``run.json`` says of a run (docs/run-folders.md)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from . import machine
from .commands import Commands
from .shared import run_folder
from .systems import SELECTIONS, System, Variant
from .workspace import Workspace


def identity(commands: Commands, variant: Variant, seed: int) -> dict[str, Any]:
    """Return which row and seed a run is, and what it can be compared with."""
    system = variant.system
    found = {
        "format": run_folder.FORMAT,
        "system": variant.row,
        "label": variant.label,
        "kind": system.kind if variant.temperature == 1.0 or variant.guide > 1 else "control",
        "selection": SELECTIONS[variant.checkpoint],
        "temperature": variant.temperature,
        "seed": seed,
        "position": variant.position,
        **commands.about_data(),
    }
    if variant.plain and system.options is not None:
        found["training"] = _training(commands, system)
    if variant.plain and system.control is not None:
        found["control"] = system.control
    return found


def _training(commands: Commands, system: System) -> dict[str, Any]:
    """Return what the learning curves need to know."""
    if system.start is None:
        return {"phase": run_folder.PRETRAINING}
    selection = SELECTIONS[system.start.checkpoint]
    start = {"system": system.start.system, "selection": selection}
    schedule = system
    if not system.adversarial and system.updates_of is not None:
        schedule = commands.systems[system.updates_of]
    found = {
        "phase": run_folder.FINE_TUNING,
        "start": start,
        "g_steps": schedule.training_options["g-steps"],
    }
    if system.adversarial:
        found["pretrain_d_steps"] = system.training_options["pretrain-d-steps"]
    return found


def provenance(work: Workspace, commands: Commands, lines: dict[str, list[str]]) -> dict[str, Any]:
    """Return the commands *lines*, and what they were run on, when, and from which commit."""
    places = commands.places()
    shown = [machine.portable(line, work.environment, places) for line in lines.values()]
    return {
        "commands": shown,
        "hardware": machine.hardware(with_gpu=not commands.recipe["device"].get("cpu")),
        "software": machine.software(),
        "date": datetime.now(UTC).date().isoformat(),
        "commit": machine.commit(),
    }
