"""``seqgan_adam``: one Adam for both nets, with a separate learning rate and clipping for D."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

import torch
from fairseq import utils
from fairseq.optim import FairseqOptimizer, register_optimizer
from fairseq.optim.adam import FairseqAdamConfig
from fairseq.optim.amp_optimizer import AMPOptimizer
from torch.nn import Parameter

from ..support import option_values
from ..support.errors import InputError

GENERATOR, DISCRIMINATOR = "generator", "discriminator"
_STATED = (
    "weight_decay",
    "betas",
    "eps",
)  # a resumed training may change these


def net_of(parameter: Parameter) -> str:
    """Return which of the two nets *parameter* belongs to.

    The criterion tags D's parameters. fairseq's fp16 and bf16 optimizers copy the tag to their
    float32 copies, unless they flatten the gradients.
    """
    return getattr(parameter, "param_group", GENERATOR)


@dataclass
class SeqGANAdamConfig(FairseqAdamConfig):
    """Options of ``seqgan_adam``; ``--lr`` and ``--clip-norm`` are G's."""

    discriminator_lr: float = field(
        default=1e-4, metadata={"help": "D's learning rate (--lr is G's alone)"}
    )
    discriminator_clip_norm: float = field(
        default=0.0,
        metadata={"help": "clip D's gradient to this norm (--clip-norm: G's); 0: do not clip"},
    )
    discriminator_weight_decay: Optional[float] = field(  # noqa: UP045  (fairseq reads no `| None`)
        default=None, metadata={"help": "D's decoupled weight decay; default: --weight-decay"}
    )


@register_optimizer("seqgan_adam", dataclass=SeqGANAdamConfig)
class SeqGANAdam(FairseqOptimizer):
    """Adam with one parameter group for G and one for D; weight decay is decoupled (AdamW).

    A learning-rate schedule multiplies both rates by the same factor.
    """

    def __init__(self, cfg: SeqGANAdamConfig, params: Iterable[Parameter]) -> None:
        super().__init__(cfg)
        params = list(params)
        self._base_lr = float(cfg.lr[0] if isinstance(cfg.lr, Sequence) else cfg.lr)
        d_decay = cfg.discriminator_weight_decay
        if d_decay is None:
            d_decay = cfg.weight_decay
        groups = [
            {
                "params": [p for p in params if net_of(p) == net],
                "lr": lr,
                "weight_decay": decay,
            }
            for net, lr, decay in (
                (GENERATOR, self._base_lr, cfg.weight_decay),
                (DISCRIMINATOR, cfg.discriminator_lr, d_decay),
            )
        ]
        # The fused kernel reads D's seven million parameters once instead of a dozen times.
        self._optimizer = torch.optim.AdamW(
            groups,
            betas=tuple(option_values.betas(str(cfg.adam_betas))),  # a text, or a list of YAML
            eps=cfg.adam_eps,
            fused=True,
        )

    @property
    def optimizer_config(self) -> dict[str, Any]:
        """Return {}: the two groups differ, so :meth:`load_state_dict` sets what is theirs."""
        return {}

    def load_state_dict(
        self, state_dict: dict[str, Any], optimizer_overrides: dict[str, Any] | None = None
    ) -> None:
        """Take over the moments of both nets; decay, betas and eps are those of the command.

        Raises:
            InputError: they are those of other parameters, or incomplete. torch would find out at
                the first update, or never.
        """
        stated = [{name: group[name] for name in _STATED} for group in self.param_groups]
        try:
            super().load_state_dict(state_dict, optimizer_overrides)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"the checkpoint's optimizer state does not fit ({error})") from error
        for group, settings in zip(self.param_groups, stated, strict=True):
            group.update(settings)
        for parameter, moments in self.optimizer.state.items():
            shapes = [m.shape for k, m in moments.items() if k != "step" and torch.is_tensor(m)]
            if "step" not in moments or shapes != 2 * [parameter.shape]:
                raise InputError(
                    "the checkpoint's optimizer state does not fit: the moments of a parameter "
                    f"of shape {tuple(parameter.shape)} are missing or have another shape"
                )

    def set_lr(self, lr: float) -> None:
        """Set G's learning rate to *lr*, and scale D's own rate by the same factor."""
        generator, discriminator = self.param_groups
        generator["lr"] = lr
        factor = lr / self._base_lr if self._base_lr else 1.0
        discriminator["lr"] = self.cfg.discriminator_lr * factor

    def clip_grad_norm(
        self,
        max_norm: float,
        aggregate_norm_fn: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """Clip each net's gradient to its own norm; return the norm over both, before clipping.

        In any update, only one net has a gradient.
        """
        limits = (max_norm, self.cfg.discriminator_clip_norm)
        norms = [
            utils.clip_grad_norm_(group["params"], limit, aggregate_norm_fn)
            for group, limit in zip(self.param_groups, limits, strict=True)
            if any(p.grad is not None for p in group["params"])
        ]
        return torch.stack(norms).norm() if norms else torch.tensor(0.0)


def makes_update(optimizer: FairseqOptimizer, step: Callable[[], None]) -> bool:
    """Call *step* of *optimizer*; return whether it has changed weights.

    With ``--amp`` a step does nothing if the scaled gradients have overflowed. torch's scaler does
    not say so, but after such a step, and only then, its scale is smaller.
    """
    scaler = optimizer.scaler if isinstance(optimizer, AMPOptimizer) else None
    before = scaler.get_scale() if scaler is not None else 0.0
    step()
    return scaler is None or scaler.get_scale() >= before


def drop_gradients(optimizer: FairseqOptimizer, active: str | None) -> None:
    """Set the gradient of every parameter outside the net *active* to None, before the step.

    ``legacy_ddp`` and fp16 fill missing gradients with zeros. Adam's momentum would then change a
    net that this update does not train.
    """
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if net_of(parameter) != active:
                parameter.grad = None
