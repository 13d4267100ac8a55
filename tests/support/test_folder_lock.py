"""Two trainings never write into one folder."""

import time

import pytest
from helpers.commands import load, run, start
from helpers.commands import mle as mle_args

pytestmark = pytest.mark.slow

# A data loader's process, which is forked, must not keep the lock of a training that was killed.
WORKERS = ["--num-workers", 2]


def test_a_second_training_is_refused(data, tmp_path):
    """It says who is there; the first one ends undisturbed, and then another may begin."""
    args = mle_args(data, tmp_path, "--max-epoch", 100000, "--disable-validation", *WORKERS)
    first = start("train", tmp_path, args)
    try:
        lock = wait_for(tmp_path / ".lock")
        second = run("fairseq-train", *args)
        assert second.returncode == 2
        (line,) = [line for line in second.stderr.splitlines() if line.startswith("error")]
        assert f"--save-dir {tmp_path}: another training ({lock}) is writing into it" in line
        assert first.process.poll() is None
    finally:
        first.process.kill()
        first.process.wait()
    run("fairseq-train", *mle_args(data, tmp_path, "--max-epoch", 1)).check()
    assert training_state_updates(tmp_path) == 7


def training_state_updates(folder):
    """Return how many updates the last checkpoint has seen; 200 sequences are 7 batches of 32."""
    return load(folder / "checkpoint_last.pt")["optimizer_history"][-1]["num_updates"]


def wait_for(path):
    """Return the line in *path* once it is there."""
    for _ in range(600):
        if path.exists() and (line := path.read_text().strip()):
            return line
        time.sleep(0.1)
    raise TimeoutError(path)
