"""Running the real commands on tiny data, and reading what they wrote.

Importing fairseq takes a program about five seconds. Unless a test says *cold*, the programs are
those of :mod:`helpers.warm`, forked from a process that has done so. A few tests of each kind of
program run the real one, so that its start is tested too.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import torch

from helpers import warm

REPO = Path(__file__).resolve().parents[2]
PLUGIN = REPO / "fairseq_seqgan"
TESTS = REPO / "tests"
LENGTH, WORDS = 8, 50  # of the oracle's data

_COMMON = f"--user-dir {PLUGIN} --task seqgan --cpu --seed 1 --log-format simple --num-workers 0"
_DATA = f"--fixed-length {LENGTH} --tokens-per-sample {LENGTH + 1}"
MODEL = (
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


def mle(data: Path, save_dir: Path, *more: object, model: str = MODEL, shape: str = _DATA) -> list:
    """Return the arguments of fairseq-train that pre-train G; *more* overrides."""
    options = f"{_COMMON} {shape} {model} {_SAVING} {_MLE}".split()
    return [data, *options, "--save-dir", save_dir, *more]


def gan(
    data: Path,
    save_dir: Path,
    start: Path | None,
    *more: object,
    model: str = MODEL,
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


def program(name: str, cold: bool = False) -> Path:
    """Return the program *name* of this environment: fairseq-train, python, ..."""
    return Path(sys.executable).with_name(name) if cold else warm.program(name)


def run(
    command: str,
    *args: object,
    cwd: Path | None = None,
    env: dict | None = None,
    cold: bool = False,
) -> Result:
    """Run the installed program *command* as a user would."""
    done = subprocess.run(
        [program(command, cold), *map(str, args)],
        cwd=cwd,
        env=_environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def run_python(
    *args: object, cwd: Path | None = None, env: dict | None = None, cold: bool = False
) -> Result:
    """Run a Python program or module with this interpreter."""
    return run("python", *args, cwd=cwd, env=env, cold=cold)


def _environment(more: dict | None = None) -> dict[str, str]:
    """Return this process's environment; the plugin is found without PYTHONPATH."""
    own = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return {**own, "OMP_NUM_THREADS": "1", **(more or {})}


class Running:
    """A command that was started by :func:`start`."""

    def __init__(self, process: subprocess.Popen, out: Path, err: Path) -> None:
        self.process, self.out, self.err = process, out, err

    def wait(self) -> Result:
        """Wait for its end."""
        try:
            code = self.process.wait(timeout=300)
        except subprocess.TimeoutExpired:
            self.process.kill()
            printed = self.out.read_text()[-2000:] + self.err.read_text()[-2000:]
            raise TimeoutError(printed) from None
        return Result(code, self.out.read_text(), self.err.read_text())


# A fairseq command after other Python code.
_PREPARED = """
import importlib, sys
sys.path.insert(0, {tests!r})
{setup}
sys.argv[0] = "fairseq-{command}"
importlib.import_module("fairseq_cli.{command}").cli_main()
"""


def start(
    command: str, logs: Path, args: list, setup: str = "", name: str = "log", cold: bool = False
) -> Running:
    """Start *command* (train, generate ...) in folder *logs*, into which it writes its output.

    *setup* is Python code that runs in it first and finds this package, ``helpers``.
    """
    logs.mkdir(parents=True, exist_ok=True)
    out, err = logs / f"{name}.out", logs / f"{name}.err"
    if setup:
        code = _PREPARED.format(tests=str(TESTS), setup=setup, command=command)
        begin = [program("python", cold), "-c", code]
    else:
        begin = [program(f"fairseq-{command.replace('_', '-')}", cold)]
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            [*begin, *map(str, args)],
            cwd=logs,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
    return Running(process, out, err)


def fork(command: str, logs: Path, args: list, setup: str = "") -> Result:
    """Run *command* as :func:`start` does, and wait for it."""
    return start(command, logs, args, setup).wait()


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
