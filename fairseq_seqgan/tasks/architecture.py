"""Building the generator G, and comparing it with that of the checkpoint to begin with.

fairseq reports whatever is wrong with an architecture by a traceback, and a checkpoint of another
one without a word about what differs.
"""

from __future__ import annotations

import argparse
import dataclasses
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fairseq.models import ARCH_MODEL_REGISTRY, MODEL_REGISTRY, BaseFairseqModel

from ..adversarial.start import Start, differences, shapes
from ..support import compat, compat_models
from ..support.checkpoint_files import read_checkpoint
from ..support.errors import InputError, first_line
from ..support.stored_options import plain


def build_generator(
    build: Callable[[], BaseFairseqModel], options: Any, start: Start, task_options: Any
) -> BaseFairseqModel:
    """Return the language model that *build*, fairseq's own, builds from *options*.

    Args:
        options: the model's.
        start: what the training begins with.
        task_options: the task's, in a training; None: the model is read from a checkpoint.

    Raises:
        InputError: there is no such language model, its options do not fit each other or the
            criterion, or it is not the one that the training begins with.
    """
    compat_models.require_language_model(options)
    compat_models.require_lists(options)
    name = str(compat_models.architecture(options))
    try:
        model = build()
    except InputError:
        raise
    except Exception as error:  # fairseq checks little, and mostly by assertions
        raise InputError(f"--arch {name}: fairseq cannot build it ({_reason(error)})") from error
    compat_models.initialize_unused(model)
    root = None if task_options is None else compat.root_config(task_options)
    if root is not None:
        _check_criterion(model, root.criterion._name if root.get("criterion") else None)
    least, positions = compat_models.least_positions(model), model.max_positions()
    if root is not None and least > positions:
        raise InputError(
            f"--decoder-kernel-size-list: a dynamic convolution of width {least} does not fit "
            f"--tokens-per-sample {positions}: for sequences shorter than its kernel, fairseq "
            "trains other probabilities than it samples from"
        )
    _check_same(model, name, options, start)
    return model


def _reason(error: Exception) -> str:
    """Return what *error* says, or the line of code that it comes from, and where that is."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    said = first_line(error) if str(error).strip() else frame.line
    return f"{said}, at {Path(frame.filename).name}:{frame.lineno}"


def _check_criterion(model: BaseFairseqModel, criterion: str | None) -> None:
    """Check that *criterion* can train the output layer of *model*.

    Raises:
        InputError: it would need the gradient of all log-probabilities of an adaptive softmax,
            which fairseq does not compute.
    """
    adaptive = getattr(getattr(model, "decoder", None), "adaptive_softmax", None) is not None
    if adaptive and criterion not in (compat_models.ADAPTIVE_LOSS, "seqgan"):
        raise InputError(
            f"--adaptive-softmax-cutoff: --criterion {criterion} cannot train an adaptive softmax; "
            "say --criterion adaptive_loss --ddp-backend legacy_ddp"
        )


def _check_same(model: BaseFairseqModel, name: str, options: Any, start: Start) -> None:
    """Check that *model* can load the weights that the training begins with.

    Raises:
        InputError: it cannot; names the options that differ.
    """
    stored = start.generator
    own = shapes(model.state_dict()) or {}
    if stored is None or stored == own:
        return
    names = sorted(own.items() ^ stored.items())
    try:  # fairseq may know how to upgrade older weights, or to drop layers
        weights = dict(read_checkpoint(start.path)["model"])
        model.load_state_dict(weights, strict=True, model_cfg=options)
    except (RuntimeError, LookupError) as error:
        changed = _changed(name, options, start.model_options)
        raise InputError(
            f"{start.path}: its language model is not the one that the options describe: "
            + ("; ".join(changed) or f"{names[0][0]} is missing or has another shape")
        ) from error


def _changed(name: str, options: Any, saved: dict[str, Any]) -> list[str]:
    """Return the options of the architecture that are not what they were, with both values."""
    theirs = saved.get("arch") or saved.get("_name")
    if theirs and theirs != name:
        return [f"--arch is {name}, in the checkpoint {theirs}"]
    known = {option for option in _option_names(name) if "dropout" not in option}
    now = {option: value for option, value in plain(options).items() if option in known}
    return differences(saved, now)


def _option_names(name: str) -> set[str]:
    """Return the names of the options that the architecture *name* has of its own."""
    cls = ARCH_MODEL_REGISTRY.get(name) or MODEL_REGISTRY.get(name)
    if cls is None:
        return set()
    parser = argparse.ArgumentParser(add_help=False, conflict_handler="resolve")
    cls.add_args(parser)
    names = {action.dest for action in parser._actions}
    dataclass = getattr(cls, "__dataclass", None)
    if dataclass is not None:
        names |= {field.name for field in dataclasses.fields(dataclass)}
    return names
