"""Faults for a training process: killed at any moment, killed while it saves, a full disk.

Each function is called in that process before fairseq begins, as the *setup* of
:func:`helpers.commands.start`.
"""

import functools
import json
import os
import random
import resource
import signal
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

import torch


def kill_after(updates: int, moment: float) -> None:
    """Kill this process by SIGKILL some time after *updates* updates, or while it starts if 0.

    Args:
        moment: from 0 to 1; how far into the start, or into the two updates' time that follows.
    """
    from fairseq.trainer import Trainer

    def later(seconds: float) -> None:
        kill = threading.Timer(moment * seconds, os.kill, (os.getpid(), signal.SIGKILL))
        kill.daemon = True
        kill.start()

    if updates == 0:
        later(0.4)
        return
    step, done = Trainer.train_step, []

    @functools.wraps(step)
    def counting(self, *args, **kwargs):
        begun = time.monotonic()
        output = step(self, *args, **kwargs)
        done.append(time.monotonic() - begun)
        if len(done) == updates:
            later(2 * done[-1])
        return output

    Trainer.train_step = counting


class Kill(NamedTuple):
    """Where a process is killed while it saves.

    Args:
        event: the how-manieth time that it opens, renames or removes a file in the folder.
        limit: None: just before that; else as soon as it has written so many bytes into a file.
    """

    event: int
    limit: int | None


def kill_while_saving(save: int, kills: int, seed: int) -> None:
    """At the *save*-th save: *kills* times, have a copy of this process save and be killed.

    After each, the folder is looked at and put back. ``kills.json`` in the folder says for each
    what was found: where it was killed, how it ended, the updates in the last checkpoint, and the
    checkpoints that are not whole.
    """
    from fairseq import checkpoint_utils

    real, calls = checkpoint_utils.save_checkpoint, []

    @functools.wraps(real)
    def saving(cfg, *args, **kwargs):
        calls.append(cfg)
        if len(calls) == save:
            folder, rng = Path(cfg.save_dir), random.Random(seed)
            before = {path: path.read_bytes() for path in folder.glob("checkpoint*")}
            size = len(before[folder / "checkpoint_last.pt"])
            attempt = functools.partial(real, cfg, *args, **kwargs)
            events = _in_a_copy(folder, Kill(-1, None), attempt) >> 8
            found = []
            for _ in range(kills):
                _put_back(folder, before)
                limit = rng.choice([None, rng.randrange(size)])
                kill = Kill(rng.randrange(events), limit)
                status = _in_a_copy(folder, kill, attempt)
                found.append([*kill, status, *_look_at(folder)])
            _put_back(folder, before)
            (folder / "kills.json").write_text(json.dumps({"events": events, "kills": found}))
        return real(cfg, *args, **kwargs)

    checkpoint_utils.save_checkpoint = saving


def _in_a_copy(folder: Path, kill: Kill, save) -> int:
    """Call *save* in a copy of this process that is killed at *kill*; return its wait status.

    Without such an event, it exits with the number of those that it has seen.
    """
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    silence = os.open(os.devnull, os.O_WRONLY)  # the limit is for every file that is written
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    events = 0

    def watch(event: str, args: tuple) -> None:
        nonlocal events
        if event not in ("open", "os.rename", "os.remove") or str(folder) not in str(args[0]):
            return
        if events == kill.event:
            if kill.limit is None:
                os.kill(os.getpid(), signal.SIGKILL)
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # the system kills at that very byte
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_FSIZE, (kill.limit, kill.limit))
        events += 1

    sys.addaudithook(watch)
    try:
        save()
    except BaseException:
        os._exit(255)
    if kill.event >= 0:  # the limit was not reached
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(events)


def _put_back(folder: Path, before: dict[Path, bytes]) -> None:
    for path in folder.glob("checkpoint*"):
        path.unlink()
    for path, content in before.items():
        path.write_bytes(content)


def _look_at(folder: Path) -> tuple[int | None, list[str]]:
    """Return the updates in the last checkpoint of *folder*, and which checkpoints are broken."""
    from fairseq_seqgan.support.checkpoint_files import read_checkpoint

    updates, broken = None, []
    for path in folder.glob("checkpoint*.pt"):
        try:
            state = read_checkpoint(path)
        except ValueError:
            broken.append(path.name)
        else:
            if path.name == "checkpoint_last.pt":
                updates = state["optimizer_history"][-1]["num_updates"]
    return updates, broken


def fill_disk(save: int, size: int) -> None:
    """Let no file grow beyond *size* bytes from the *save*-th save on, as if the disk were full."""
    from fairseq import checkpoint_utils

    real, calls = checkpoint_utils.save_checkpoint, []

    @functools.wraps(real)
    def saving(*args, **kwargs):
        calls.append(args)
        if len(calls) == save:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        return real(*args, **kwargs)

    checkpoint_utils.save_checkpoint = saving


def flip_bit(path: Path, tensor: torch.Tensor) -> None:
    """Flip the lowest bit of the first number of *tensor*, float32, in the checkpoint *path*."""
    content = bytearray(path.read_bytes())
    found = content.find(tensor.contiguous().numpy().tobytes())
    assert found > 0
    content[found] ^= 1
    path.write_bytes(content)
