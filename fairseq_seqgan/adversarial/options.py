"""The options of adversarial training, and what can be checked of them without data."""

import logging
import math
from dataclasses import dataclass

from omegaconf import II

from ..policy.rollouts import RolloutConfig
from ..support.errors import InputError, flag
from ..support.option_values import positive
from .action_values import AdvantageConfig
from .early_stopping import EarlyStoppingConfig
from .minibatches import MinibatchConfig
from .objective import ObjectiveConfig, check_objective
from .prefixes import PrefixConfig, check_prefix_size
from .schedule import ScheduleConfig, make_schedule

logger = logging.getLogger(__name__)


@dataclass
class AdversarialConfig(
    ScheduleConfig,
    PrefixConfig,
    MinibatchConfig,
    EarlyStoppingConfig,
    RolloutConfig,
    AdvantageConfig,
    ObjectiveConfig,
):
    """Options of adversarial training."""

    seed: int = II("common.seed")


def check_options(options: AdversarialConfig) -> None:
    """Check the options that can be checked without data.

    Raises:
        InputError: names the option.
    """
    positive(
        rollout_stride=options.rollout_stride,
        d_batch_size=options.d_batch_size,
    )
    make_schedule(options, batches=1)
    for name in ("rollouts", "pretrain_d_patience"):
        if not 0 <= getattr(options, name) < math.inf:
            raise InputError(f"{flag(name)} is {getattr(options, name)}: it must be 0 or more")
    check_objective(options)
    check_prefix_size(options)
    if not 0 <= options.rollout_ema_decay < 1:
        raise InputError(
            f"--rollout-ema-decay is {options.rollout_ema_decay}: it must be in [0, 1)"
        )
    for option in given_rollout_options(options):
        if not options.rollouts:
            raise InputError(f"{option} needs rollouts, and --rollouts is 0")
        if str(options.g_loss) == "distill":
            raise InputError(f"{option} needs rollouts, and --g-loss distill has none")
    if str(options.baseline) != "none" and str(options.g_loss) == "distill":
        logger.warning("--baseline %s: --g-loss distill has no use for it", options.baseline)
    if options.rollout_stride != 1 and (not options.rollouts or str(options.g_loss) == "distill"):
        what = "--g-loss distill" if options.rollouts else "--rollouts 0"
        raise InputError(f"--rollout-stride needs rollouts, and {what} has none")
    _check_early_stopping(options)
    if options.negative_pool_size < 0:
        raise InputError(f"--negative-pool-size is {options.negative_pool_size}: below 0")


def given_rollout_options(options: AdversarialConfig) -> list[str]:
    """Return the given options that concern the rollout policy."""
    given = {
        "--rollout-ema-decay": options.rollout_ema_decay,
        "--rollout-dtype": str(options.rollout_dtype) != "float32",
    }
    return [option for option, value in given.items() if value]


def _check_early_stopping(options: AdversarialConfig) -> None:
    stops = str(options.pretrain_d_keep) == "best" or options.pretrain_d_patience
    if str(options.pretrain_d_select) != "auc" and not stops:
        raise InputError(
            f"--pretrain-d-select {options.pretrain_d_select} needs --pretrain-d-keep best or "
            "--pretrain-d-patience"
        )
    if stops and not options.pretrain_d_steps:
        name = "--pretrain-d-patience" if options.pretrain_d_patience else "--pretrain-d-keep best"
        raise InputError(f"{name} needs --pretrain-d-steps, 1 or more")
