"""How several processes come to train together: started by torchrun, by slurm, or by fairseq.

fairseq trusts ``--distributed-world-size``, whose default is the number of GPUs that it sees. Where
that is 1 or 0, it overlooks that torchrun has started it several times: every process would train
alone, into the same folder. On a CPU it starts no process of its own, and says nothing about it.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Collection, Mapping

from .errors import InputError

_TORCHRUN = ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "RANK")
_SLURM = ("SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST")
_SIZE = "--distributed-world-size"


def launched(environment: Mapping[str, str]) -> int:
    """Return how many processes torchrun has started, this one among them; 1: it has not."""
    if not all(name in environment for name in _TORCHRUN):
        return 1
    return int(environment["WORLD_SIZE"])


def join(
    options: Namespace, given: Collection[str], environment: Mapping[str, str], gpus: int
) -> None:
    """Change the *options* of fairseq-train so that the processes of one launcher train together.

    Args:
        options: as fairseq has parsed them.
        given: the command line, which tells an option from its default.
        environment: what a launcher has set.
        gpus: that this process sees.

    Raises:
        InputError: fairseq would start another number of processes than it is asked for; the
            message has the command that works.
    """
    on_cpu = options.cpu or not gpus
    count = launched(environment)
    asked = any(word.split("=")[0] == _SIZE for word in given)
    if count > 1 and asked and options.distributed_world_size != count:
        raise InputError(
            f"{_SIZE} {options.distributed_world_size}: torchrun started {count} processes; "
            f"leave {_SIZE} out"
        )
    if count > 1 and options.distributed_init_method in (None, "env://"):
        options.distributed_init_method = "env://"
        options.distributed_world_size = count
        options.distributed_rank = int(environment["RANK"])
        options.distributed_no_spawn = True
        options.device_id = int(environment.get("LOCAL_RANK", 0)) % max(1, gpus)
    elif options.cpu and not asked:
        options.distributed_world_size = 1  # fairseq's default is the number of GPUs
    size = options.distributed_world_size
    if size > 1:
        _check(options, size, 0 if on_cpu else gpus, any(n in environment for n in _SLURM))
        if on_cpu and options.distributed_backend == "nccl":
            options.distributed_backend = "gloo"


def _check(options: Namespace, size: int, gpus: int, slurm: bool) -> None:
    """Refuse what would end in an assertion of fairseq, or in a training that never starts."""
    if options.distributed_no_spawn or (slurm and not options.distributed_init_method):
        return
    machines = options.distributed_init_method is not None  # each has a part of the processes
    if gpus == 0 or (gpus < size and not machines):
        raise InputError(
            f"{_SIZE} {size}: fairseq starts one process for each GPU, and "
            f"{'there is none' if gpus == 0 else f'there are {gpus}'} here; say torchrun "
            f"--nproc-per-node {size} --no-python fairseq-train ... without {_SIZE}"
        )


def check_together(environment: Mapping[str, str], size: int, on_cpu: bool) -> None:
    """Check that the processes that torchrun started do train together, as *size* processes.

    ``fairseq-hydra-train`` imports this plugin too late for :func:`join`.

    Raises:
        InputError: each would train alone; the message has the options that are missing.
    """
    count = launched(environment)
    if count == 1 or size > 1:
        return
    backend = " distributed_training.distributed_backend=gloo" if on_cpu else ""
    raise InputError(
        f"torchrun started {count} processes, and each would train alone; use fairseq-train, or "
        "say torchrun --no-python bash -c 'fairseq-hydra-train ... "
        f"distributed_training.distributed_init_method=env:// "
        f"distributed_training.distributed_world_size={count} "
        "distributed_training.distributed_rank=$RANK distributed_training.device_id=$LOCAL_RANK "
        f"distributed_training.distributed_no_spawn=true{backend}'"
    )
