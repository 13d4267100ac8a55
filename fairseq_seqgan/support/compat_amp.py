"""Workarounds for fairseq's ``--amp``, each with its reason."""

from __future__ import annotations

from typing import Any

from fairseq.optim.amp_optimizer import AMPOptimizer

_SCALER = "loss_scale"  # in the state of the optimizer; torch's optimizers pass over other keys


def unscale_once() -> None:
    """Let ``--amp`` divide the gradients by the loss scale once.

    fairseq has the gradients of torch's optimizer unscaled before it clips them. Then it has its
    own wrapper stepped, which torch's scaler takes for another optimizer and unscales once more.
    """

    def step(self: AMPOptimizer) -> None:
        self.scaler.step(self.optimizer)
        self.scaler.update()

    AMPOptimizer.step = step


def store_loss_scale() -> None:
    """Store the loss scale of ``--amp`` in a checkpoint, so that overflows are resumed too.

    fairseq stores torch's optimizer alone. It also passes by what the wrapped optimizer checks when
    a state is loaded.
    """

    def state_dict(self: AMPOptimizer) -> dict[str, Any]:
        return {**self.fp32_optimizer.state_dict(), _SCALER: self.scaler.state_dict()}

    def load_state_dict(
        self: AMPOptimizer,
        state_dict: dict[str, Any],
        optimizer_overrides: dict[str, Any] | None = None,
    ) -> None:
        self.fp32_optimizer.load_state_dict(state_dict, optimizer_overrides)
        if state_dict.get(_SCALER) and self.scaler.is_enabled():
            self.scaler.load_state_dict(state_dict[_SCALER])

    AMPOptimizer.state_dict = state_dict
    AMPOptimizer.load_state_dict = load_state_dict
