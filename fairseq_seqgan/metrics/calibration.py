"""The fair control of a guided or trained policy: the model at the temperature that suits it best.

A language model may be too sharp or too flat. Its temperature corrects that with one number, which
another split than the held-out one must choose.

Shapes: B sequences, T tokens.
"""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Protocol

from ..support.errors import InputError
from .base import Direction, MetricInputs, Score, register_metric
from .likelihood import LikelihoodMetric, concatenate

if TYPE_CHECKING:  # a report needs no torch
    from torch import Tensor

_LOWEST, _HIGHEST = 0.1, 10.0  # temperatures
_EXACT = 1e-4  # of the temperature's logarithm


class CalibrationInputs(MetricInputs, Protocol):
    """What this metric asks for."""

    def log_probs_at(self, temperature: float) -> list[tuple[Tensor, Tensor]]:
        """Return what :meth:`heldout_log_probs` returns, at another temperature."""

    def calibration_log_probs(self, temperature: float) -> list[tuple[Tensor, Tensor]]:
        """Return the same of the split of ``--calibrate``."""


@register_metric("nll_calibrated")
class CalibratedNLL(LikelihoodMetric):
    """The held-out NLL of the model at the temperature that another split chooses."""

    title, row_title = "held-out NLL, calibrated", "held-out NLL of the model, calibrated"
    direction, needs = Direction.LOWER, ("model", "calibrate")
    reported = ("calibrated_temperature",)
    formula = (
        "mean of −log G(x_t \\| x_1 … x_t−1) over the held-out tokens x_t, with G at the "
        "temperature at which the same mean over the split of `--calibrate` is lowest"
    )

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add ``--calibrate``."""
        parser.add_argument(
            "--calibrate",
            metavar="SPLIT",
            help="also the held-out NLL at the temperature at which the NLL of SPLIT, such as "
            "valid, is lowest",
        )

    @classmethod
    def check(cls, options: argparse.Namespace) -> None:
        """Check that there is a model, and that the split may choose its temperature.

        Raises:
            InputError: there is none, or it was trained on the split.
        """
        if options.calibrate is None:
            return
        if options.model is None:
            raise InputError("--calibrate needs --model: it is the model's temperature")
        if options.calibrate == "train":
            raise InputError("--calibrate train: the model was trained on it; name another split")

    def validate(self, inputs: CalibrationInputs) -> None:
        """Check that the held-out split does not choose its own temperature.

        Raises:
            InputError: it does.
        """
        if inputs.options.calibrate == inputs.split:
            raise InputError(
                f"--calibrate {inputs.split}: that is the held-out split, which must not choose "
                "the temperature; --valid-subset names another"
            )

    def compute(self, inputs: CalibrationInputs) -> Score:
        """Return the mean over the held-out tokens that the policy can draw."""
        from scipy.optimize import minimize_scalar

        # The NLL is convex in 1 / T, so it has one minimum over log T as well.
        found = minimize_scalar(
            lambda log_t: concatenate(inputs.calibration_log_probs(math.exp(log_t))).nll,
            bounds=(math.log(_LOWEST), math.log(_HIGHEST)),
            method="bounded",
            options={"xatol": _EXACT},
        )
        temperature = math.exp(float(found.x))
        likelihood = concatenate(inputs.log_probs_at(temperature))
        over = f"sequences of {inputs.split}, at T = {temperature:.3f}"
        return self.score(likelihood, over, details={"calibrated_temperature": temperature})
