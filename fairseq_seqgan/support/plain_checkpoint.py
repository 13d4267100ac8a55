"""The generator of a checkpoint as a plain language model that every fairseq can load.

A checkpoint of an adversarial training names task ``seqgan`` and criterion ``seqgan``. fairseq
builds both when a program asks it to build what the checkpoint says, and without this plugin it
knows neither. Here they become ``language_modeling`` and ``cross_entropy``; the weights of the
generator stay as they are, and D and the optimizer's state are left out.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fairseq.tasks.language_modeling import LanguageModelingConfig

from .errors import InputError
from .stored_options import plain, stored_task

TASK, TASKS = "language_modeling", ("language_modeling", "seqgan")
_FIELDS = {field.name for field in dataclasses.fields(LanguageModelingConfig)}
# The name that fairseq's from_pretrained looks for.
FAIRSEQ_PIECES_MODEL = "sentencepiece.bpe.model"


def plain_language_model(state: Mapping[str, Any], path: Path, pieces: bool) -> dict[str, Any]:
    """Return what the exported checkpoint holds.

    Args:
        state: the contents of the checkpoint *path*.
        pieces: the model of sentencepiece stands beside the exported checkpoint.

    Raises:
        InputError: it holds no language model, is older than fairseq's present format, or lacks a
            part; the message names *path* and the part.
    """
    config = state.get("cfg")
    if not isinstance(config, Mapping) or not isinstance(state.get("model"), Mapping):
        raise InputError(f"{path}: holds no model with the options that it was trained with")
    task = plain(config.get("task"))
    name = task.get("_name")
    # A subclass of our task stores what ours does.
    if name not in TASKS and not (name and stored_task(dict(state))):
        raise InputError(f"{path}: trained with task '{name}', which is no language model")
    for part in ("model", "common"):
        if not plain(config.get(part)):
            raise InputError(f"{path}: its 'cfg' holds no options of '{part}'")
    bpe = {"_name": "sentencepiece", "sentencepiece_model": FAIRSEQ_PIECES_MODEL}
    options = {
        **config,
        "task": {**{k: v for k, v in task.items() if k in _FIELDS}, "_name": TASK},
        "model": _plain_model(config["model"]),
        "criterion": {"_name": "cross_entropy", "sentence_avg": False},
        "optimizer": None,
        "lr_scheduler": None,
        "bpe": bpe if pieces else None,
        "common": {**config["common"], "user_dir": None},
    }
    history = {
        "criterion_name": "CrossEntropyCriterion",
        "optimizer_name": "none",
        "lr_scheduler_state": {},
        "num_updates": _updates(state, path),
    }
    return {
        "args": None,
        "cfg": options,
        "model": dict(state["model"]),
        "criterion": None,
        "optimizer_history": [history],
        "task_state": {},
        "extra_state": {"train_iterator": {"epoch": 1, "iterations_in_epoch": 0}},
        "last_optimizer_state": None,
    }


def _updates(state: Mapping[str, Any], path: Path) -> int:
    """Return the number of updates after which the checkpoint *path* was written."""
    try:
        return state["optimizer_history"][-1]["num_updates"]
    except (LookupError, TypeError) as error:
        message = f"{path}: its 'optimizer_history' does not say 'num_updates'"
        raise InputError(message) from error


def _plain_model(model: Any) -> dict[str, Any]:
    """Return the options of the model; a legacy architecture stores an ``argparse.Namespace``."""
    if isinstance(model, argparse.Namespace):
        return {"_name": model.arch, **vars(model)}
    return dict(model)
