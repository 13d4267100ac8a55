"""Modules without dropout: for the duration of a block, or until fairseq trains on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def eval_mode(*modules: nn.Module) -> Iterator[None]:
    """Put *modules* into eval mode, and afterwards every submodule back into its own mode.

    In train mode, each decoding step would draw a new dropout mask.
    """
    modes = [(part, part.training) for module in modules for part in module.modules()]
    for module in modules:
        module.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


def turn_dropout_off(model: nn.Module) -> None:
    """Put *model* into eval mode until fairseq's next update, which begins with train mode.

    Unlike in a block, it stays so during the backward pass, which may compute logits once more.
    Recurrent layers stay in train mode, because cuDNN has no gradient in eval mode, and lose their
    dropout for good: G has it in no update of this training.
    """
    model.eval()
    for part in model.modules():
        if isinstance(part, nn.RNNBase):
            part.dropout = 0.0
            part.train()
