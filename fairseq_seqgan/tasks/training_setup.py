"""Checks of a command's options and checkpoint before its task is set up.

The checks read the options of every part, so this module stands above all parts.
"""

import logging
from typing import Any

from fairseq.data import Dictionary
from omegaconf import DictConfig

from ..support import compat_models, compat_rates, compat_stopping, distributed
from ..support.errors import InputError, flag
from ..support.input_checks import checkpoint
from ..support.restart import check_same_parts, find_restart, replace_damaged_last
from . import rate_schedule, training_options

logger = logging.getLogger(__name__)


def check_command(root: DictConfig, dictionary: Dictionary) -> dict[str, Any] | None:
    """Check the checkpoint that a command reads, and the options of a training outside the task.

    Args:
        root: the whole configuration of the command.

    Returns:
        The contents of the checkpoint that a training begins with; None: there is none.

    Raises:
        InputError: a checkpoint cannot be used, or an option does not fit adversarial training.
    """
    training_options.check(root)
    paths = root.common_eval.get("path") if root.get("common_eval") else None
    if paths:
        for path in paths.split(":"):
            checkpoint(path, dictionary)
    elif root.get("criterion"):
        return _training_setup(root, dictionary)
    return None


def _training_setup(root: DictConfig, dictionary: Dictionary) -> dict[str, Any] | None:
    """Check the options of a training that do not belong to the task; return its checkpoint.

    What fairseq does depends on that checkpoint, so the workarounds that need it begin here:
    another one in place of a damaged last one, the schedule of the rate, no epoch after the last
    update, and an adaptive softmax as the checkpoint has it.

    Raises:
        InputError: the checkpoint to start from cannot be used, or an option does not fit
            adversarial training.
    """
    if root.checkpoint.write_checkpoints_asynchronously:
        raise InputError(
            "--write-checkpoints-asynchronously: not with this task; fairseq would then write "
            "checkpoints in place, and no checkpoint_last.pt to resume from"
        )
    rate_schedule.try_out(root)
    replace_damaged_last(root.checkpoint)
    restart = find_restart(root.checkpoint)
    state = None if restart.path is None else checkpoint(str(restart.path), dictionary)
    adversarial = root.criterion._name == "seqgan"
    continued = state if restart.optimizer else None
    pretraining = root.task.pretrain_d_steps if adversarial else 0
    compat_rates.keep_plateaus(root.dataset, continued, pretraining)
    if not adversarial:
        if continued is not None:
            check_same_parts(root, restart.path, continued)
            compat_stopping.end_if_finished(root, continued)
        return state
    if state is not None:
        compat_models.build_adaptive_softmax(root.get("model"), state["model"])
    elif distributed.rank() == 0:
        logger.warning(
            "G starts from random weights, because no checkpoint is given. The paper trains G by "
            "maximum likelihood first; to do so, give that checkpoint: --finetune-from-model LM.pt"
        )
    _adversarial_training(root)
    _arithmetic(root)
    return state


def _adversarial_training(root: DictConfig) -> None:
    """Check the options of fairseq's that adversarial training cannot be had with.

    Raises:
        InputError: names the option.
    """
    dataset = root.dataset
    if dataset.train_subset in dataset.valid_subset.split(",") and not dataset.disable_validation:
        raise InputError(
            f"--valid-subset {dataset.valid_subset}: adversarial training needs held-out data, and "
            f"'{dataset.train_subset}' is the training split itself"
        )
    if not (dataset.batch_size or dataset.max_tokens):
        raise InputError("--batch-size: at least 1 sequence is needed in a G step")
    if str(root.task.pretrain_d_keep) == "best" and (root.common.fp16 or root.common.bf16):
        raise InputError(
            "--pretrain-d-keep best: not with fp16 or bf16, whose optimizer has weights of its own"
        )
    if len(root.optimization.update_freq) > 1:
        raise InputError("--update-freq: adversarial training takes one value for all epochs")
    sharded = root.distributed_training
    if str(sharded.zero_sharding) != "none" or str(sharded.ddp_backend) == "fully_sharded":
        raise InputError(
            "--zero-sharding and --ddp-backend fully_sharded: not in adversarial training, whose "
            "checkpoints hold the optimizer's state of both nets as a whole"
        )


def _arithmetic(root: DictConfig) -> None:
    """Check the options of arithmetic in less than 32 bits.

    Raises:
        InputError: names the option.
    """
    common = root.common
    for name in ("memory_efficient_fp16", "memory_efficient_bf16"):
        if common[name]:
            option, plain = flag(name), name.removeprefix("memory_efficient_")
            raise InputError(f"{option}: not with --optimizer seqgan_adam; --{plain} works")
    if common.fp16 and not common.fp16_no_flatten_grads:  # with bf16 fairseq flattens nothing
        raise InputError(
            "--fp16 needs --fp16-no-flatten-grads: flattened, the two nets' parameters could not "
            "be told apart"
        )
    if common.fp16 or common.bf16:
        _half_precision(root)


def _half_precision(root: DictConfig) -> None:
    """Refuse the options that would do something else with ``--fp16`` and ``--bf16``.

    fairseq's optimizers clip the gradient of either net by ``--clip-norm``, and let ours clip it
    before it is divided by the number of sequences.
    """
    for option, value in (
        ("--clip-norm", root.optimization.clip_norm),
        ("--discriminator-clip-norm", root.optimizer.get("discriminator_clip_norm")),
        ("--rollout-ema-decay", root.task.rollout_ema_decay),  # an average would round to no change
    ):
        if value:
            raise InputError(
                f"{option} {value}: not with --fp16 and --bf16 in adversarial training"
            )
