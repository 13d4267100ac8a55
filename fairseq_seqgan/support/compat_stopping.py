"""Workarounds for when fairseq begins and ends a training that is resumed."""

import logging
import sys
from typing import Any

from omegaconf import DictConfig

from .errors import flag

logger = logging.getLogger(__name__)


def end_training_at(root: DictConfig, epochs: int, updates: int, done: int) -> None:
    """Make fairseq stop after *epochs* and *updates*, unless the user asked for less.

    fairseq looks at ``max_update`` after an update. A training that has *done* all of them would
    do one more when it is started again, so it gets no epoch; to fairseq, 0 is no limit, -1 is.
    """
    limits = root.optimization
    for name, all_of_them in (("max_epoch", epochs), ("max_update", updates)):
        asked = limits[name]
        if asked and asked < all_of_them:
            logger.info("%s %s ends the training early, of %d", flag(name), asked, all_of_them)
        limits[name] = min(asked or all_of_them, all_of_them)
    if done >= limits.max_update:
        logger.info("%d updates are done, of %d", done, limits.max_update)
        limits.max_epoch = -1


def end_if_finished(root: DictConfig, state: dict[str, Any]) -> None:
    """Leave fairseq nothing to train if *state*, a checkpoint's, is already at ``--max-update``.

    fairseq looks at the limit after an update, so a finished training that is started again would
    do one more.
    """
    limit = root.optimization.max_update
    resumes = "last_optimizer_state" in state and not root.checkpoint.reset_optimizer
    if limit and resumes and state["optimizer_history"][-1]["num_updates"] >= limit:
        _end_now(root)


def _end_now(root: DictConfig) -> None:
    root.optimization.max_epoch = -1  # 0 would be no limit


def batches_of_first_epoch(options: dict[str, Any], root: DictConfig | None) -> dict[str, Any]:
    """Return *options* of ``get_batch_iterator`` that build the batches of a first epoch.

    fairseq puts the sequences into batches once, with a seed that depends on the epoch in which the
    process began, and shuffles these batches in every epoch. A resumed training would get others.
    """
    rebuilt = options.get("update_epoch_batch_itr") or options.get("disable_iterator_cache")
    if rebuilt or options.get("epoch", 1) == 1:
        return options
    options = {**options, "epoch": 1}
    if root is not None and root.dataset.update_ordered_indices_seed:
        options["seed"] = root.common.seed + 1
    return options


def patience_state() -> dict[str, Any]:
    """Return ``{"patience": ...}``, how long validation has not improved; {} if nobody counts.

    fairseq counts for ``--patience`` in attributes of a function, and does not store them.
    """
    counts = _patience_counts()
    return {"patience": dict(counts)} if counts else {}


def restore_patience(root: DictConfig | None, state: dict[str, Any]) -> None:
    """Take over what :func:`patience_state` returned; end if the training had been stopped then."""
    counts = state.get("patience", {})
    _patience_counts().update(counts)
    if root is not None and 0 < root.checkpoint.patience <= counts.get("num_runs", 0):
        _end_now(root)


def pause_patience() -> None:
    """Keep fairseq from counting the validation that begins.

    While D is pre-trained G stays as it is, and so does its NLL: to ``--patience`` that is no
    improvement, so it would end the training before G's first update.
    """
    counts = _patience_counts()
    if counts:
        counts["num_runs"] = -1  # fairseq adds 1 where nothing has improved


def _patience_counts() -> dict[str, Any]:
    # Importing it would set up logging, so only a command that trains has it.
    train = sys.modules.get("fairseq_cli.train")
    return {} if train is None else vars(train.should_stop_early)
