"""Running the real commands on tiny data, and reading what they wrote.

A fairseq command takes about five seconds to import fairseq. ``run`` pays that, as a user does;
``fork`` starts the same command in a process forked from one that has imported fairseq (but not
the plugin) already, which is as good wherever the start of the program is not the point.
"""

import argparse
import importlib
import multiprocessing
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from socket import socket
from typing import NamedTuple

import torch

REPO = Path(__file__).resolve().parents[2]
PLUGIN = REPO / "fairseq_seqgan"
LENGTH, WORDS = 8, 50  # of the oracle's data

_COMMANDS = ("train", "preprocess", "generate", "interactive", "eval_lm", "hydra_train", "validate")
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload([f"fairseq_cli.{name}" for name in _COMMANDS])

_COMMON = f"--user-dir {PLUGIN} --task seqgan --cpu --seed 1 --log-format simple --num-workers 0"
_DATA = f"--fixed-length {LENGTH} --tokens-per-sample {LENGTH + 1}"
_LSTM = (
    "--arch lstm_lm --decoder-embed-dim 16 --decoder-hidden-size 16 --decoder-out-embed-dim 16 "
    "--dropout 0.1"
)
_SAVING = "--no-epoch-checkpoints"
_MLE = "--criterion cross_entropy --optimizer adam --lr 0.01 --batch-size 32 --max-epoch 3"
_GAN = (
    "--criterion seqgan --optimizer seqgan_adam --lr 0.01 "
    "--batch-size 16 --rollouts 4 --rounds 2 --g-steps 2 --d-steps 1 --k 2 --pretrain-d-steps 1 "
    "--d-kernel-widths 1,2,3 --d-kernel-counts 8,8,8 --num-eval-samples 100"
)
# 200 positives and negatives in minibatches of 64: 7 in a pass, 14 for a pool with k = 2.
POOL_UPDATES, G_STEPS, ROUNDS = 14, 2, 2
TOTAL_UPDATES = POOL_UPDATES + ROUNDS * (G_STEPS + POOL_UPDATES)


class Result(NamedTuple):
    """What a finished command left behind."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """All it wrote."""
        return self.stdout + self.stderr

    def check(self) -> "Result":
        """Return this result if the command succeeded."""
        assert self.returncode == 0, self.output[-4000:]
        return self

    def logged(self, kind: str) -> list[dict[str, float]]:
        """Return the numbers of every log line of *kind*: train, valid or train_inner."""
        lines = [line.split(" | ", 3) for line in self.stdout.splitlines()]
        return [
            {name: float(value) for name, value in NUMBER.findall(line[3])}
            for line in lines
            if line[2:3] == [kind]
        ]


# "name=1.5, " in the middle of an epoch, "| name 1.5 |" at its end; "name=None" is no number.
NUMBER = re.compile(r"(?:\| |, |\d )(\w+)[= ](-?(?:\d[\d.e+-]*|nan|inf))(?=,| \||$)")


def mle(data: Path, save_dir: Path, *more: object, model: str = _LSTM, shape: str = _DATA) -> list:
    """Return the arguments of fairseq-train that pre-train G; *more* overrides."""
    options = f"{_COMMON} {shape} {model} {_SAVING} {_MLE}".split()
    return [data, *options, "--save-dir", save_dir, *more]


def gan(
    data: Path,
    save_dir: Path,
    start: Path | None,
    *more: object,
    model: str = _LSTM,
    shape: str = _DATA,
    saving: str = _SAVING,
) -> list:
    """Return the arguments of fairseq-train that play two rounds from checkpoint *start*."""
    options = f"{_COMMON} {shape} {model} {saving} {_GAN}".split()
    begin = ["--finetune-from-model", start] if start is not None else []
    return [data, *options, "--save-dir", save_dir, *begin, *more]


def generate(data: Path, checkpoint: Path, *more: object) -> list:
    """Return the arguments of fairseq-generate that sample from *checkpoint*."""
    options = f"{_COMMON} --sampling --gen-subset test".split()
    return [data, *options, "--path", checkpoint, *more]


def run(command: str, *args: object, cwd: Path | None = None, env: dict | None = None) -> Result:
    """Run the installed program *command* as a user would."""
    program = Path(sys.executable).with_name(command)
    return run_python(program, *args, cwd=cwd, env=env)


def run_python(*args: object, cwd: Path | None = None, env: dict | None = None) -> Result:
    """Run a Python program or module with this interpreter."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, *map(str, args)],
        cwd=cwd,
        env={**environment, "OMP_NUM_THREADS": "1", **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return Result(done.returncode, done.stdout, done.stderr)


class Running:
    """A command that was started by :func:`start`."""

    def __init__(self, process: multiprocessing.Process, out: Path, err: Path) -> None:
        self.process, self.out, self.err = process, out, err

    def wait(self) -> Result:
        """Wait for its end."""
        self.process.join(timeout=300)
        if self.process.is_alive():
            self.process.kill()
            raise TimeoutError(self.out.read_text()[-2000:] + self.err.read_text()[-2000:])
        return Result(self.process.exitcode, self.out.read_text(), self.err.read_text())


def start(
    command: str, logs: Path, args: list, setup: Callable | None = None, name: str = "log"
) -> Running:
    """Start *command* (train, generate ...) in a forked process that writes into folder *logs*.

    *setup*, a function of this process's choice that takes no argument, is called in it first.
    """
    logs.mkdir(parents=True, exist_ok=True)
    out, err = logs / f"{name}.out", logs / f"{name}.err"
    out.touch()
    argv = [str(arg) for arg in args]
    process = _SERVER.Process(target=_main, args=(command, argv, out, err, logs, setup))
    process.start()
    return Running(process, out, err)


def fork(command: str, logs: Path, args: list, setup: Callable | None = None) -> Result:
    """Run *command* in a forked process and wait for it."""
    return start(command, logs, args, setup).wait()


def _main(
    command: str, argv: list[str], out: Path, err: Path, cwd: Path, setup: Callable | None
) -> None:
    """Become *command*: its streams, its arguments, and then its main function."""
    for path, stream in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY), stream)
    os.chdir(cwd)
    multiprocessing.set_start_method("fork", force=True)  # fairseq's data loaders, as ever
    torch.set_num_threads(1)
    sys.argv = [f"fairseq-{command}", *argv]
    if "pytorch_ddp" in argv:
        _let_pytorch_ddp_run_on_cpu()
    if setup is not None:
        setup()
    importlib.import_module(f"fairseq_cli.{command}").cli_main()


