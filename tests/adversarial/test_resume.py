"""Stopping and training on is, to the last bit, training straight through."""

import os
import re
import signal
import time

import pytest
from helpers.commands import (
    G_STEPS,
    POOL_UPDATES,
    TOTAL_UPDATES,
    differences,
    fork,
    gan,
    load,
    start,
    training_state,
)
from helpers.trainings import played_options

pytestmark = pytest.mark.slow

ROUND_UPDATES = (TOTAL_UPDATES - POOL_UPDATES) // 2
STOPS = {
    "in pre-training": 5,
    "at the end of pre-training": POOL_UPDATES,
    "between two G steps": POOL_UPDATES + 1,
    "before a pool is drawn": POOL_UPDATES + G_STEPS,
    "in a d-step": POOL_UPDATES + G_STEPS + 4,
    "in a d-step, at the end of a pass": POOL_UPDATES + G_STEPS + POOL_UPDATES // 2,
}


# A machine without bfloat16 would compute in float32, as without the option.
BFLOAT16 = """
from fairseq_seqgan.models import dtypes
dtypes.has_bfloat16 = lambda uses_gpu: True
"""


def stop_and_go(folder, stops, args, setup=""):
    """Train until every update of *stops* in a process of its own, then to the end."""
    for stop in stops:
        fork("train", folder, [*args, "--max-update", stop], setup).check()
        assert training_state(folder / "checkpoint_last.pt")["updates"] == stop
    fork("train", folder, args, setup).check()
    return training_state(folder / "checkpoint_last.pt")


@pytest.mark.parametrize("where", STOPS)
def test_resume_is_exact(where, data, pretrained, played, tmp_path):
    """Stopped in any phase: equal nets, optimizer states and negatives at the end, bit for bit."""
    args = gan(data, tmp_path, pretrained.best, *played_options(data))
    resumed = stop_and_go(tmp_path, [STOPS[where]], args)
    straight = training_state(played.last)
    assert resumed["updates"] == straight["updates"] == TOTAL_UPDATES
    assert differences(resumed, straight) == []


def test_states_hold_what_resume_needs(played, pretrained):
    """The states compared above are complete: both nets, Adam's moments of both, 200 negatives."""
    state = training_state(played.last)
    assert differences(state["generator"], load(pretrained.best)["model"]) != []
    groups = state["optimizer"]["param_groups"]
    generator, discriminator = (group["params"] for group in groups)
    assert len(generator) == len(state["generator"])
    assert len(discriminator) == len(state["discriminator"])
    moments = state["optimizer"]["state"]
    assert all(moments[i]["exp_avg"].abs().sum() > 0 for i in [*generator, *discriminator])
    assert state["task"]["pool"]["negatives"].shape == (200, 8)


@pytest.mark.parametrize(
    ("options", "stops"),
    [
        # Stopped after the last G step, twice: the rollout policy must outlive a process
        # that does not use it.
        (
            "--rollout-ema-decay 0.5 --lr-scheduler inverse_sqrt --warmup-updates 10",
            [TOTAL_UPDATES - 9, TOTAL_UPDATES - 5],
        ),
        (
            # The rate falls after the first round, which its validation ends.
            "--lr-scheduler reduce_lr_on_plateau --lr-patience 0 --lr-threshold 0.9",
            [POOL_UPDATES, POOL_UPDATES + ROUND_UPDATES],
        ),
        ("--rollout-dtype bfloat16", [POOL_UPDATES + 1, TOTAL_UPDATES - 9]),
        ("--update-freq 2 --weight-decay 0.1", [5, POOL_UPDATES + 1, POOL_UPDATES + G_STEPS + 4]),
    ],
)
def test_resume_is_exact_with(options, stops, data, pretrained, tmp_path):
    """The same with options that keep a state of their own."""
    options = options.split()
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    setup = BFLOAT16 if "bfloat16" in options else ""
    fork("train", straight, gan(data, straight, pretrained.best, *options), setup).check()
    args = gan(data, resumed, pretrained.best, *options)
    state = stop_and_go(resumed, stops, args, setup)
    states = state, training_state(straight / "checkpoint_last.pt")
    assert differences(*states) == []
    if "--rollout-ema-decay" in options:
        assert differences(states[0]["task"]["rollout_policy"], states[0]["generator"]) != []


def test_resume_after_kill(data, pretrained, played, tmp_path):
    """Killed in a d-step, the training goes on from its last saved update as if nothing was."""
    args = gan(data, tmp_path, pretrained.best, *played_options(data))
    running = start("train", tmp_path, [*args, "--save-interval-updates", 5], cold=True)
    while not re.search(r"Saved checkpoint.*@ 20 updates", log := running.out.read_text()):
        assert running.process.poll() is None, log
        time.sleep(0.005)
    os.kill(running.process.pid, signal.SIGKILL)
    assert running.wait().returncode == -signal.SIGKILL
    assert 20 <= training_state(tmp_path / "checkpoint_last.pt")["updates"] < TOTAL_UPDATES
    fork("train", tmp_path, args).check()
    assert (
        differences(training_state(tmp_path / "checkpoint_last.pt"), training_state(played.last))
        == []
    )
