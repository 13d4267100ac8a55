"""The language model in a checkpoint, built by fairseq's own task."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, NamedTuple

from fairseq import checkpoint_utils
from fairseq.data import Dictionary
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.models import FairseqLanguageModel
from fairseq.tasks.language_modeling import LanguageModelingTask
from omegaconf import DictConfig, open_dict

from ..support import compat_models, input_checks
from ..support.checkpoint_files import read_checkpoint
from ..support.errors import InputError, first_line
from ..support.stored_options import stored_options, stored_task

LONGEST = "longest"  # what the task's state calls the tokens of the longest training sequence


class Lengths(NamedTuple):
    """How long the sequences of a checkpoint are; 0: it does not say so."""

    fixed: int  # T, if every sequence has T tokens and no end symbol
    longest: int  # else the most tokens before the end symbol


def load_language_model(
    path: Path, folder: Path, dictionary: Dictionary
) -> tuple[FairseqLanguageModel, DictConfig]:
    """Return the language model in the checkpoint *path*, and the task's options stored with it.

    ``max_length`` among them is that of the longest training sequence where the training was given
    none; 0: it is not stored.

    fairseq's own task builds it, whatever task trained it: the model needs nothing but the
    dictionary, and the files that the training began with may be gone.

    Raises:
        InputError: it is missing, truncated, no language model, or of another dictionary.
    """
    input_checks.checkpoint(str(path), dictionary)
    try:
        state = checkpoint_utils.load_checkpoint_to_cpu(str(path), {"data": str(folder)})
        if state.get("cfg") is None:
            state["cfg"] = convert_namespace_to_omegaconf(state["args"])
        compat_models.require_language_model(state["cfg"].model, f"{path}: its ")
        compat_models.require_lists(state["cfg"].model)
        options = state["cfg"].task
        with open_dict(options):
            options.max_length = _lengths(state, options).longest
        task = LanguageModelingTask.setup_task(options)
        models, _, _ = checkpoint_utils.load_model_ensemble_and_task(
            [str(path)], task=task, state=state
        )
    except InputError:
        raise
    except Exception as error:  # a model may fail in any way to be built from foreign options
        raise InputError(
            f"{path}: no language model that fits {folder / 'dict.txt'} ({first_line(error)})"
        ) from error
    return models[0], options


def stored_lengths(path: str) -> Lengths:
    """Return how long the sequences are that the checkpoint *path* was trained on.

    Raises:
        InputError: it cannot be read.
    """
    return _stored_form(path)[0]


def stored_temperature(path: str) -> float:
    """Return the temperature at which adversarial training made the checkpoint *path*; else 1.

    Raises:
        InputError: it cannot be read.
    """
    return _stored_form(path)[1]


def about_temperature(path: str, temperature: float) -> str | None:
    """Return what to tell of drawing at *temperature* from the checkpoint *path*; None: nothing.

    Raises:
        InputError: it cannot be read.
    """
    return about_trained_at(stored_temperature(path), temperature)


def about_trained_at(trained: float, temperature: float) -> str | None:
    """Return what :func:`about_temperature` does, of a checkpoint *trained* at a temperature."""
    if trained in (1.0, temperature):
        return None
    return (
        f"the checkpoint was trained at --temperature {trained:g}; samples are drawn at "
        f"{temperature:g}"
    )


def _stored_form(path: str) -> tuple[Lengths, float]:
    file = Path(path)
    return _read_form(path, file.stat().st_mtime_ns if file.exists() else 0)


@functools.lru_cache(maxsize=1)
def _read_form(path: str, modified: int) -> tuple[Lengths, float]:
    """Return lengths and temperature of a checkpoint, which may be large, and is read once."""
    state = read_checkpoint(path)
    options = stored_options(state, "task")
    adversarial = stored_options(state, "criterion").get("_name") == "seqgan"
    temperature = float(options.get("temperature") or 1.0) if adversarial else 1.0
    return _lengths(state, options), temperature


def _lengths(state: dict[str, Any], options: Any) -> Lengths:
    """Return the lengths in a checkpoint's *state*; *options* are its task's."""
    fixed, longest = (options.get(name) or 0 for name in ("fixed_length", "max_length"))
    if fixed or longest:
        return Lengths(fixed, longest)
    task = stored_task(state)
    schedule = task.get("schedule")  # of adversarial training; it counts the end symbol
    found = schedule.get("length") if isinstance(schedule, dict) else None
    longest = found - 1 if isinstance(found, int) else task.get(LONGEST)
    return Lengths(0, max(0, longest) if isinstance(longest, int) else 0)


def trained_on(path: Path) -> list[str]:
    """Return the data folders that the checkpoint *path* says that it was trained on.

    The first one has the dictionary and the held-out splits; others are shards.

    Raises:
        InputError: it cannot be read, or names none.
    """
    state = read_checkpoint(path)
    folder = stored_options(state, "task").get("data")
    if not isinstance(folder, str):
        raise InputError(f"{path}: names no data folder; give the one with its dict.txt")
    return folder.split(":")
