"""What a run was made on and with, as ``run.json`` states it."""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

from .recipe import ROOT


@cache
def hardware(with_gpu: bool) -> str:
    """Return the processor and the cores that this process may use, and the GPU if it is used."""
    parts = [processor(), f"{len(os.sched_getaffinity(0))} cores"]
    if with_gpu:
        parts += _output(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]).splitlines()
    return ", ".join(parts)


def processor() -> str:
    """Return the name of the processor, or of its architecture where it has no name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


@cache
def software() -> str:
    """Return the versions that results depend on."""
    packages = [f"{name} {metadata.version(name)}" for name in ("torch", "fairseq-fixed", "numpy")]
    return ", ".join([f"Python {platform.python_version()}", *packages])


@cache
def commit() -> str:
    """Return the commit of this checkout, with -dirty if files differ from it."""
    words = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=40"]
    return _output([*words, "--exclude", "*"]) or "unknown"


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def portable(command: list[str], variables: Mapping[str, object], places: dict[str, Path]) -> str:
    """Return a command line that does not name this machine's folders.

    Args:
        variables: of the environment, in front of it.
        places: folders and files by what stands for them; programs and this checkout follow.
    """
    words = shlex.join([*(f"{name}={value}" for name, value in variables.items()), *command])
    # One place may lie in another, and a name may begin as that of a place does.
    for name, path in sorted(places.items(), key=lambda place: -len(str(place[1]))):
        words = re.sub(rf"{re.escape(str(path))}(?![^/\s'\":,=])", name, words)
    words = words.replace(sys.executable, "python")
    return words.replace(f"{Path(sys.executable).parent}/", "").replace(f"{ROOT}/", "")
