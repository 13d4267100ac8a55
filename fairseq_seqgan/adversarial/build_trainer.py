"""Build the trainer of Algorithm 1 from the task's options and data.

Shapes: M held-out sequences, T tokens.
"""

from __future__ import annotations

import logging
from typing import Protocol

from torch import Tensor

from ..models.discriminator import Discriminator
from ..rewards.base import Reward, RewardInputs, build_reward
from ..support import compat, compat_models, compat_stopping, distributed
from ..support.errors import InputError
from .early_stopping import EarlyStopping
from .objective import AUTO
from .progress import Progress
from .real_data import RealData
from .start import Start
from .trainer import AdversarialTrainer
from .validation import NEEDED

logger = logging.getLogger(__name__)


class DiscriminatorOwner(Protocol):
    """What is asked of the criterion."""

    discriminator: Discriminator
    slope: float | None  # of the log-odds of the D that training starts with
    trained_before: bool  # whether that D comes from a checkpoint


def build_trainer(
    data: RealData, criterion: DiscriminatorOwner, batch_size: tuple[int | None, int | None]
) -> AdversarialTrainer:
    """Return the trainer for the training split of *data*.

    Args:
        criterion: owns D, and may have read it from a checkpoint.
        batch_size: fairseq's ``--batch-size`` and ``--max-tokens``. B is the first; if it is not
            given, B is the number of sequences of T tokens that the second has room for.

    Raises:
        InputError: an option does not fit the data.
    """
    options, discriminator = data.options, criterion.discriminator
    _set_longest(data)
    positives = data.positives()
    inputs = RewardInputs(discriminator, positives, data.dictionary, options.seed)
    reward = build_reward(options, inputs)
    trainer = AdversarialTrainer(
        options,
        positives,
        reward,
        data.policies,
        _sequences_of_a_step(data, *batch_size),
        _early_stopping(data, discriminator),
        _slope_data(data, reward),
    )
    trainer.reward_slope = criterion.slope
    trainer.has_discriminator |= criterion.trained_before
    _check_metric(data)
    _warn_of_wide_stride(data, trainer)
    logger.info("%s: %d updates in all", trainer.schedule, trainer.schedule.total_updates)
    return trainer


def build_progress(
    data: RealData,
    criterion: DiscriminatorOwner,
    start: Start,
    batch_size: tuple[int | None, int | None],
) -> Progress:
    """Return a trainer and where it is in its schedule; make fairseq stop at the end.

    Args:
        criterion: as :func:`build_trainer` takes it, and *batch_size* too.
        start: what the training begins with.

    Raises:
        InputError: an option does not fit the data.
    """
    trainer = build_trainer(data, criterion, batch_size)
    if not start.resumes:  # otherwise the training has begun with it
        criterion.discriminator.check_length(trainer.pool.positives.size(1))
        options = data.options
        if (
            options.reward_scale == AUTO
            and not options.pretrain_d_steps
            and trainer.reward_slope is None
        ):
            raise InputError(
                "--reward-scale auto needs a D before the first round: --pretrain-d-steps, or "
                "--discriminator-from a checkpoint that a slope is stored in"
            )
    root = compat.root_config(data.options)
    parts, name = 1, "the generator"
    if root is not None:
        parts = root.optimization.update_freq[0]
        if parts > 1 and str(data.options.g_loss) == "distill":
            logger.warning(
                "--update-freq %d: --g-loss distill compares the sequences of each part with each "
                "other only; a larger --batch-size compares all",
                parts,
            )
        schedule = trainer.schedule
        limits = schedule.epochs, schedule.total_updates
        compat_stopping.end_training_at(root, *limits, start.updates)
        name = f"--arch {compat_models.architecture(root.model)}"
    return Progress(trainer, start, len(data.dictionary), parts, name)


def _set_longest(data: RealData) -> None:
    """Let the policy draw sequences that are as long as the longest one of the training split.

    Raises:
        InputError: ``--max-length`` is shorter.
    """
    options = data.options
    longest = int(data.datasets[options.train_subset].sizes.max()) - 1
    if options.max_length and not options.fixed_length and options.max_length < longest:
        raise InputError(
            f"--max-length {options.max_length}: a training sequence has {longest} tokens"
        )
    data.policies.set_longest(longest)


def _sequences_of_a_step(data: RealData, max_sentences: int | None, max_tokens: int | None) -> int:
    """Return B, the sequences of a G step in this process.

    Raises:
        InputError: it is 1, and an option compares sequences with each other.
    """
    size = max_sentences or max(1, (max_tokens or 0) // data.policies.length)
    for option, value, needs_two in (
        ("--baseline", data.options.baseline, "leave-one-out"),
        # A single sequence has the weight 1, whatever D says.
        ("--g-loss", data.options.g_loss, "distill"),
    ):
        if str(value) == needs_two and size * distributed.size() < 2:
            raise InputError(f"{option} {needs_two} needs a --batch-size of 2 or more")
    return size


def _warn_of_wide_stride(data: RealData, trainer: AdversarialTrainer) -> None:
    """Tell the user if ``--rollout-stride`` leaves no prefix to roll out."""
    stride, given = data.options.rollout_stride, data.options.prefix_size
    length = data.policies.length
    if trainer.g_step.rolls_out and stride > 1 and (length - 1) // stride <= given // stride:
        logger.warning(
            "--rollout-stride %d: in sequences of %d tokens it leaves no prefix to roll out, as "
            "--rollouts 0",
            stride,
            length,
        )


def _early_stopping(data: RealData, discriminator: Discriminator) -> EarlyStopping | None:
    """Return what ends D's pre-training, or chooses its best pool; None: nobody asked for it."""
    options = data.options
    keeps_best = str(options.pretrain_d_keep) == "best"
    if not keeps_best and not options.pretrain_d_patience:
        return None
    option = "--pretrain-d-keep best" if keeps_best else "--pretrain-d-patience"
    least = 2 if str(options.pretrain_d_select) == "gain" else 1
    return EarlyStopping(discriminator, data.require_heldout(option, least), options)


def _slope_data(data: RealData, reward: Reward) -> Tensor | None:
    """Return the held-out sequences (M, T) that ``--reward-scale auto`` fits the slope on.

    Raises:
        InputError: *reward* is not D's log-odds, or too few sequences are held out.
    """
    if data.options.reward_scale != AUTO:
        return None
    if not getattr(reward, "log_odds", False):
        raise InputError(
            f"--reward-scale auto: it is the slope of D's log-odds; --reward {data.options.reward} "
            "has none, --reward logit has"
        )
    return data.require_heldout("--reward-scale auto", 2)


def _check_metric(data: RealData) -> None:
    """Check that a validation can log ``--best-checkpoint-metric``.

    Raises:
        InputError: no held-out sequence is left for D.
    """
    root = compat.root_config(data.options)
    if root is None or root.dataset.disable_validation:
        return
    metric = root.checkpoint.best_checkpoint_metric
    if metric in NEEDED:
        data.require_heldout(f"--best-checkpoint-metric {metric}", NEEDED[metric])
