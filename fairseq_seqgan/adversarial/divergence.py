"""Where a training has diverged, and what is left of it.

Deep inside an update only the tensor and the phase are known. The task's hooks add the update and
the last good checkpoint. They also look where nothing is drawn and no loss is computed: at the
held-out loss, at the gradient, and at the nets before they are saved.

Shapes: T tokens.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from fairseq.criterions import FairseqCriterion
from fairseq.models import BaseFairseqModel
from omegaconf import DictConfig
from torch import Tensor, nn

from ..support import compat_models, distributed
from ..support.checkpoint_files import LAST, read_checkpoint
from ..support.errors import DivergenceError, InputError
from ..support.eval_mode import eval_mode
from ..support.finite import require_finite

Hook = TypeVar("Hook", bound=Callable[..., Any])


class Watch:
    """Watches the nets of one training.

    Args:
        root: the whole configuration of the command; None outside a command.
    """

    def __init__(self, root: DictConfig | None) -> None:
        self.save_dir = Path(root.checkpoint.save_dir) if root and root.get("checkpoint") else None
        self.updates = 0  # done so far
        self.phase = "training step"  # of the present update
        self.nets: tuple[BaseFairseqModel, FairseqCriterion] | None = None
        self.tokens: Tensor | None = None  # (1, T), a real sequence
        self.loss: Tensor | None = None  # of the present update

    @contextmanager
    def located(self, place: str) -> Iterator[None]:
        """Add *place* and the last good checkpoint to what a divergence in the block says."""
        try:
            yield
        except DivergenceError as error:
            where = "; ".join([str(error.args[0]), place, *self._what_is_left()])
            raise DivergenceError(where) from error

    def bad_gradient(self) -> None:
        """Stop because the gradient of the present update is not finite.

        Raises:
            DivergenceError: names the loss, if that is not finite either, or else a parameter.
        """
        with self.located(f"stopped before update {self.updates + 1} changed a weight"):
            named = [("the loss", self.loss)]
            named += [(f"the gradient of {n}", p.grad) for n, p in self._parameters()]
            wrong = [what for what, values in named if values is not None and not _finite(values)]
            what = wrong[0] if wrong else "the gradient"
            raise DivergenceError(f"{what} of a {self.phase} is NaN or infinite")

    def before_saving(self) -> None:
        """Check the nets: their weights, G's output and D's score for one real sequence.

        Only the process that writes the checkpoint does so; the others hold the same nets.

        Raises:
            DivergenceError: one is not finite; the checkpoint is not written.
        """
        if self.nets is None:  # nothing has been trained
            return
        for what, values in self._measured():
            if not _finite(values):
                with self.located(f"stopped after update {self.updates}, before saving"):
                    raise DivergenceError(f"{what} is NaN or infinite")

    @torch.no_grad()
    def _measured(self) -> Iterator[tuple[str, Tensor]]:
        for name, parameter in self._parameters():
            yield f"the weight {name}", parameter
        if self.nets is None or self.tokens is None:
            return
        model, criterion = self.nets
        tokens = self.tokens.long().to(next(model.parameters()).device)
        with eval_mode(model):
            yield "the policy's output for a real sequence", model(tokens)[0]
        discriminator = getattr(criterion, "discriminator", None)
        if discriminator is not None:
            with eval_mode(discriminator):
                yield "D's score of a real sequence", discriminator.score(tokens)

    def _parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        for net in self.nets or ():
            yield from net.named_parameters()

    def _what_is_left(self) -> list[str]:
        if self.save_dir is None:
            return []
        good = last_good(self.save_dir)
        if good is None:
            return [f"there is no good checkpoint in {self.save_dir}"]
        return [f"the last good checkpoint is {good}"]


def last_good(folder: Path) -> Path | None:
    """Return a checkpoint in *folder* that can be read and holds finite weights only.

    It is the last one, or else the newest.
    """
    newest = sorted(folder.glob("checkpoint*.pt"), key=lambda path: path.stat().st_mtime)
    last = [path for path in newest if path.name == LAST]
    for path in [*last, *reversed(newest)]:
        try:
            state = read_checkpoint(str(path))
            weights = compat_models.finite_parts(
                {**state["model"], **(state.get("criterion") or {})}
            )
        except (InputError, LookupError, TypeError, AttributeError):  # damaged, or another thing
            continue
        if all(_finite(weight) for weight in weights):
            return path
    return None


def _finite(values: Tensor) -> bool:
    return bool(torch.isfinite(values).all())


def in_update(hook: Hook) -> Hook:
    """Say of a divergence in *hook*, which a task is called with in every update, where it was."""
    signature = inspect.signature(hook)

    @wraps(hook)
    def located(task: Any, *args: Any, **kwargs: Any) -> Any:
        given = signature.bind(task, *args, **kwargs).arguments
        watch: Watch = task.watch
        watch.updates = given["update_num"]
        trainer = task.adversarial
        if trainer is not None:
            watch.phase = f"{trainer.schedule(watch.updates).phase.value} step"
        if "criterion" not in given:  # the optimizer's step
            with watch.located(f"stopped in update {watch.updates + 1}"):
                output = hook(task, *args, **kwargs)
            watch.updates += 1
            return output
        watch.nets = distributed.unwrap(given["model"]), distributed.unwrap(given["criterion"])
        rows = given["sample"]["target"] if trainer is None else trainer.pool.positives
        watch.tokens = rows[:1]
        with watch.located(f"stopped before update {watch.updates + 1} changed a weight"):
            output = hook(task, *args, **kwargs)
        watch.loss = output[0].detach()
        return output

    return cast(Hook, located)


def in_validation(hook: Hook) -> Hook:
    """Stop if the held-out loss that *hook* returns first is not finite; say where it was."""

    @wraps(hook)
    def located(task: Any, *args: Any, **kwargs: Any) -> Any:
        watch: Watch = task.watch
        after = f" after update {watch.updates}" if watch.nets else ""
        with watch.located(f"stopped in the validation{after}"):
            output = hook(task, *args, **kwargs)
            require_finite(output[0], "held-out batch", "the loss")
        return output

    return cast(Hook, located)


def before_saving(hook: Hook) -> Hook:
    """Check the nets before *hook*, which fairseq calls when it is about to save them."""

    @wraps(hook)
    def checked(task: Any) -> Any:
        task.watch.before_saving()
        return hook(task)

    return cast(Hook, checked)
