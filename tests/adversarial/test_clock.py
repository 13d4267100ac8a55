"""One clock: fairseq's epoch, its batches and the end follow from the number of updates."""

import re

import pytest
from fairseq.data.iterators import GroupedIterator
from helpers.commands import (
    POOL_UPDATES,
    ROUNDS,
    TOTAL_UPDATES,
    fork,
    gan,
    load,
    training_state,
)

from fairseq_seqgan.adversarial.clock import Clock
from fairseq_seqgan.adversarial.schedule import Phase, Schedule
from fairseq_seqgan.adversarial.update_iterator import UpdateIterator
from fairseq_seqgan.support.errors import DivergenceError, InputError

SCHEDULES = [
    Schedule(pretrain_d_steps=2, rounds=2, g_steps=2, d_steps=2, k=2, batches=2),
    Schedule(pretrain_d_steps=0, rounds=3, g_steps=2, d_steps=0, k=1, batches=9),
    Schedule(pretrain_d_steps=3, rounds=2, g_steps=1, d_steps=0, k=2, batches=1),
    Schedule(pretrain_d_steps=0, rounds=2, g_steps=3, d_steps=1, k=1, batches=1),
]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_epoch_is_a_function_of_the_updates(schedule):
    """The places of the epochs, written one after the other, are those of all updates."""
    places = [
        (epoch, place)
        for epoch in range(1, schedule.epochs + 1)
        for place in range(schedule.epoch_updates(epoch))
    ]
    assert [schedule.epoch_at(update) for update in range(schedule.total_updates)] == places
    assert schedule.epoch_at(schedule.total_updates) == (schedule.epochs + 1, 0)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_pool_is_a_function_of_the_updates(schedule):
    """The last pool that a step before the update belongs to."""
    drawn = 0
    for update in range(schedule.total_updates):
        assert schedule.pools_before(update) == drawn
        step = schedule(update)
        drawn = drawn if step.phase is Phase.GENERATOR else step.pool
    assert schedule.pools_before(schedule.total_updates) == drawn


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_iterator_is_the_rest_of_its_epoch(schedule, parts):
    """At every update: as many groups as the epoch still has updates, each with all its parts."""
    for update in range(schedule.total_updates):
        iterator = UpdateIterator(schedule, update, parts)
        epoch, place = schedule.epoch_at(update)
        iterator.load_state_dict({"version": 2, "epoch": 99, "iterations_in_epoch": 5})
        assert iterator.next_epoch_idx == epoch
        grouped = GroupedIterator(iterator.next_epoch_itr(shuffle=True), parts)
        assert grouped.n == place
        groups = list(grouped)
        assert len(groups) == schedule.epoch_updates(epoch) - place
        assert all([item["part"] for item in group] == list(range(parts)) for group in groups)
        assert iterator.end_of_epoch() and iterator.epoch == epoch
        assert iterator.next_epoch_idx == epoch + 1


def test_another_update_than_the_next_is_refused():
    clock = Clock(3)
    for wrong in (2, 4):
        with pytest.raises(InputError, match=f"begins update {wrong}, .* is at update 3"):
            clock.begin(wrong, 0)
    clock.begin(3, 0)
    clock.tick(3)
    clock.begin(4, 0)


def test_batches_without_an_update_are_counted_and_end_some_time():
    clock = Clock(0)
    for part in (0, 1, 0, 1, 0):
        clock.begin(0, part)
    assert (clock.updates, clock.lost) == (0, 2)
    clock.tick(0)
    clock.begin(1, 0)
    assert clock.lost == 2
    for _ in range(Clock.MOST_ATTEMPTS - 1):
        clock.begin(1, 0)
    with pytest.raises(DivergenceError, match=r"update 1: 300 batches in a row"):
        clock.begin(1, 0)


# fairseq's loop makes a number on the GPU when a gradient overflows, also without one.
WITHOUT_GPU = "import torch; torch.Tensor.cuda = lambda self, *args, **kwargs: self"
# Under --amp on a CPU, torch's scaler does nothing; the loss times 2^127 is infinite above 2.
SCALER = """
import torch
torch.cuda.amp.GradScaler = lambda **_: torch.amp.GradScaler("cpu", init_scale=2.0**127)
"""


def assert_whole(result, folder, overflows):
    """Check that all updates were made, that each epoch is whole, and that there were overflows."""
    result.check()
    assert result.stdout.count("overflow detected") >= overflows
    state = load(folder / "checkpoint_last.pt")
    assert state["optimizer_history"][-1]["num_updates"] == TOTAL_UPDATES
    ends = dict(re.findall(r"\| valid \| epoch (\d+) \|.*\| num_updates (\d+)", result.stdout))
    first = POOL_UPDATES
    whole = (TOTAL_UPDATES - first) // ROUNDS
    assert ends == {f"{1 + n:03}": str(first + n * whole) for n in range(1 + ROUNDS)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "overflows"),
    [
        # Most batches of the first epoch, and more than it has in two attempts.
        ("--fp16-init-scale 16777216", 10),
        ("--fp16-init-scale 1099511627776", 2 * POOL_UPDATES),
        ("--fp16-init-scale 16777216 --update-freq 2", 10),
    ],
)
def test_overflows_cost_no_update(options, overflows, data, pretrained, tmp_path):
    """With ``--fp16``, a batch whose gradient overflows takes fairseq's tick, and no update."""
    options = ["--fp16", "--fp16-no-flatten-grads", "--log-interval", 1, *options.split()]
    result = fork("train", tmp_path, gan(data, tmp_path, pretrained.best, *options), WITHOUT_GPU)
    assert_whole(result, tmp_path, overflows)
    assert "batches made no update" in result.stdout


@pytest.mark.slow
def test_overflows_under_amp(data, pretrained, tmp_path):
    """With ``--amp``, the optimizer's step is called, and does nothing."""
    options = ["--amp", "--amp-batch-retries", 1, "--rollout-ema-decay", 0.5]
    result = fork("train", tmp_path, gan(data, tmp_path, pretrained.best, *options), SCALER)
    assert_whole(result, tmp_path, 2)


@pytest.mark.slow
def test_stopped_after_overflows(data, pretrained, tmp_path):
    """Resumed in an epoch that has lost batches: it is finished, and so is the training."""
    options = ["--fp16", "--fp16-no-flatten-grads", "--fp16-init-scale", 2**24]
    args = gan(data, tmp_path, pretrained.best, *options)
    fork("train", tmp_path, [*args, "--max-update", 5], WITHOUT_GPU).check()
    assert training_state(tmp_path / "checkpoint_last.pt")["updates"] == 5
    fork("train", tmp_path, args, WITHOUT_GPU).check()
    assert training_state(tmp_path / "checkpoint_last.pt")["updates"] == TOTAL_UPDATES
