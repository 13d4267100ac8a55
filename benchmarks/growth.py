"""How the time and memory of a G step grow with each size, the others being the paper's.

The targets of a study: T, N, V, B, the rollout stride, and larger generators. One timed step each
after a warm-up.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import memory
from paper import Paper, Sizes
from timing import Figure, seconds

VARIED = {
    "length": (20, 40, 80),
    "rollouts": (1, 4, 16, 64),
    "words": (1000, 5000, 20_000, 50_000),
    "batch": (16, 64, 256),
}
GENERATORS = (("lstm_lm", 32), ("lstm_lm", 512), ("transformer_lm", 512))


def all_sizes(batch_of_large: int = 8) -> Iterator[tuple[str, Sizes]]:
    """Yield (curve, sizes) for every point of every curve."""
    paper = Sizes()
    for name, values in VARIED.items():
        for value in values:
            varied: dict[str, Any] = {name: value}
            yield name, dataclasses.replace(paper, **varied)
    for length in VARIED["length"]:
        yield "stride", dataclasses.replace(paper, length=length, stride=4)
    for arch, hidden in GENERATORS:
        # The large ones on few sequences: a step of 64 takes minutes on two cores.
        yield (
            "generator",
            dataclasses.replace(paper, arch=arch, hidden=hidden, batch=batch_of_large),
        )


def growth(device: str, threads: int) -> Iterator[Figure]:
    """Measure every point; yield it as it comes."""
    for curve, sizes in all_sizes():
        paper = Paper(sizes, device)
        step = paper.trainer.g_step
        step.batch_size, whole = 2, step.batch_size  # a small step to warm up
        paper.g_step()
        step.batch_size = whole
        yield {
            "curve": curve,
            **dataclasses.asdict(sizes),
            "seconds": seconds(paper.g_step),
            "peak_memory_mb": memory.peak(sizes, device, threads),
        }


def widest(device: str, threads: int) -> Figure:
    """Return the peak memory of a G step at V = 50,000 and T = 80."""
    sizes = Sizes(words=50_000, length=80)
    found = memory.peak(sizes, device, threads)
    return {"name": "peak_memory_large_mb", "what": "V = 50,000, T = 80", "ours_mb": found}
