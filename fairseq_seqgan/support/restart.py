"""Which checkpoint fairseq begins a training with, and what it takes over from it."""

from argparse import Namespace
from pathlib import Path
from typing import Any, NamedTuple

from fairseq.criterions import CRITERION_REGISTRY
from fairseq.optim import OPTIMIZER_REGISTRY
from omegaconf import DictConfig

from .checkpoint_files import LAST, whole_last
from .errors import InputError, flag

DEFAULT = LAST  # of --restore-file
_RESETS = ("reset_optimizer", "reset_lr_scheduler", "reset_meters", "reset_dataloader")


class Restart(NamedTuple):
    """What ``fairseq.checkpoint_utils.load_checkpoint`` is about to do.

    fairseq stores the number of updates with the optimizer's state, and the epoch with the data
    iterator's. Each can be left behind without the other.
    """

    path: Path | None = None  # the checkpoint; None: there is none, the nets begin as they are
    optimizer: bool = False  # its optimizer and its number of updates are taken over
    iterator: bool = False  # its epoch and the task's own state are taken over


def find_restart(options: DictConfig) -> Restart:
    """Return what fairseq will do with its *options* of group ``checkpoint``.

    Raises:
        InputError: ``--restore-file`` or ``--continue-once`` does not exist; fairseq would begin
            with random nets. Or ``--finetune-from-model`` stands beside an option that contradicts
            it.
    """
    path = Path(options.restore_file)
    contradicts = [flag(name) for name in _RESETS if options.get(name)]
    if options.restore_file != DEFAULT:
        contradicts.append("--restore-file")
    if options.finetune_from_model and contradicts:
        raise InputError(
            f"{contradicts[0]} with --finetune-from-model: they say differently what the training "
            "begins with; leave one away"
        )
    if options.restore_file == DEFAULT:
        path = Path(options.save_dir, DEFAULT)
        if not path.is_file() and options.get("continue_once"):
            path = Path(options.continue_once)
            if not path.is_file():
                raise InputError(f"--continue-once {path}: no such checkpoint")
        elif not path.is_file() and options.finetune_from_model:
            return Restart(Path(options.finetune_from_model))
    elif not path.is_file():
        raise InputError(f"--restore-file {path}: no such checkpoint")
    if not path.is_file():
        return Restart()
    return Restart(path, not options.reset_optimizer, not options.reset_dataloader)


def check_same_parts(root: DictConfig, path: Path | None, state: dict[str, Any]) -> None:
    """Check that a training continues the checkpoint *state* with its own criterion and optimizer.

    fairseq asserts it, after the data are read.

    Raises:
        InputError: it has another one; names both.
    """
    history = state.get("optimizer_history") or [{}]
    for option, own, key in (
        ("--criterion", CRITERION_REGISTRY[root.criterion._name].__name__, "criterion_name"),
        ("--optimizer", _optimizer_class(root), "optimizer_name"),
    ):
        found = history[-1].get(key)
        if own is not None and found is not None and found != own:
            raise InputError(
                f"{option}: {path} is a checkpoint of {found}, and this training has {own}; "
                "--finetune-from-model, in another --save-dir, begins with its language model alone"
            )


def _optimizer_class(root: DictConfig) -> str | None:
    """Return the name of the class that fairseq will build; None: that depends on the machine."""
    common = root.common
    if root.optimization.use_bmuf or str(root.distributed_training.zero_sharding) != "none":
        return None
    if str(root.distributed_training.ddp_backend) == "fully_sharded":
        return None
    if common.memory_efficient_fp16 or common.memory_efficient_bf16:
        return "MemoryEfficientFP16Optimizer"
    if common.amp:
        return "AMPOptimizer"
    if common.fp16 or common.bf16:
        return "FP16Optimizer"
    options = root.optimizer
    name = options.optimizer if isinstance(options, Namespace) else options._name
    return OPTIMIZER_REGISTRY[name].__name__


def replace_damaged_last(options: DictConfig) -> None:
    """Let fairseq resume from the newest whole checkpoint if the last one is damaged.

    It is as if ``--restore-file`` named that one, which *options*, of group ``checkpoint``, say
    afterwards.

    Raises:
        InputError: the last one is damaged, and no other is whole.
    """
    last = Path(options.save_dir, LAST)
    if options.restore_file == DEFAULT and last.is_file():
        whole = whole_last(last.parent)
        if whole != last:
            options.restore_file = str(whole)
            options.finetune_from_model = None  # fairseq takes one of the two
