"""Two trainings never write into one folder."""

import os
import signal
import time

import pytest
from helpers.commands import mle, run, start

pytestmark = pytest.mark.slow

# A data loader's process, which is forked, must not keep the lock of a training that was killed.
WORKERS = ["--num-workers", 2]


def test_a_second_training_is_refused(data, tmp_path):
    """It says who is there; the first one ends undisturbed, and then another may begin."""
    args = mle(data, tmp_path, "--max-epoch", 100000, "--disable-validation", *WORKERS)
    first = start("train", tmp_path, args)
    lock = wait_for(tmp_path / ".lock")
    try:
        second = run("fairseq-train", *args)
        assert second.returncode == 2
        (line,) = [line for line in second.stderr.splitlines() if line.startswith("error:")]
        assert f"--save-dir {tmp_path}: another training ({lock}) is writing into it" in line
        assert first.process.poll() is None
    finally:
        os.kill(int(lock.split()[1]), signal.SIGKILL)
        first.process.wait()
    run("fairseq-train", *mle(data, tmp_path, "--max-epoch", 1)).check()
    assert wait_for(tmp_path / ".lock") != lock


def wait_for(path):
    """Return the line in *path* once it is there."""
    for _ in range(600):
        if path.exists() and (line := path.read_text().strip()):
            return line
        time.sleep(0.1)
    raise TimeoutError(path)
