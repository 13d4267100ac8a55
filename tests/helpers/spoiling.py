"""In a training process: NaN where a test wants it."""

import torch
from fairseq.trainer import Trainer


def spoil(update: int, net: str, kind: str) -> None:
    """Set something of *net*, model or criterion, to NaN.

    Args:
        kind: ``weight``: its last weight before the update with this number, from 0; ``gradient``:
            the gradient of its first weight in that update; ``step``: its last weight in that
            update's step of the optimizer; ``last``: its last weight after so many updates.
    """
    if kind in ("gradient", "step"):
        {"gradient": spoil_gradient, "step": spoil_step}[kind](update, net)
        return
    method = "train_step" if kind == "weight" else "set_num_updates"
    original = getattr(Trainer, method)

    def spoiling(self: Trainer, *args: object, **kwargs: object) -> object:
        number = args[0] if kind == "last" else self.get_num_updates()
        if number == update:
            *_, last = getattr(self, f"get_{net}")().parameters()
            last.data.fill_(torch.nan)
        return original(self, *args, **kwargs)

    setattr(Trainer, method, spoiling)


def spoil_gradient(update: int, net: str) -> None:
    """Set a gradient of *net* to NaN, after the backward pass of this update, from 0."""
    from fairseq.tasks.fairseq_task import FairseqTask

    original = FairseqTask.train_step

    def spoiling(self, sample, model, criterion, optimizer, update_num, ignore_grad=False):
        output = original(self, sample, model, criterion, optimizer, update_num, ignore_grad)
        if update_num == update:
            first = next({"model": model, "criterion": criterion}[net].parameters())
            first.grad.fill_(torch.nan)
        return output

    FairseqTask.train_step = spoiling


def spoil_step(update: int, net: str) -> None:
    """Set the last weight of *net* to NaN when the optimizer has made its step of this update."""
    from fairseq.tasks.fairseq_task import FairseqTask

    original = FairseqTask.optimizer_step

    def spoiling(self, optimizer, model, update_num):
        original(self, optimizer, model, update_num)
        if update_num == update:
            *_, last = {"model": model, "criterion": self.criterion}[net].parameters()
            last.data.fill_(torch.nan)

    FairseqTask.optimizer_step = spoiling
