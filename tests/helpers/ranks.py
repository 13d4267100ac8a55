"""Trainings by two processes on this machine, which exchange gradients over gloo."""

import functools
import sys
from contextlib import closing
from pathlib import Path
from socket import socket

import torch

from helpers.commands import Result, start

_ON_CPU = "from helpers import ranks; ranks.let_pytorch_ddp_run_on_cpu()"


def train_ranks(logs: Path, args: list, ddp: str = "legacy_ddp", setup: str = "") -> list[Result]:
    """Run fairseq-train in two processes that train together; return their results.

    *setup* is Python code that runs in each of them first.
    """
    with closing(socket()) as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    world = (
        f"--ddp-backend {ddp} --distributed-world-size 2 --distributed-backend gloo "
        f"--distributed-init-method tcp://localhost:{port} --distributed-no-spawn"
    ).split()
    if ddp == "pytorch_ddp":
        setup = f"{_ON_CPU}\n{setup}"
    ranks = [
        start("train", logs, [*args, *world, "--distributed-rank", rank], setup, f"rank{rank}")
        for rank in (0, 1)
    ]
    return [rank.wait() for rank in ranks]


def let_pytorch_ddp_run_on_cpu() -> None:
    """Drop the device numbers that fairseq always passes, and torch refuses without a GPU."""
    from fairseq.models import distributed_fairseq_model as module

    wrapper = module.DistributedDataParallel
    module.DistributedDataParallel = lambda **options: wrapper(
        **{**options, "device_ids": None, "output_device": None}
    )


def record(folder: str) -> None:
    """In a training process: write what every update was trained on, and the weights at the end."""
    from fairseq.trainer import Trainer

    rank = sys.argv[sys.argv.index("--distributed-rank") + 1]
    step, dealt = Trainer.train_step, []

    @functools.wraps(step)
    def recording(self, samples, *args, **kwargs):
        make_batch = self.task.adversarial.make_batch
        if not hasattr(make_batch, "recording"):

            def recording_batch(*about):
                sample = make_batch(*about)
                dealt.append(sample["tokens"].clone())
                return sample

            recording_batch.recording = True
            self.task.adversarial.make_batch = recording_batch
        output = step(self, samples, *args, **kwargs)
        weights = {"G": self.model.state_dict(), "D": self.criterion.state_dict()}
        torch.save({"weights": weights, "dealt": dealt}, f"{folder}/rank{rank}.pt")
        return output

    Trainer.train_step = recording
