"""What G maximises: the reward and its scale, and the divergence from a reference policy."""

import math
from dataclasses import dataclass, field
from typing import Optional

from fairseq.dataclass import ChoiceEnum, FairseqDataclass

from ..support.errors import InputError
from ..support.option_values import positive

AUTO = "auto"  # of --reward-scale


@dataclass
class ObjectiveConfig(FairseqDataclass):
    """Options of what G maximises."""

    g_loss: ChoiceEnum(["policy-gradient", "distill"]) = field(
        default="policy-gradient",
        metadata={
            "help": "'policy-gradient' (the paper): on samples of G; 'distill': likelihood of "
            "samples of the reference policy, weighted by exp(reward)"
        },
    )
    policy_gradient_dropout: bool = field(
        default=False,
        metadata={
            "help": "keep the model's dropout in the policy gradient. Samples are drawn without "
            "it, so the gradient is then that of another policy: it sharpens G even if the reward "
            "is constant"
        },
    )
    reward_scale: str = field(
        default="1",
        metadata={
            "help": "factor of the reward; 'auto': the slope of D's log-odds, fitted on held-out "
            "data at the end of every d-step"
        },
    )
    kl_coef: float = field(
        default=0.0,
        metadata={
            "help": "beta, weight of the KL divergence from the reference policy, which is "
            "subtracted from the reward; 0: the paper"
        },
    )
    kl_reference: Optional[str] = field(  # noqa: UP045  (fairseq cannot read `str | None`)
        default=None,
        metadata={"help": "checkpoint of the reference policy; default: G as training starts"},
    )


def check_objective(options: ObjectiveConfig) -> None:
    """Check the options that need no data to be wrong.

    Raises:
        InputError: names the option.
    """
    if not 0 <= options.kl_coef < math.inf:
        raise InputError(f"--kl-coef is {options.kl_coef}: it must be 0 or more")
    if options.kl_coef and str(options.g_loss) == "distill":
        raise InputError(
            "--kl-coef: --g-loss distill has no such term; its optimum is G_ref · exp(reward)"
        )
    if options.policy_gradient_dropout and str(options.g_loss) == "distill":
        raise InputError("--policy-gradient-dropout: --g-loss distill is a likelihood, and has it")
    if options.kl_reference and not options.kl_coef and str(options.g_loss) != "distill":
        raise InputError("--kl-reference needs --kl-coef above 0, or --g-loss distill")
    if options.reward_scale != AUTO:
        try:
            positive(reward_scale=float(options.reward_scale))
        except ValueError:
            raise InputError(
                f"--reward-scale is {options.reward_scale}: it must be a number above 0, or auto"
            ) from None


def uses_reference(options: ObjectiveConfig) -> bool:
    """Return whether G's objective has a reference policy."""
    return bool(options.kl_coef) or str(options.g_loss) == "distill"


def check_stored_reference(options: ObjectiveConfig, path: str, stored: bool) -> None:
    """Check that a training whose G has been trained goes on with the reference that it had.

    Args:
        path: of the checkpoint that it is resumed from.
        stored: whether the reference is in there, G as the training started.

    Raises:
        InputError: names the option.
    """
    if not uses_reference(options) or stored == (options.kl_reference is None):
        return
    if stored:
        raise InputError(
            f"{path}: holds its own reference policy, G as the training started; it is resumed "
            "without --kl-reference"
        )
    option = "--g-loss distill" if str(options.g_loss) == "distill" else "--kl-coef"
    raise InputError(
        f"{path}: holds no reference policy, which {option} needs; name it with --kl-reference"
    )


def require_slope(measured: float | None) -> float:
    """Return the slope that the last validation *measured*.

    Raises:
        InputError: none has.
    """
    if measured is None:
        raise InputError("--reward-scale auto: the checkpoint holds no slope of D's log-odds")
    return measured


def reward_scale(options: ObjectiveConfig, slope: float | None) -> float:
    """Return the factor of the reward: a number, or the *slope* of D's log-odds, 1 at first."""
    if options.reward_scale != AUTO:
        return float(options.reward_scale)
    return 1.0 if slope is None else slope
