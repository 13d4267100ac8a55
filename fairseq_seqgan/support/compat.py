"""All workarounds for fairseq, each with its reason."""

import argparse
import collections
import functools
import logging
import os
import sys
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from fairseq import checkpoint_utils, options
from fairseq.dataclass import FairseqDataclass
from fairseq.distributed.utils import _TensorPlaceholder, all_gather_list
from fairseq.models import distributed_fairseq_model
from fairseq.registry import REGISTRIES
from fairseq.tasks import TASK_DATACLASS_REGISTRY
from fairseq.tasks.language_modeling import LanguageModelingConfig
from fairseq.trainer import Trainer
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, ListConfig
from omegaconf.base import ContainerMetadata, Metadata
from omegaconf.nodes import AnyNode
from torch import Tensor, nn

from . import (
    checkpoint_files,
    compat_checkpoints,
    compat_models,
    distributed,
    folder_lock,
    launch,
    progress_display,
)
from .errors import InputError, first_line

logger = logging.getLogger(__name__)


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
    stock_files, stock_save = checkpoint_utils.PathManager, checkpoint_utils.torch_persistent_save

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


def gather_on_cpu(processes: int, size: int) -> None:
    """Let *processes* on CPUs exchange what they log, up to *size* bytes each.

    fairseq's ``all_gather_list`` allocates CUDA memory unless its buffers exist already.
    """
    all_gather_list._buffer = torch.zeros(processes * size, dtype=torch.uint8)
    all_gather_list._cpu_buffer = torch.zeros(size, dtype=torch.uint8)


def root_config(task_cfg: LanguageModelingConfig | DictConfig) -> DictConfig | None:
    """Return the whole configuration that *task_cfg* is a part of, or None outside a command.

    fairseq passes a task only its own part. But the number of rounds sets ``max_epoch``, and a
    checkpoint that does not fit should be refused before anything is built. OmegaConf keeps the
    parent; fairseq's ``merge_with_parent`` relies on it too.
    """
    return task_cfg._get_parent() if isinstance(task_cfg, DictConfig) else None


def let_pytorch_ddp_run_on_cpu() -> None:
    """Let ``--ddp-backend pytorch_ddp``, the default, wrap a model that is not on a GPU.

    fairseq always passes the number of a GPU, which torch refuses for a model on a CPU.
    """
    wrapper = distributed_fairseq_model.DistributedDataParallel
    if isinstance(wrapper, type):  # not wrapped yet

        @functools.wraps(wrapper)
        def on_cpu(**options: Any) -> nn.Module:
            return wrapper(**{**options, "device_ids": None, "output_device": None})

        distributed_fairseq_model.DistributedDataParallel = on_cpu


def prepare_command(root: DictConfig, processes: int) -> None:
    """Prepare the command with *root*, before anything is built; if it trains, fairseq as well.

    Raises:
        InputError: another training writes into its folder, or processes that torchrun started
            would train alone.
    """
    progress_display.follow(root.common)
    evaluates = root.get("common_eval") and root.common_eval.get("path")
    if evaluates or not root.get("criterion"):
        return
    on_cpu = root.common.cpu or not torch.cuda.is_available()
    launch.check_together(os.environ, processes, on_cpu)
    if distributed.rank() == 0 and not root.checkpoint.no_save:
        folder_lock.hold(Path(root.checkpoint.save_dir))
    compat_models.store_plain_model_options(root)
    compat_checkpoints.begin_moving_average(root)
    if on_cpu and processes > 1:
        gather_on_cpu(processes, root.common.all_gather_list_size)
        let_pytorch_ddp_run_on_cpu()


