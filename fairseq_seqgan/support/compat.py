"""Workarounds for fairseq, each with its reason; those of one subject are in ``compat_*.py``."""

import argparse
import functools
import os
import sys
from pathlib import Path
from typing import Any

import torch
from fairseq import options
from fairseq.dataclass import FairseqDataclass
from fairseq.distributed.utils import all_gather_list
from fairseq.models import distributed_fairseq_model
from fairseq.registry import REGISTRIES
from fairseq.tasks import TASK_DATACLASS_REGISTRY
from fairseq.tasks.language_modeling import LanguageModelingConfig
from fairseq.trainer import Trainer
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig
from torch import Tensor, nn

from . import (
    compat_checkpoints,
    compat_models,
    distributed,
    folder_lock,
    launch,
    progress_display,
)


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


def keep_layout_of_gradients(root: DictConfig, processes: int) -> None:
    """Let a training of three or more processes resume exactly with torch's own DDP.

    After a process's first update DDP lays its gradients out in the order in which they became
    ready, so a resumed training has another layout in its first update than one that was not
    interrupted. The sum of two numbers does not depend on it, that of three does. With this option
    DDP keeps its first layout.
    """
    if processes > 2:
        root.distributed_training.find_unused_parameters = True


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
    keep_layout_of_gradients(root, processes)
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
            del vars(parser)["parse_known_args"]  # the second parse is fairseq's own
            args, rest = parser.parse_known_args([a for a in given if a not in ("-h", "--help")])
            if getattr(args, "arch", None) is None:
                vars(args).pop("arch", None)  # fairseq stops at a missing one
            return args, rest

        vars(parser)["parse_known_args"] = first_parse
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


def seed_without_traces() -> None:
    """Let fairseq seed torch before an update without notes for a GPU that is not there.

    torch keeps the call for every kind of accelerator until one is initialised, each with a
    formatted stack trace. That is a twentieth of an update of a small D on a CPU.
    """
    if torch.accelerator.is_available():
        return

    def seed_cpu(self: Trainer) -> None:
        torch.default_generator.manual_seed(self.cfg.common.seed + self.get_num_updates())

    Trainer._set_seed = seed_cpu


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
            same_type: dict[str, Any] = {} if action.type is None else {"type": action.type}
            parser.add_argument(
                option,
                dest=field,
                default=argparse.SUPPRESS,
                help=argparse.SUPPRESS,
                **same_type,
            )
