"""The fair control of a discriminator: more language models, trained on the same data.

G and D are two nets (or more, with an ensemble of D). As many language models, averaged, may be
better than G as well, without any D.

Shapes: M models, B sequences, T tokens.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..support.errors import InputError
from .base import Direction, MetricInputs, Score, register_metric
from .likelihood import LikelihoodMetric, concatenate

if TYPE_CHECKING:  # a report needs no torch
    from torch import Tensor


class EnsembleInputs(MetricInputs, Protocol):
    """What this metric asks for."""

    def log_probs_of(self, checkpoint: Path) -> list[tuple[Tensor, Tensor]]:
        """Return of another model what :meth:`heldout_log_probs` returns of ``--model``."""


@register_metric("ensemble_nll")
class EnsembleNLL(LikelihoodMetric):
    """The held-out NLL of several language models, whose next-token distributions are averaged."""

    title, row_title = "held-out NLL of the ensemble", "held-out NLL of the ensemble"
    direction, needs = Direction.LOWER, ("model", "ensemble")
    formula = (
        "mean of −log (1/M) Σ_m G_m(x_t \\| x_1 … x_t−1) over the held-out tokens x_t; G_m are "
        "`--model` and the models of `--ensemble`"
    )

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add ``--ensemble``."""
        parser.add_argument(
            "--ensemble",
            type=Path,
            nargs="+",
            metavar="CHECKPOINT",
            help="further language models of the same dictionary: also the held-out NLL of all of "
            "them and --model, averaged",
        )

    @classmethod
    def check(cls, options: argparse.Namespace) -> None:
        """Check that there is a model to average the others with.

        Raises:
            InputError: there is none.
        """
        if options.ensemble and options.model is None:
            raise InputError("--ensemble needs --model, the first model of the ensemble")

    def compute(self, inputs: EnsembleInputs) -> Score:
        """Return the mean over the held-out tokens that the policies can draw."""
        import torch

        members = [inputs.heldout_log_probs(), *map(inputs.log_probs_of, inputs.options.ensemble)]
        parts = []
        for batches in zip(*members, strict=True):
            log_probs, masks = zip(*batches, strict=True)
            if any(not torch.equal(mask, masks[0]) for mask in masks):
                raise InputError("--ensemble: the models do not score the same tokens")
            average = torch.logsumexp(torch.stack(log_probs), dim=0) - math.log(len(members))
            parts.append((average, masks[0]))
        details = {"ensemble_models": len(members)}
        return self.score(concatenate(parts), f"sequences of {inputs.split}", details=details)
