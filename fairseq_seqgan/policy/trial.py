"""Trying out a generator before a training relies on it.

A model may build, load and even train by maximum likelihood, and still fail when it is decoded step
by step or when the gradient of its log-probabilities is taken. Adversarial training would find that
out at its first G step, after D's pre-training.

Shapes: R rows, T tokens.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from ..support import compat_models
from ..support.errors import InputError, first_line
from ..support.eval_mode import eval_mode
from .policy import Decoding, Policy

_STEPS, _ROWS = 2, 3
# How far the log-probabilities of a symbol may differ between decoding and one pass, in nats.
_TOLERANCE = {torch.float32: 0.01, torch.float64: 0.01}
_LOW_PRECISION = 0.5


def try_out(policy: Policy, name: str) -> None:
    """Decode two steps with *policy*, add a row in between, and take one gradient.

    No weight and no random state changes.

    Args:
        name: what the user calls the model, such as ``--arch lstm_lm``.

    Raises:
        InputError: a sequence is longer than the model allows, or a part fails, or decoding step
            by step gives other probabilities than one pass over the whole sequence.
    """
    check_positions(policy)
    cannot = f"{name}: this language model cannot be trained adversarially"
    with _trial(policy, cannot) as trial:
        tokens, forced, decoded = _compare(policy, trial)
        trial.part = "the gradient of the probability of a sequence"
        _differentiate(policy, tokens)
    _check_equal(policy, cannot, forced, decoded)


def try_decoding(policy: Policy, name: str) -> None:
    """As :func:`try_out`, of a policy that is sampled from only: it has no gradient."""
    cannot = f"{name}: this language model cannot be sampled from"
    with _trial(policy, cannot) as trial:
        _, forced, decoded = _compare(policy, trial)
    _check_equal(policy, cannot, forced, decoded)


@dataclass
class _Trial:
    """What is being tried."""

    part: str = "decoding step by step"


@contextmanager
def _trial(policy: Policy, cannot: str) -> Iterator[_Trial]:
    """Turn whatever fails in the block into an InputError, and keep the random state.

    *cannot* names the model and says what it cannot be used for.
    """
    trial, device = _Trial(), policy.device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        try:
            yield trial
        except InputError:
            raise
        except Exception as error:  # a model may fail in any way
            raise InputError(f"{cannot}: {trial.part} fails ({first_line(error)})") from error


def _compare(policy: Policy, trial: _Trial) -> tuple[Tensor, Tensor, Tensor]:
    """Return tokens (R, T), and their log-probabilities in one pass and step by step."""
    with eval_mode(policy.model), torch.no_grad():
        tokens, decoded = _decode(policy)
        trial.part = "the probability of a sequence"
        return tokens, policy.log_probs(tokens), decoded


def _check_equal(policy: Policy, cannot: str, forced: Tensor, decoded: Tensor) -> None:
    """Check that decoding step by step gives the probabilities of one pass."""
    worst = float((forced - decoded).abs().max())
    if worst > _TOLERANCE.get(next(policy.model.parameters()).dtype, _LOW_PRECISION):
        raise InputError(
            f"{cannot}: decoded step by step, it gives log-probabilities that differ by "
            f"{worst:.2g} nats from those of one pass"
        )


def check_positions(policy: Policy) -> None:
    """Check that the model of *policy* has a position for every token of a sequence.

    Raises:
        InputError: it has learned fewer.
    """
    most = compat_models.most_positions(policy.model)
    if most is None or policy.length <= most:
        return
    option, end = ("--fixed-length", 0) if policy.fixed else ("--max-length", 1)
    raise InputError(
        f"{option}: the model has learned {most} positions, so a sequence has at most "
        f"{most - end} tokens, not {policy.length - end}"
    )


def _decode(policy: Policy) -> tuple[Tensor, Tensor]:
    """Decode R rows, all but one of which are copies that are added after the first step.

    Returns:
        Tokens (R, T), T at most 2, and their log-probabilities.
    """
    uniforms = torch.linspace(0.1, 0.9, _ROWS, device=policy.device)
    prefix = torch.full((1, 1), policy.start, device=policy.device)
    decoding = Decoding(policy)
    found: list[Tensor] = []
    for step in range(min(_STEPS, policy.length)):
        if step:
            decoding.select(torch.zeros(_ROWS, dtype=torch.long, device=policy.device))
            prefix = prefix.expand(_ROWS, -1)
            found = [log_probs.expand(_ROWS) for log_probs in found]
        features = decoding.step(prefix)
        drawn, log_probs = policy.draw(features, uniforms[: len(prefix)])
        found.append(log_probs)
        prefix = torch.cat([prefix, drawn.unsqueeze(1)], dim=1)
    return prefix[:, 1:], torch.stack(found, dim=1)


def _differentiate(policy: Policy, tokens: Tensor) -> None:
    """Take the gradient of log G(*tokens*) (R, T) with respect to the weights, and discard it."""
    trained = [p for p in policy.model.parameters() if p.requires_grad]
    # Into no parameter's grad: wrappers for several processes react to that.
    with torch.enable_grad():
        torch.autograd.grad(policy.log_probs(tokens).sum(), trained, allow_unused=True)
