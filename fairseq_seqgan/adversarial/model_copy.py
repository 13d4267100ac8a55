"""Copies of the generator that no optimizer updates."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from fairseq.models import BaseFairseqModel
from torch import Tensor

from ..models.dtypes import resolve_dtype
from ..support import compat_models, distributed
from ..support.checkpoint_files import read_checkpoint
from ..support.errors import InputError
from ..support.vocabulary import require_same_words


class ModelCopy:
    """A copy of G, made when it is first asked for: a moving average of G, or G at its start.

    A resumed training finds it again.

    Args:
        path: a checkpoint whose weights it has; None: those of G when it is first asked for.
    """

    def __init__(self, path: str | None = None) -> None:
        self.path = path
        self._model: BaseFairseqModel | None = None
        self._state: dict[str, Tensor] | None = None  # loaded, but not asked for since

    def of(self, model: BaseFairseqModel) -> BaseFairseqModel:
        """Return the copy of *model*.

        Raises:
            InputError: the checkpoint cannot be read, or is of another architecture or dictionary.
        """
        if self._model is None:
            own = distributed.unwrap(model)
            compat_models.let_copy(own)
            self._model = copy.deepcopy(own).requires_grad_(False)
            if self._state is not None:
                self._model.load_state_dict(self._state)
                self._state = None  # it is as large as the model
            elif self.path is not None:
                _load(self._model, self.path)
        return self._model

    @torch.no_grad()
    def average(self, model: BaseFairseqModel, decay: float) -> None:
        """Move the copy towards *model*, if there is one: θ' ← decay θ' + (1 - decay) θ."""
        if self._model is None:
            return
        own = distributed.unwrap(model).parameters()
        for average, parameter in zip(self._model.parameters(), own, strict=True):
            average.mul_(decay).add_(parameter, alpha=1 - decay)

    def state_dict(self) -> dict[str, Any] | None:
        """Return the weights of the copy; None: it has not been asked for, or has a file."""
        if self.path is not None:
            return None
        return self._state if self._model is None else self._model.state_dict()

    def load_state_dict(self, state: dict[str, Any] | None) -> None:
        """Take over what :meth:`state_dict` returned."""
        self._state = None if self.path is not None else state  # a file that is new here counts


class RoundedCopy:
    """A copy of G in another arithmetic, which has G's weights whenever it is asked for.

    Args:
        option: which sets the arithmetic.
        wanted: its value, float32 or bfloat16.
    """

    def __init__(self, option: str, wanted: str) -> None:
        self.option, self.wanted = option, wanted
        self._model: BaseFairseqModel | None = None
        self._dtype: torch.dtype | None = None

    @torch.no_grad()
    def of(self, model: BaseFairseqModel) -> BaseFairseqModel:
        """Return the copy of *model*, or *model* itself.

        *model* itself, if it computes in this arithmetic already or the machine lacks it.
        """
        own = distributed.unwrap(model)
        first = next(own.parameters())
        if self._dtype is None:
            self._dtype = resolve_dtype(self.option, self.wanted, first.is_cuda)
        if self._dtype in (torch.float32, first.dtype):
            return model
        if self._model is None:
            compat_models.let_copy(own)
            self._model = copy.deepcopy(own).requires_grad_(False).to(self._dtype)
        for rounded, exact in zip(_tensors(self._model), _tensors(own), strict=True):
            rounded.copy_(exact)
        return self._model


def _tensors(model: BaseFairseqModel) -> Iterator[Tensor]:
    """Yield what *model* computes with."""
    for tensors in (model.named_parameters, model.named_buffers):
        # Of a tensor that two layers share, the rounded copy may have two.
        yield from (tensor for _, tensor in tensors(remove_duplicate=False))


def _load(model: BaseFairseqModel, path: str) -> None:
    """Give *model* the weights of the checkpoint *path*."""
    state = read_checkpoint(path)
    weights = state.get("model") if isinstance(state, dict) else None
    if not isinstance(weights, dict) or not weights:
        raise InputError(f"--kl-reference {path}: it holds no model")
    require_same_words(f"--kl-reference {path}", state, model.decoder.dictionary)
    try:
        model.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[-1].strip()
        raise InputError(
            f"--kl-reference {path}: a model of another architecture or dictionary ({reason})"
        ) from error
