"""The options that a checkpoint was trained with, in whatever form fairseq has stored them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf


def stored_options(state: dict[str, Any], group: str) -> dict[str, Any]:
    """Return the options of *group* (task, model, ...) in the checkpoint *state*; {}: unknown."""
    cfg = state.get("cfg")
    return plain(cfg.get(group) if isinstance(cfg, Mapping | DictConfig) else state.get("args"))


def plain(options: Any) -> dict[str, Any]:
    """Return a group of options as fairseq stores them; {} if it is none."""
    if isinstance(options, argparse.Namespace):
        return vars(options)
    if OmegaConf.is_config(options):
        options = OmegaConf.to_container(options, resolve=True, enum_to_str=True)
    return options if isinstance(options, dict) else {}
