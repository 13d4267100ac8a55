"""Timing: medians of alternating runs, and what the machine can do at most.

A figure is ``{"name", "what", "ours_s", "baseline_s", "ratio", "ceiling_share"}``; in seconds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

Figure = dict[str, Any]


def wait() -> None:
    """Wait until the GPU, if there is one, has done what it was told."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def seconds(function: Callable[[], object]) -> float:
    """Return how long *function* takes, in seconds."""
    wait()
    begin = time.perf_counter()
    function()
    wait()
    return time.perf_counter() - begin


def median(function: Callable[[], object], runs: int) -> float:
    """Return the median of *runs* runs after a warm-up, in seconds."""
    function()
    return statistics.median(seconds(function) for _ in range(runs))


def compare(
    name: str, what: str, ours: Callable[[], object], baseline: Callable[[], object], runs: int
) -> Figure:
    """Time *ours* and *baseline* alternately, *runs* times after a warm-up."""
    pairs = [(seconds(ours), seconds(baseline)) for _ in range(runs + 1)][1:]
    ours_s, baseline_s = (statistics.median(side) for side in zip(*pairs, strict=True))
    return figure(name, what, ours_s, baseline_s)


def figure(name: str, what: str, ours_s: float, baseline_s: float) -> Figure:
    """Return a figure whose share of the ceiling is not known yet."""
    ratio = baseline_s / ours_s
    return {
        "name": name,
        "what": what,
        "ours_s": ours_s,
        "baseline_s": baseline_s,
        "ratio": ratio,
        "ceiling_share": None,
    }


class Ceiling:
    """What the machine does at most, measured: products of large matrices, and copies of memory.

    Args:
        device: where.
        runs: timed runs of each.
    """

    def __init__(self, device: str, runs: int) -> None:
        self.flops = {t: self._product(device, t, runs) for t in (torch.float32, torch.bfloat16)}
        source = torch.rand(64 * 1024 * 1024, device=device)
        target = torch.empty_like(source)
        # Every byte is read and written.
        self.bytes = 2 * source.numel() * 4 / median(lambda: target.copy_(source), runs)

    @staticmethod
    def _product(device: str, dtype: torch.dtype, runs: int) -> float:
        """Return the floating-point operations in a second of a large matrix product."""
        size = 2048
        left, right = (torch.rand(size, size, device=device).to(dtype) for _ in range(2))
        return 2 * size**3 / median(lambda: left @ right, runs)

    def seconds(self, fp32: float = 0.0, bf16: float = 0.0, moved: float = 0.0) -> float:
        """Return the least time for so many operations in each arithmetic and bytes moved."""
        products = fp32 / self.flops[torch.float32] + bf16 / self.flops[torch.bfloat16]
        return products + moved / self.bytes

    def as_figure(self) -> Figure:
        """Return what was measured, for the results file."""
        return {
            "name": "ceiling",
            "fp32_gflops": self.flops[torch.float32] / 1e9,
            "bf16_gflops": self.flops[torch.bfloat16] / 1e9,
            "memory_gb_s": self.bytes / 1e9,
        }
