"""What an adversarial training begins with: nothing, the nets of a checkpoint, or all of it.

fairseq takes the parts of a checkpoint over one by one, and is content if one is missing. Here the
whole checkpoint is looked at before anything is built: a training either is resumed with all of its
state, or begins anew at update 0, or is refused.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from fairseq.criterions import FairseqCriterion
from omegaconf import DictConfig

from ..support.errors import InputError, flag
from ..support.restart import DEFAULT, find_restart
from ..support.stored_options import plain, stored_options, stored_task

logger = logging.getLogger(__name__)

CRITERION = "SeqGANCriterion"  # as fairseq stores it
# Options on which the form of the state of fairseq's optimizer and scheduler depends.
_EQUAL = {
    "optimizer": ("_name",),
    "lr_scheduler": ("_name",),
    "common": ("fp16", "bf16", "amp", "memory_efficient_fp16", "memory_efficient_bf16"),
}
# Groups of options, and single ones, of which the log names those that a resumed training changes.
_GROUPS = ("task", "criterion", "optimizer", "lr_scheduler")
_SINGLE = {
    "dataset": ("batch_size", "max_tokens"),
    "optimization": ("lr", "clip_norm", "update_freq"),
}
# What a training did before there was an option for it.
_BEFORE = {"task": {"policy_gradient_dropout": True}}
_NEVER_NAMED = {"_name", "data"}  # the data are compared, not their folder

Shapes = dict[str, torch.Size]


class Start(NamedTuple):
    """What a training begins with."""

    path: str = ""  # of the checkpoint; "": there is none
    updates: int = 0  # made in the training that is resumed
    resumes: bool = False  # False: a new training, perhaps with the nets of *path*
    generator: Shapes | None = None  # of the weights of the language model in it
    model_options: dict[str, Any] = {}  # noqa: RUF012  (of that model)
    discriminator: Shapes | None = None  # of the criterion's weights in it; None: it has none
    options: dict[str, Any] = {}  # noqa: RUF012  (of the criterion that the checkpoint had)
    evaluates: bool = False  # True: nothing is trained, only evaluated


def find_start(root: DictConfig, state: dict[str, Any] | None) -> Start:
    """Return what the training of the configuration *root* begins with.

    Args:
        state: the contents of the checkpoint that fairseq will load; None: there is none.

    Raises:
        InputError: its parts do not belong together, or the options take over only some of them.
    """
    if state is None:
        return Start()
    restart = find_restart(root.checkpoint)
    path = str(restart.path)
    model_options = stored_options(state, "model")
    start = Start(path, generator=shapes(state["model"]), model_options=model_options)
    if root.criterion._name != "seqgan":
        return start
    last = _last_update(path, state)
    start = start._replace(
        discriminator=shapes(state.get("criterion")), options=stored_options(state, "criterion")
    )
    if not (restart.optimizer or restart.iterator):
        return start
    if last.get("criterion_name") != CRITERION:
        if not restart.optimizer:
            return start
        kind = f"{path}: a checkpoint of another criterion ({last.get('criterion_name')}), "
        if root.checkpoint.restore_file == DEFAULT:
            raise InputError(f"{kind}which adversarial training needs a --save-dir apart from")
        raise InputError(f"{kind}which --finetune-from-model can begin with, not --restore-file")
    if not (restart.optimizer and restart.iterator):
        one, other = "--reset-optimizer", "--reset-dataloader"
        if restart.optimizer:
            one, other = other, one
        raise InputError(
            f"{one} without {other}: {path} would be resumed without a part of its state; leave "
            f"{one} away to resume it, add {other} to begin a new training with its nets"
        )
    updates = last.get("num_updates")
    if not isinstance(updates, int) or updates < 0:
        raise InputError(f"{path}: its number of updates is {updates!r}")
    _check_whole(path, state, updates)
    _check_equal(path, root, state)
    _check_rates(path, root, state)
    _log_changed(root, state)
    return start._replace(updates=updates, resumes=True)


def check_discriminator(criterion: FairseqCriterion, start: Start, options: Any) -> None:
    """Check that the D of *start* has the shape of that of *criterion*, built from *options*.

    Raises:
        InputError: it has another one; names the options that differ.
    """
    stored = start.discriminator
    own = shapes(criterion.state_dict()) or {}
    if stored is None or stored == own:
        return
    names = sorted(own.items() ^ stored.items())
    changed = differences(start.options, options)
    raise InputError(
        f"{start.path}: its discriminator is not the one that the options describe: "
        + (", ".join(changed) or f"{names[0][0]} is missing or has another shape")
    )


def _last_update(path: str, state: dict[str, Any]) -> dict[str, Any]:
    """Return what fairseq has stored of the last update.

    Raises:
        InputError: a part is missing that fairseq reads from every checkpoint.
    """
    stored = state.get("optimizer_history")
    history = stored if isinstance(stored, list) else []
    for part, found in (
        ("optimizer_history", history),
        ("extra_state", isinstance(state.get("extra_state"), Mapping)),
        ("criterion", "criterion" in state),
    ):
        if not found:
            raise InputError(f"{path}: no training can begin with it, it holds no '{part}'")
    return history[-1] if isinstance(history[-1], dict) else {}


def _check_whole(path: str, state: dict[str, Any], updates: int) -> None:
    """Check that a checkpoint after *updates* holds all that resuming takes.

    Raises:
        InputError: names the part that is missing or damaged.
    """
    for name, part in (
        ("discriminator", state.get("criterion")),
        ("task state", stored_task(state)),
    ):
        if not isinstance(part, Mapping) or not part:
            raise InputError(f"{path}: holds no {name}, so its training cannot be resumed")
    optimizer = state.get("last_optimizer_state")
    if optimizer is None:
        raise InputError(
            f"{path}: holds no state of the optimizer (--no-save-optimizer-state), so its training "
            "cannot be resumed; --restore-file with --reset-optimizer and --reset-dataloader "
            "begins a new one with its nets"
        )
    task, entries = (
        stored_task(state),
        optimizer.get("state") if isinstance(optimizer, dict) else None,
    )
    least = task.get("optimizer_entries", min(1, updates))
    if not isinstance(entries, dict) or len(entries) < least:
        found = len(entries) if isinstance(entries, dict) else "none"
        raise InputError(
            f"{path}: the state of the optimizer is incomplete: of {least} or more parameters it "
            f"holds {found}"
        )
    generator = shapes(state["model"])
    for name in ("rollout_policy", "reference"):
        if task.get(name) is not None and shapes(task[name]) != generator:
            raise InputError(f"{path}: its {name.replace('_', ' ')} is not a copy of its generator")


def shapes(weights: Any) -> Shapes | None:
    """Return the shape of every tensor of *weights*; None: there are no weights."""
    if not isinstance(weights, Mapping) or not weights:
        return None
    return {name: w.shape for name, w in weights.items() if torch.is_tensor(w)}


def differences(saved: dict[str, Any], options: Any) -> list[str]:
    """Return the *options* that are not what they were, with both values."""
    now = plain(options)
    return [
        f"{flag(name)} is {now[name]}, in the checkpoint {saved[name]}"
        for name in sorted(now.keys() & saved.keys() - _NEVER_NAMED)
        if now[name] != saved[name]
    ]


def _check_equal(path: str, root: DictConfig, state: dict[str, Any]) -> None:
    """Check the options on which the form of fairseq's own state depends.

    Raises:
        InputError: names the option and both values.
    """
    for group, names in _EQUAL.items():
        if group == "lr_scheduler" and root.checkpoint.reset_lr_scheduler:
            continue
        saved, now = stored_options(state, group), plain(root[group])
        for name in now.keys() & saved.keys() & set(names):
            if now[name] != saved[name]:
                option = flag(group if name == "_name" else name)
                raise InputError(
                    f"{path}: {option} is {now[name]}, in the checkpoint {saved[name]}; a training "
                    "is resumed with the same"
                )


def _check_rates(path: str, root: DictConfig, state: dict[str, Any]) -> None:
    """Refuse other learning rates where the schedule goes on from those in the checkpoint."""
    if root.lr_scheduler._name != "reduce_lr_on_plateau":
        return
    for group, name in (("optimization", "lr"), ("optimizer", "discriminator_lr")):
        saved = {k: v for k, v in stored_options(state, group).items() if k == name}
        for changed in differences(saved, root[group]):
            raise InputError(
                f"{path}: {changed}; with --lr-scheduler reduce_lr_on_plateau a training is "
                "resumed with the rates that it had come to"
            )


def _log_changed(root: DictConfig, state: dict[str, Any]) -> None:
    """Log the options that a resumed training changes."""
    changed: list[str] = []
    for group in _GROUPS:
        saved = stored_options(state, group)
        if saved.get("g_loss") != "distill":  # which has dropout as before
            saved = _BEFORE.get(group, {}) | saved
        changed += differences(saved, root[group])
    for group, names in _SINGLE.items():
        saved = {n: v for n, v in stored_options(state, group).items() if n in names}
        changed += differences(saved, root[group])
    if changed:
        logger.warning("resuming with other options: %s", "; ".join(sorted(set(changed))))
