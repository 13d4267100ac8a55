"""Rank, size and communication of several processes that train together."""

import logging
from collections.abc import Callable

import torch
import torch.distributed as dist
from fairseq.models import BaseFairseqModel
from torch import Tensor

logger = logging.getLogger(__name__)


def rank() -> int:
    """Return the number of this process, from 0; 0 if it is the only one."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def size() -> int:
    """Return the number of processes that train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def share(count: int) -> int:
    """Return how many of *count* things each process does, rounded up: all do the same number."""
    return -(-count // size())


def gather(rows: Tensor) -> Tensor:
    """Return the *rows* (R, ...) of all processes, in their order: (size × R, ...)."""
    if size() == 1:
        return rows
    parts = [torch.empty_like(rows) for _ in range(size())]
    dist.all_gather(parts, rows.contiguous())
    return torch.cat(parts)


def own_rows(rows: Tensor) -> Tensor:
    """Return this process's part of *rows* (size × R, ...), which :func:`gather` returned."""
    return rows.chunk(size())[rank()] if size() > 1 else rows


def divide(rows: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """Return *function* of each of *rows* (n, ...), n > 0, each computed by one process only.

    Every process has the same rows and gets all results, (n, ...).
    """
    if size() == 1:
        return function(rows)
    count = share(len(rows))
    own = torch.arange(rank() * count, (rank() + 1) * count, device=rows.device)
    own = own.clamp(max=len(rows) - 1)  # all parts have the same size
    return gather(function(rows[own]))[: len(rows)]


def everywhere(holds: Tensor) -> bool:
    """Return whether the boolean *holds* is True in all processes. All must ask together."""
    if size() > 1:
        holds = holds.to(torch.int32)
        dist.all_reduce(holds, dist.ReduceOp.MIN)
    return bool(holds)


def note_resize(before: int | None) -> None:
    """Say that a training that *before* processes began continues with another number of them.

    None: the checkpoint is older than this note.
    """
    if before not in (None, size()):
        logger.warning(
            "trained by %d process%s until here, by %d from here on: samples are drawn from other "
            "random streams, so the result is not that of an unchanged number; --batch-size "
            "counts for each process, --d-batch-size for all",
            before,
            "" if before == 1 else "es",
            size(),
        )


def unwrap(model: BaseFairseqModel) -> BaseFairseqModel:
    """Return the model inside whatever wrappers fairseq put around it for several processes."""
    while hasattr(model, "module"):
        model = model.module
    return model
