"""Starting, interrupting and refusing the run.sh of an experiment."""

import os
import signal
import subprocess
from pathlib import Path

import yaml

from helpers.commands import REPO, program


def start(script: Path, recipe: Path | str, *arguments, **environment: str) -> subprocess.Popen:
    """Start *script* in a process group of its own, as from a shell."""
    command = [str(script), str(recipe), *map(str, arguments)]
    own = {"PYTHON": str(program("python")), "PYTHONPATH": str(REPO)}
    return subprocess.Popen(
        command, env=os.environ | own | environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def finish(process: subprocess.Popen) -> str:
    """Wait for run.sh; return what it printed."""
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, out[-3000:] + err[-3000:]
    return out


def kill_at(process: subprocess.Popen, words: str) -> list[str]:
    """Kill everything, as a power cut would, when a line of the output holds *words*."""
    seen = []
    for line in process.stdout:
        seen.append(line)
        if words in line:
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, "".join(seen)
    return seen


def refused(script: Path, *arguments, **environment: str) -> str:
    """Return the one line that run.sh ends with."""
    process = start(script, *arguments, **environment)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2, err
    assert err.startswith("error: ") and err.count("\n") == 1, err
    return err


def write(path: Path, recipe: dict) -> Path:
    """Write *recipe* as YAML to *path* and return it."""
    path.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
    return path
