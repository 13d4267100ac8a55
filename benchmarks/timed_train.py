"""``fairseq-train`` that writes down how long each update took, and the memory after it.

    python benchmarks/timed_train.py OUT.json <arguments of fairseq-train>

OUT.json gets the numbers of parameters of G and D, and for every update its kind, its seconds, from
the end of the one before, the process's resident memory in MB (0 where the system does not tell
it), and the seconds of a fixed matrix product, by which a machine that gets slower is told apart.
Kinds: ``g_step``; ``pool``, an update of D that draws its pool first; ``d_update``, any
other update of D. Of several processes only the first writes.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from pathlib import Path

import torch
from fairseq.trainer import Trainer
from fairseq_cli.train import cli_main
from timing import seconds, wait

from fairseq_seqgan.adversarial.schedule import Phase, Schedule
from fairseq_seqgan.support import distributed


def kind(schedule: Schedule, update: int) -> str:
    """Return the kind of *update*."""
    step = schedule(update)
    if step.phase is Phase.GENERATOR:
        return "g_step"
    return "d_update" if step.pass_index or step.minibatch_index else "pool"


def resident() -> float:
    """Return the resident memory of this process in MB; 0 where Linux's /proc is missing."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    """Train, and write the times."""
    out = Path(sys.argv.pop(1))
    train_step, times, memory, probes, last = Trainer.train_step, [], [], [], None
    matrix = torch.ones(256, 256)

    @functools.wraps(train_step)
    def timed(trainer: Trainer, *args: object, **kwargs: object) -> object:
        nonlocal last
        wait()
        begin = time.perf_counter() if last is None else last
        update = trainer.get_num_updates()
        output = train_step(trainer, *args, **kwargs)
        wait()
        spent = time.perf_counter() - begin
        times.append([kind(trainer.task.adversarial.schedule, update), spent])
        memory.append(resident())
        probes.append(seconds(lambda: matrix @ matrix))
        counts = {
            net: sum(p.numel() for p in getattr(trainer, net).parameters())
            for net in ("model", "criterion")
        }
        if update + 1 == trainer.cfg.optimization.max_update and not distributed.rank():
            found = {"parameters": counts, "updates": times, "memory_mb": memory}
            out.write_text(json.dumps({**found, "probes": probes}))
        last = time.perf_counter()
        return output

    Trainer.train_step = timed
    cli_main()


if __name__ == "__main__":
    main()
