"""Trainings by two or more processes on this machine, which exchange gradients over gloo."""

import functools
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from socket import socket

import torch

from helpers.commands import Result, Running, start


def start_ranks(
    logs: Path, args: list, ddp: str = "legacy_ddp", setup: str = "", size: int = 2
) -> tuple[Running, ...]:
    """Start fairseq-train in *size* processes that train together.

    *setup* is Python code that runs in each of them first.
    """
    with closing(socket()) as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    world = (
        f"--ddp-backend {ddp} --distributed-world-size {size} --distributed-backend gloo "
        f"--distributed-init-method tcp://localhost:{port} --distributed-no-spawn"
    ).split()
    return tuple(
        start("train", logs, [*args, *world, "--distributed-rank", rank], setup, f"rank{rank}")
        for rank in range(size)
    )


def train_ranks(
    logs: Path, args: list, ddp: str = "legacy_ddp", setup: str = "", size: int = 2
) -> tuple[Result, ...]:
    """Run fairseq-train in *size* processes that train together; return their results."""
    return tuple(rank.wait() for rank in start_ranks(logs, args, ddp, setup, size))


def own_rank() -> int:
    """Return the number of this training process, from 0."""
    option = "--distributed-rank"
    return int(sys.argv[sys.argv.index(option) + 1]) if option in sys.argv else 0


def record(folder: str) -> None:
    """In a training process: write what every update was trained on, and the weights at the end."""
    from fairseq.trainer import Trainer

    step, dealt, seeds = Trainer.train_step, [], []

    @functools.wraps(step)
    def recording(self, samples, *args, **kwargs):
        make_batch = self.task.adversarial.make_batch
        if not hasattr(make_batch, "recording"):

            def recording_batch(*about):
                sample = make_batch(*about)
                dealt.append(sample["tokens"].clone())
                seeds.append(torch.initial_seed())
                return sample

            recording_batch.recording = True
            self.task.adversarial.make_batch = recording_batch
        output = step(self, samples, *args, **kwargs)
        weights = {"G": self.model.state_dict(), "D": self.criterion.state_dict()}
        about = {"weights": weights, "dealt": dealt, "seeds": seeds}
        torch.save(about, f"{folder}/rank{own_rank()}.pt")
        return output

    Trainer.train_step = recording


def record_gradients(path: str) -> None:
    """In a training process: write the gradient that every update hands to the optimizer."""
    from fairseq_seqgan.support.distributed import unwrap
    from fairseq_seqgan.tasks.seqgan import SeqGANTask

    gradients = []

    def recording(self, optimizer, model, update_num):
        nets = unwrap(model), self.criterion
        named = {name: p for net in nets for name, p in net.named_parameters()}
        none = {name: torch.zeros_like(p) for name, p in named.items() if p.grad is None}
        gradients.append(none | {k: p.grad.clone() for k, p in named.items() if k not in none})
        torch.save(gradients, path)

    before_each(SeqGANTask, "optimizer_step", recording)


def record_batches(folder: str) -> None:
    """In a training process: write the rollouts of every G step and every minibatch of D."""
    from fairseq_seqgan.adversarial.generator_step import GeneratorStep
    from fairseq_seqgan.adversarial.minibatches import Pool

    drawn = {"rollouts": [], "minibatches": []}

    def keep(kind, output):
        drawn[kind].append(as_dict(output))
        torch.save(drawn, f"{folder}/batches{own_rank()}.pt")

    after_each(GeneratorStep, "_draw", functools.partial(keep, "rollouts"))
    after_each(Pool, "minibatch", functools.partial(keep, "minibatches"))


def replay_batches(folder: str) -> None:
    """In a training process: train on what :func:`record_batches` wrote in two, put together."""
    from fairseq_seqgan.adversarial.generator_step import GeneratorStep
    from fairseq_seqgan.adversarial.minibatches import Minibatch, Pool
    from fairseq_seqgan.policy.rollouts import Rollouts, Samples

    both = [torch.load(f"{folder}/batches{rank}.pt") for rank in (0, 1)]

    def joined(kind, number):
        return joined_rows(*(recorded[kind][number] for recorded in both))

    def draw(*_):
        found = joined("rollouts", 0)
        samples = Samples(**{k[8:]: v for k, v in found.items() if k.startswith("samples.")})
        own = {k: v for k, v in found.items() if not k.startswith("samples.")}
        half = len(samples.tokens) // 2
        second = torch.arange(len(own["sequence"])) >= len(both[0]["rollouts"][0]["sequence"])
        own["sequence"] = own["sequence"] + half * second
        return Rollouts(samples, **own)

    assert hasattr(GeneratorStep, "_draw")
    GeneratorStep._draw = draw
    Pool.minibatch = lambda *_: Minibatch(**joined("minibatches", 0))


def as_dict(value: tuple, prefix: str = "") -> dict:
    """Return the fields of a named tuple, and those of its fields as ``outer.inner``."""
    found = {}
    for name, field in value._asdict().items():
        nested = hasattr(field, "_asdict")
        found |= as_dict(field, f"{name}.") if nested else {f"{prefix}{name}": field}
    return found


def joined_rows(first: dict, second: dict) -> dict:
    """Return the rows of two dictionaries of tensors one after the other; the rest is equal."""
    return {
        name: torch.cat([value, second[name]]) if torch.is_tensor(value) else value
        for name, value in first.items()
    }


def break_rank_one(update: int, net: str) -> None:
    """In a training process: in rank 1 alone, set a weight of *net* to NaN before *update*."""
    from fairseq.trainer import Trainer

    def breaking(self, *_, **__):
        if own_rank() == 1 and self.get_num_updates() == update:
            parameters = getattr(self, net).parameters()
            next(parameters).data.fill_(torch.nan)

    before_each(Trainer, "train_step", breaking)


def before_each(cls: type, name: str, extra: Callable) -> None:
    """Call *extra* with the arguments of method *name* of *cls* before each of its calls."""
    method = getattr(cls, name)

    @functools.wraps(method)
    def both(self, *args, **kwargs):
        extra(self, *args, **kwargs)
        return method(self, *args, **kwargs)

    setattr(cls, name, both)


def after_each(cls: type, name: str, extra: Callable) -> None:
    """Call *extra* with the result of method *name* of *cls* after each of its calls."""
    method = getattr(cls, name)

    @functools.wraps(method)
    def both(self, *args, **kwargs):
        output = method(self, *args, **kwargs)
        extra(output)
        return output

    setattr(cls, name, both)
