"""Options of fairseq with which it would train nothing, or fail much later."""

from __future__ import annotations

import ast
import logging
import math
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

import torch
from omegaconf import DictConfig

from ..adversarial.validation import NEEDED
from ..support import option_values
from ..support.compat_models import ADAPTIVE_LOSS
from ..support.errors import InputError, flag
from . import rate_schedule

logger = logging.getLogger(__name__)

# What a validation logs, beside fairseq's own numbers.
_OF_SAMPLES = ("nll_oracle", "entropy")
_OF_D = ("d_auc_train", *NEEDED)
_OF_FAIRSEQ = ("loss", "wps", "wpb", "bsz", "num_updates")
_OF_EITHER_SIGN = ("d_gain", "d_slope")
_LOWER_IS_BETTER = ("loss", "ppl", "nll", "nll_oracle")


def check(root: DictConfig) -> None:
    """Check the options of the training with *root*; do nothing if it is another command's.

    Raises:
        InputError: names the option.
    """
    if not root.get("criterion") or (root.get("common_eval") and root.common_eval.get("path")):
        return
    _check_numbers(root)
    _check_counts(root)
    _check_sequences(root.task)
    if root.checkpoint.checkpoint_suffix:
        raise InputError("--checkpoint-suffix: not with this task, which reads checkpoint_last.pt")
    optimizer = _group(root, "optimizer")
    _check_overrides(root.checkpoint.optimizer_overrides, optimizer)
    backend = str(root.distributed_training.ddp_backend)
    if root.criterion._name == "seqgan" and "discriminator_lr" not in optimizer:
        name = optimizer.get("_name") or optimizer.get("optimizer")
        raise InputError(
            f"--optimizer {name}: D would have no learning rate of its own in adversarial "
            "training; say --optimizer seqgan_adam"
        )
    for name in ("use_old_adam", "fp16_adam_stats"):  # of fairseq's own adam
        if "discriminator_lr" in optimizer and optimizer.get(name):
            raise InputError(f"{flag(name)}: not with --optimizer seqgan_adam")
    if root.criterion._name == ADAPTIVE_LOSS and backend in ("pytorch_ddp", "c10d"):
        raise InputError(
            "--criterion adaptive_loss: fairseq needs --ddp-backend legacy_ddp with it"
        )
    rate_schedule.check(root)
    if root.criterion._name != "seqgan":
        _check_precision(root.common)
    if not root.dataset.disable_validation:
        _check_metric(root)


def _check_overrides(text: str, optimizer: Mapping[str, Any]) -> None:
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        found = None
    if not isinstance(found, dict):
        raise InputError(
            f"--optimizer-overrides {text}: it must be a dictionary, such as {{'lr': 1}}"
        )
    if found and "discriminator_lr" in optimizer:
        raise InputError(
            "--optimizer-overrides: seqgan_adam takes decay, betas and eps from the options of the "
            "command, also in a resumed training, and the rates from --lr-scheduler"
        )


def _group(root: DictConfig, name: str) -> Mapping[str, Any]:
    """Return a group of options; fairseq keeps those of its legacy parts as a namespace."""
    options = root.get(name) or {}
    return vars(options) if isinstance(options, Namespace) else options


def _check_numbers(root: DictConfig) -> None:
    """Check that rates and norms are finite and not below 0, and that fairseq will train at all."""
    optimizer = _group(root, "optimizer")
    rates = rate_schedule.as_list(root.optimization.lr)
    numbers = [("lr", rate) for rate in [*rates, *rate_schedule.as_list(optimizer.get("lr", []))]]
    numbers.append(("clip_norm", root.optimization.clip_norm))
    names = ("weight_decay", "discriminator_lr", "discriminator_clip_norm")
    numbers += [(name, optimizer.get(name, 0.0)) for name in names]
    decay = optimizer.get("discriminator_weight_decay")
    numbers.append(("discriminator_weight_decay", 0.0 if decay is None else decay))
    for name, value in numbers:
        if not 0 <= value < math.inf:
            raise InputError(f"{flag(name)} is {value}: it must be 0 or more, and finite")
    _check_adam(optimizer)
    least = root.optimization.stop_min_lr
    if not max(rates) > least:
        raise InputError(
            f"--stop-min-lr {least}: --lr {max(rates)} is not above it, so nothing would be trained"
        )


