"""Killed at any moment, a training started again by the same command ends as if undisturbed."""

import json
import os
import random
import signal

import pytest
from helpers.commands import differences, fork, gan, load, mle

pytestmark = pytest.mark.slow

KILLS = 20
SAVING = ["--save-interval-updates", 2, "--keep-interval-updates", 2, "--num-eval-samples", 20]
SCHEDULED = "--criterion scheduled_sampling --ss-start 0.9 --ss-decay 0.05 --max-epoch 18".split()
SCHEDULED += "--no-epoch-checkpoints --batch-size 32".split()


def adversarial(data, start, folder):
    """Return the arguments of an adversarial training of 110 updates."""
    return gan(data, folder, start, "--rounds", 6, *SAVING)


def scheduled_sampling(data, start, folder):
    """Return the arguments of 126 updates of scheduled sampling."""
    return mle(data, folder, *SCHEDULED, *SAVING)


def outcome(checkpoint):
    """Return what a training has computed, as its last checkpoint holds it."""
    state = load(checkpoint)
    extra = state["extra_state"]
    kept = {name: extra.get(name) for name in ("SeqGANTask", "train_iterator", "best", "val_loss")}
    parts = {part: state[part] for part in ("model", "criterion", "last_optimizer_state")}
    return parts | kept | {"updates": state["optimizer_history"][-1]["num_updates"]}


@pytest.mark.parametrize(
    ("training", "updates"), [(adversarial, 110), (scheduled_sampling, 126)], ids=["gan", "ss"]
)
def test_twenty_kills_in_a_row(training, updates, data, pretrained, tmp_path):
    """SIGKILL at random times, in the start and in updates, validations and saves."""
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    fork("train", straight, training(data, pretrained.best, straight)).check()
    args, rng = training(data, pretrained.best, killed), random.Random(13)
    for _ in range(KILLS):
        when = rng.choice([0, 1, 2, 3]), rng.random()
        setup = f"from helpers import faults; faults.kill_after{when}"
        result = fork("train", killed, args, setup)
        assert result.returncode == -signal.SIGKILL, result.output[-2000:]
    fork("train", killed, args).check()
    expected = outcome(straight / "checkpoint_last.pt")
    assert expected["updates"] == updates
    assert differences(outcome(killed / "checkpoint_last.pt"), expected) == []


def test_a_hundred_kills_while_saving(data, pretrained, tmp_path):
    """Whatever byte or step is the last, all checkpoints are whole, and the last is usable."""
    setup = "from helpers import faults; faults.kill_while_saving(save=3, kills=100, seed=5)"
    args = gan(data, tmp_path, pretrained.best, *SAVING, "--max-update", 6)
    fork("train", tmp_path, args, setup).check()
    found = json.loads((tmp_path / "kills.json").read_text())
    kills = found["kills"]
    assert len(kills) == 100 and found["events"] >= 9
    deaths = [os.waitstatus_to_exitcode(status) for _, _, status, _, _ in kills]
    assert set(deaths) == {-signal.SIGKILL, -signal.SIGXFSZ}
    assert deaths.count(-signal.SIGXFSZ) > 20
    assert [kill for kill in kills if kill[4]] == []
    assert {updates for *_, updates, _ in kills} == {4, 6}
