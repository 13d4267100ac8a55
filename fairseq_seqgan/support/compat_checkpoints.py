"""Workarounds for how fairseq reads and writes checkpoints, and where it keeps them."""

import argparse
import collections
import functools
import os
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from pickle import UnpicklingError
from typing import Any

import torch
from fairseq import checkpoint_utils
from fairseq.distributed.utils import _TensorPlaceholder
from fairseq.models.ema.ema import EMA
from omegaconf import DictConfig, ListConfig
from omegaconf.base import ContainerMetadata, Metadata
from omegaconf.nodes import AnyNode
from torch import nn

from . import checkpoint_files
from .compat_models import let_copy
from .errors import InputError, first_line

_EMA = "ema"  # fairseq's entry of a checkpoint for its moving average of the model


def allow_checkpoints() -> None:
    """Let ``torch.load(weights_only=True)`` read fairseq's own checkpoints.

    A checkpoint of a legacy architecture such as ``lstm_lm`` contains an ``argparse.Namespace``. A
    resume with several processes pickles the loaded state once more, and with it the types of
    hydra's configuration. None of these runs code when it is loaded.
    """
    torch.serialization.add_safe_globals(
        [
            argparse.Namespace,
            collections.defaultdict,
            typing.Any,
            dict,
            list,
            int,
            DictConfig,
            ListConfig,
            Metadata,
            ContainerMetadata,
            AnyNode,
            _TensorPlaceholder,
        ]
    )


def write_checkpoints_whole() -> None:
    """Have fairseq write every checkpoint beside its place, flush it to the disk, and rename it.

    Of the checkpoints of one save, fairseq writes the first beside its place, without flushing it.
    It copies that file over the others, ``checkpoint_last.pt`` among them: a process that is killed
    meanwhile leaves half a file, and so does a full disk. If a write fails, fairseq tries again in
    the file that is half written.
    """
    stock_files: Any = checkpoint_utils.PathManager
    stock_save = checkpoint_utils.torch_persistent_save

    class WholeFiles(stock_files):
        @staticmethod
        def copy(src_path: str, dst_path: str, overwrite: bool = False) -> bool:
            if not stock_files.supports_rename(dst_path):  # it is not on a file system
                return stock_files.copy(src_path, dst_path, overwrite=overwrite)
            checkpoint_files.copy(src_path, dst_path)
            return True

    @functools.wraps(stock_save)
    def save(obj: Any, filename: str, async_write: bool = False) -> None:
        if async_write or not stock_files.supports_rename(filename):
            stock_save(obj, filename, async_write)
        else:
            checkpoint_files.save(obj, filename)

    checkpoint_utils.PathManager = WholeFiles
    checkpoint_utils.torch_persistent_save = save


def refuse_damaged_checkpoints() -> None:
    """Have every command of fairseq compare a checkpoint's checksums, which torch does not."""
    load = checkpoint_utils.load_checkpoint_to_cpu

    @functools.wraps(load)
    def load_whole(path: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        if not checkpoint_utils.PathManager.path_requires_pathmanager(path):
            checkpoint_files.require_whole(path)
        return load(path, *args, **kwargs)

    checkpoint_utils.load_checkpoint_to_cpu = load_whole


def run_nothing_in_checkpoints() -> None:
    """Have every command of fairseq read checkpoints with ``weights_only=True``.

    fairseq relies on torch's default, which is another one before torch 2.6 and where the
    environment has ``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD``. ``fairseq-validate`` reads the checkpoint
    before it asks the task for anything.
    """
    load = checkpoint_utils.load_checkpoint_to_cpu

    @functools.wraps(load)
    def load_weights_only(path: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        with _weights_only():
            try:
                return load(path, *args, **kwargs)
            except UnpicklingError as error:
                raise InputError(
                    f"{path}: not a readable checkpoint ({first_line(error)})"
                ) from error

    checkpoint_utils.load_checkpoint_to_cpu = load_weights_only


@contextmanager
def _weights_only() -> Iterator[None]:
    """Have torch read weights only, whatever its default is here."""
    names = ("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD")
    before = {name: os.environ.pop(name, None) for name in names}
    os.environ[names[0]] = "1"
    try:
        yield
    finally:
        del os.environ[names[0]]
        os.environ.update({name: value for name, value in before.items() if value is not None})


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