def _check_counts(root: DictConfig) -> None:
    """Check what fairseq divides by, or counts in, some of it after the first epoch."""
    option_values.positive(
        save_interval=root.checkpoint.save_interval,
        validate_interval=root.dataset.validate_interval,
        log_interval=root.common.log_interval,
        update_freq=min(root.optimization.update_freq),
        tokens_per_sample=root.task.tokens_per_sample,
    )
    for name in ("batch_size", "max_tokens", "num_workers"):
        value = root.dataset[name]
        if value is not None and value < 0:
            raise InputError(f"{flag(name)} is {value}: below 0")


def _check_sequences(task: DictConfig) -> None:
    """Refuse what makes other sequences of the data than those that G draws and D is shown."""
    if str(task.shorten_method) != "none":
        raise InputError(
            "--shorten-method: not with this task, for it cuts off the ends of sequences; "
            "--tokens-per-sample must have room for the longest"
        )
    if task.output_dictionary_size >= 0:
        raise InputError(
            "--output-dictionary-size: not with this task; G draws from the whole dictionary"
        )


def _check_adam(optimizer: Mapping[str, Any]) -> None:
    """Check what torch would refuse in its own words."""
    if optimizer.get("adam_betas") is not None:
        option_values.betas(str(optimizer["adam_betas"]))
    eps = optimizer.get("adam_eps")
    if eps is not None and not 0 <= eps < math.inf:
        raise InputError(f"--adam-eps is {eps}: it must be 0 or more, and finite")


def _check_precision(common: DictConfig) -> None:
    """Check that a CPU can compute with ``--fp16`` as it is given.

    fairseq would allocate the flattened gradients on a GPU.
    """
    flattened = common.fp16 and not (common.fp16_no_flatten_grads or common.memory_efficient_fp16)
    if flattened and (common.cpu or not torch.cuda.is_available()):
        raise InputError("--fp16: on a CPU it needs --fp16-no-flatten-grads")


def _check_metric(root: DictConfig) -> None:
    """Check that a validation will log ``--best-checkpoint-metric``."""
    metric, task = root.checkpoint.best_checkpoint_metric, root.task
    adversarial = root.criterion._name == "seqgan"
    missing = {}
    if not task.oracle:
        missing["nll_oracle"] = "only with --oracle"
        if not adversarial:
            missing["entropy"] = "only with --oracle, or in adversarial training"
    if not adversarial:
        missing |= dict.fromkeys(_OF_D, "only in adversarial training")
        if str(task.sample_break_mode) != "eos":
            missing["nll"] = "only with --sample-break-mode eos"
    elif not (task.pretrain_d_steps or task.d_steps or root.criterion.get("discriminator_from")):
        missing |= dict.fromkeys(_OF_D, "only where D is trained")
    if "," in root.dataset.valid_subset:
        missing |= dict.fromkeys((*_OF_SAMPLES, *_OF_D), "only for the first of --valid-subset")
    for name, least in NEEDED.items():
        if task.num_eval_samples < least:
            missing[name] = f"only with --num-eval-samples {least} or more"
    known = (*_OF_FAIRSEQ, "nll", *_OF_SAMPLES, *_OF_D)
    if metric in missing:
        raise InputError(f"--best-checkpoint-metric {metric}: validation logs it {missing[metric]}")
    if adversarial and metric not in known:
        raise InputError(
            f"--best-checkpoint-metric {metric}: validation does not log it; "
            f"it logs {', '.join(('nll', *_OF_SAMPLES, *_OF_D))}"
        )
    if root.checkpoint.maximize_best_checkpoint_metric:
        if metric in _LOWER_IS_BETTER:
            raise InputError(f"--maximize-best-checkpoint-metric: of {metric}, lower is better")
    elif metric not in _LOWER_IS_BETTER:
        logger.info(
            "checkpoint_best.pt will be that of the lowest %s; of the highest with "
            "--maximize-best-checkpoint-metric",
            metric,
        )
    if root.checkpoint.keep_best_checkpoints > 0 and metric in _OF_EITHER_SIGN:
        logger.warning(
            "--keep-best-checkpoints %d: fairseq keeps all whose %s is below 0 as well, because it "
            "does not know their names again",
            root.checkpoint.keep_best_checkpoints,
            metric,
        )