def replace_options(registry: str, name: str, cls: type, dataclass: type[FairseqDataclass]) -> None:
    """Make *dataclass* the options of what fairseq has registered as *name*.

    fairseq reads the options of a task or criterion when it is registered, but here every reward
    and discriminator that a user adds brings more. A command line is parsed with ``__dataclass``,
    composed with hydra's store and built with the registry, so all three must agree.

    Args:
        registry: ``task`` or ``criterion``.
        cls: the class that is registered.
    """
    if registry == "task":
        dataclasses = TASK_DATACLASS_REGISTRY
    else:
        dataclasses = REGISTRIES[registry]["dataclass_registry"]
    dataclasses[name] = dataclass
    setattr(cls, "__dataclass", dataclass)
    node = dataclass()
    node._name = name
    ConfigStore.instance().store(name=name, group=registry, node=node, provider="fairseq")


def show_all_options() -> None:
    """Let ``--help`` list the options of the task, the model and the criterion as well.

    fairseq parses a command line twice: first for the names of task, model and criterion, then
    with their options. Its ``--help`` already ends the first parse, before these are known.
    """
    parse = options.parse_args_and_arch

    @functools.wraps(parse)
    def parse_with_help(
        parser: argparse.ArgumentParser, input_args: list[str] | None = None, **kwargs: Any
    ) -> Any:
        given = sys.argv[1:] if input_args is None else input_args
        if not {"-h", "--help"}.intersection(given):
            return parse(parser, input_args, **kwargs)

        def first_parse(*_: Any) -> tuple[argparse.Namespace, list[str]]:
            del parser.parse_known_args  # the second parse is fairseq's own
            args, rest = parser.parse_known_args([a for a in given if a not in ("-h", "--help")])
            if getattr(args, "arch", None) is None:
                vars(args).pop("arch", None)  # fairseq stops at a missing one
            return args, rest

        parser.parse_known_args = first_parse
        return parse(parser, input_args, **kwargs)

    options.parse_args_and_arch = parse_with_help


def report_bad_gradients() -> None:
    """Let a task with a ``watch`` end the training when a gradient is not finite.

    fairseq finds it between the task's hooks. It then writes ``crash.pt``, runs the update again to
    look for the layer, and ends with a traceback. With fp16 and amp it may be an overflow: fairseq
    skips the batch, and stops only when the scale is at its minimum.
    """
    clip = Trainer.clip_grad_norm

    @functools.wraps(clip)
    def clip_or_report(self: Trainer, clip_norm: float) -> Tensor:
        watch = getattr(self.task, "watch", None)
        try:
            norm = clip(self, clip_norm)
        except FloatingPointError:
            if watch is not None:
                watch.bad_gradient()
            raise
        if watch is not None and not self.cfg.common.amp and not bool(torch.isfinite(norm).all()):
            watch.bad_gradient()
        return norm

    Trainer.clip_grad_norm = clip_or_report


def join_processes() -> None:
    """Let the processes that torchrun started train together (``support/launch.py``).

    fairseq decides that from the parsed command line, before it asks a task for anything.
    """
    parse = options.parse_args_and_arch

    @functools.wraps(parse)
    def parse_and_join(
        parser: argparse.ArgumentParser, input_args: list[str] | None = None, **kwargs: Any
    ) -> Any:
        parsed = parse(parser, input_args, **kwargs)
        if hasattr(parsed, "update_freq"):  # of fairseq-train alone
            given = sys.argv[1:] if input_args is None else input_args
            launch.join(parsed, given, os.environ, torch.cuda.device_count())
        return parsed

    options.parse_args_and_arch = parse_and_join


def add_old_names(parser: argparse.ArgumentParser, options: dict[str, str]) -> None:
    """Let *parser* accept options under their former names, which its help does not show.

    Args:
        options: from the old option, such as ``--rollout-lag``, to the present name of its field.
    """
    for option, field in options.items():
        action = next((a for a in parser._actions if a.dest == field), None)
        if action is not None:
            parser.add_argument(
                option,
                dest=field,
                type=action.type,
                default=argparse.SUPPRESS,
                help=argparse.SUPPRESS,
            )
