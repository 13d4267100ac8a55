"""What a checkpoint says of its training: the options, in whatever form, and the task's state."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from .errors import InputError

TASK_STATE = "SeqGANTask"  # the name under which a checkpoint holds the task's state


def stored_options(state: dict[str, Any], group: str) -> dict[str, Any]:
    """Return the options of *group* (task, model, ...) in the checkpoint *state*; {}: unknown."""
    cfg = state.get("cfg")
    return plain(cfg.get(group) if isinstance(cfg, Mapping | DictConfig) else state.get("args"))


def stored_task(state: Any) -> dict[str, Any]:
    """Return what task ``seqgan`` has stored in the checkpoint *state*; {}: nothing."""
    extra = state.get("extra_state") if isinstance(state, dict) else None
    task = extra.get(TASK_STATE) if isinstance(extra, dict) else None
    return task if isinstance(task, dict) else {}


def check_groups(state: dict[str, Any], path: Path) -> None:
    """Check that the options in the checkpoint *path*, if it has any, are groups of options.

    Raises:
        InputError: they are not; the message names *path* and the group.
    """
    cfg = state.get("cfg")
    if not isinstance(cfg, Mapping | None):
        raise InputError(f"{path}: its 'cfg' holds no options but a {type(cfg).__name__}")
    for name, group in (cfg or {}).items():
        if not isinstance(group, Mapping | argparse.Namespace | None):
            found = str(group)[:60]
            raise InputError(f"{path}: its 'cfg' holds no options of '{name}' but {found}")


def plain(options: Any) -> dict[str, Any]:
    """Return a group of options as fairseq stores them; {} if it is none."""
    if isinstance(options, argparse.Namespace):
        return vars(options)
    if OmegaConf.is_config(options):
        options = OmegaConf.to_container(options, resolve=True, enum_to_str=True)
    return options if isinstance(options, dict) else {}
