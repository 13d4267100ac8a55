"""Two trainings never write into one folder."""

import os
import signal
import time

import pytest
from helpers.commands import mle, run, start

from fairseq_seqgan.support import folder_lock
from fairseq_seqgan.support.errors import InputError

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


def test_a_lock_that_cannot_be_opened(tmp_path):
    """Such as that of a colleague, in a folder that the group may write into."""
    (tmp_path / ".lock").mkdir()
    with pytest.raises(InputError, match=r"--save-dir: .*\.lock: cannot be opened \(Is a dir"):
        folder_lock.hold(tmp_path)


def wait_for(path):
    """Return the line in *path* once it is there."""
    for _ in range(600):
        if path.exists() and (line := path.read_text().strip()):
            return line
        time.sleep(0.1)
    raise TimeoutError(path)