def _let_pytorch_ddp_run_on_cpu() -> None:
    """Drop the device numbers that fairseq always passes, and torch refuses without a GPU."""
    from fairseq.models import distributed_fairseq_model as module

    wrapper = module.DistributedDataParallel
    module.DistributedDataParallel = lambda **options: wrapper(
        **{**options, "device_ids": None, "output_device": None}
    )


def train_ranks(
    logs: Path, args: list, ddp: str = "legacy_ddp", setup: Callable | None = None
) -> list[Result]:
    """Run fairseq-train in two processes that train together over gloo; return their results."""
    with closing(socket()) as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    world = (
        f"--ddp-backend {ddp} --distributed-world-size 2 --distributed-backend gloo "
        f"--distributed-init-method tcp://localhost:{port} --distributed-no-spawn"
    ).split()
    ranks = [
        start("train", logs, [*args, *world, "--distributed-rank", rank], setup, f"rank{rank}")
        for rank in (0, 1)
    ]
    return [rank.wait() for rank in ranks]


def load(checkpoint: Path) -> dict:
    """Load a fairseq checkpoint; a stock one of an ``lstm_lm`` holds an ``argparse.Namespace``."""
    torch.serialization.add_safe_globals([argparse.Namespace])
    return torch.load(checkpoint, map_location="cpu", weights_only=True)


def training_state(checkpoint: Path) -> dict:
    """Return from *checkpoint* all that the rest of a training depends on."""
    state = load(checkpoint)
    return {
        "generator": state["model"],
        "discriminator": state["criterion"],
        "optimizer": state["last_optimizer_state"],
        "task": state["extra_state"]["SeqGANTask"],
        "updates": state["optimizer_history"][-1]["num_updates"],
    }


def differences(a: object, b: object, path: str = "") -> list[str]:
    """Return where two nested states differ, by a single bit; nothing if they are equal."""
    if torch.is_tensor(a) and torch.is_tensor(b):
        same = a.dtype == b.dtype and torch.equal(a, b)
        return [] if same else [path]
    if isinstance(a, dict) and isinstance(b, dict):
        if a.keys() != b.keys():
            return [f"{path}: the keys"]
        return [found for key in a for found in differences(a[key], b[key], f"{path}/{key}")]
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        if len(a) != len(b):
            return [f"{path}: the length"]
        pairs = enumerate(zip(a, b, strict=True))
        return [found for i, (x, y) in pairs for found in differences(x, y, f"{path}/{i}")]
    return [] if a == b else [f"{path}: {a} and {b}"]
