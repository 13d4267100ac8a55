"""Workarounds for where fairseq keeps its checkpoints, and what it loads from them."""

import functools
from typing import Any

from fairseq import checkpoint_utils
from fairseq.models.ema.ema import EMA
from omegaconf import DictConfig
from torch import nn

from .compat_models import let_copy
from .errors import InputError

_EMA = "ema"  # fairseq's entry of a checkpoint for its moving average of the model


def report_unwritable_folder() -> None:
    """Have ``fairseq-train`` say in one line that it cannot write into ``--save-dir``."""
    verify = checkpoint_utils.verify_checkpoint_directory

    @functools.wraps(verify)
    def verify_or_report(save_dir: str) -> None:
        try:
            verify(save_dir)
        except OSError as error:
            raise InputError(
                f"--save-dir {save_dir}: cannot be written ({error.strerror})"
            ) from error

    checkpoint_utils.verify_checkpoint_directory = verify_or_report


def begin_moving_average(root: DictConfig) -> None:
    """Let ``--store-ema`` begin with a checkpoint that has no moving average: with its weights.

    fairseq means to do that, but has deleted the weights from what it has read by then. It also
    copies the model when that may hold a tensor that cannot be copied.

    Args:
        root: the configuration of the training; without ``--store-ema`` nothing is changed.
    """
    if not root.ema.store_ema:
        return
    load, init = checkpoint_utils.load_checkpoint_to_cpu, EMA.__init__

    @functools.wraps(load)
    def load_with_average(path: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        state = load(path, *args, **kwargs)
        if isinstance(state.get("extra_state"), dict):
            state["extra_state"].setdefault(_EMA, dict(state["model"]))
        return state

    @functools.wraps(init)
    def init_with_copy(self: EMA, model: nn.Module, *args: Any, **kwargs: Any) -> None:
        let_copy(model)
        init(self, model, *args, **kwargs)

    checkpoint_utils.load_checkpoint_to_cpu = load_with_average
    EMA.__init__ = init_with_copy
