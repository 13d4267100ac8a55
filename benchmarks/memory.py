"""The peak memory of a G step above the resting process, in a process of its own."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from paper import Paper, Sizes


def resident(field: str) -> float:
    """Return a field of this process's status in MB: VmRSS is its memory now, VmHWM its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024


def _measure(pipe: Connection, sizes: Sizes, device: str, threads: int) -> None:
    torch.set_num_threads(threads)
    paper = Paper(sizes, device)
    if device == "cpu":
        before = resident("VmRSS")
        paper.g_step()
        # Not getrusage: its peak is inherited from the parent process.
        pipe.send(resident("VmHWM") - before)
    else:
        before = torch.cuda.memory_allocated()
        paper.g_step()
        pipe.send((torch.cuda.max_memory_allocated() - before) / 2**20)


def peak(sizes: Sizes, device: str, threads: int) -> float:
    """Return the peak memory of a G step of *sizes* above the resting process, in MB."""
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(send, sizes, device, threads))
    process.start()
    send.close()
    try:
        return receive.recv()
    finally:
        process.join()
