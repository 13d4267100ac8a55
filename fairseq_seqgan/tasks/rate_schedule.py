"""Checks of ``--lr-scheduler`` and its options, before anything is read."""

from __future__ import annotations

import copy
import traceback
from argparse import Namespace
from collections.abc import Collection
from typing import Any

import torch
from fairseq.optim import FairseqOptimizer
from fairseq.optim.lr_scheduler import build_lr_scheduler
from omegaconf import DictConfig

from ..support.errors import InputError


def check(root: DictConfig) -> None:
    """Check that the schedule has the length that it needs, and is one for this optimizer.

    Raises:
        InputError: names the option.
    """
    found = root.get("lr_scheduler") or {}
    schedule = vars(found) if isinstance(found, Namespace) else found
    name, limit = schedule.get("_name"), root.optimization.max_update
    if name == "pass_through":
        raise InputError(
            "--lr-scheduler pass_through: it leaves the rates to --optimizer composite, which is "
            "not for the command line; D has --discriminator-lr"
        )
    if (
        name not in ("fixed", "manual", "polynomial_decay")
        and len(as_list(root.optimization.lr)) > 1
    ):
        raise InputError(f"--lr: --lr-scheduler {name} takes one rate")
    if name == "cosine" and not limit and not (schedule.get("lr_period_updates") or 0) > 0:
        raise InputError("--lr-scheduler cosine: it needs --lr-period-updates, or --max-update")
    if name == "polynomial_decay" and not float(schedule.get("total_num_update", 1)) > 0:
        raise InputError(f"--lr-scheduler {name}: it needs --total-num-update above 0")
    if name == "tri_stage" and schedule.get("phase_ratio") is not None and not limit:
        raise InputError("--phase-ratio: --lr-scheduler tri_stage needs --max-update with it")


def try_out(root: DictConfig) -> None:
    """Build the schedule once, for an optimizer of nothing.

    fairseq builds it after the data and the nets, and asserts and divides without saying which of
    its options is at fault.

    Raises:
        InputError: it cannot be built; tells what fairseq's code stumbled over.
    """
    options = copy.deepcopy(root).lr_scheduler  # some schedules change them
    name = getattr(options, "_name", None) or getattr(options, "lr_scheduler", None)
    try:
        build_lr_scheduler(options, _Nothing(as_list(root.optimization.lr)[0]))
    except Exception as error:  # whatever the schedule, perhaps a user's own, makes of a number
        said = str(error) or traceback.extract_tb(error.__traceback__)[-1].line or "nothing"
        raise InputError(
            f"--lr-scheduler {name}: its options cannot be used; fairseq's code stops with "
            f"{type(error).__name__}: {said}"
        ) from error


def as_list(value: Any) -> list[Any]:
    """Return *value* as a list, of itself if it is a single one."""
    return list(value) if isinstance(value, Collection) else [value]


class _Nothing(FairseqOptimizer):
    """An optimizer of one number, which nobody reads."""

    def __init__(self, rate: float) -> None:
        super().__init__(None)
        self._optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
