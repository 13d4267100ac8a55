"""Algorithm 1 as a pure function."""

import pytest

from fairseq_seqgan.adversarial.schedule import Phase, Schedule, Step
from fairseq_seqgan.support.errors import InputError

SMALL = Schedule(pretrain_d_steps=2, rounds=2, g_steps=2, d_steps=2, k=2, batches=2)


def pretrain(d_step, epoch, position, pool):
    return Step(Phase.PRETRAIN, 0, 0, d_step, epoch, position, pool)


def g_step(round_, number):
    return Step(Phase.GENERATOR, round_, number)


def d_step(round_, d_step, epoch, position, pool):
    return Step(Phase.DISCRIMINATOR, round_, 0, d_step, epoch, position, pool)


WRITTEN_OUT = [
    pretrain(0, 0, 0, 1),
    pretrain(0, 0, 1, 1),
    pretrain(0, 1, 0, 1),
    pretrain(0, 1, 1, 1),
    pretrain(1, 0, 0, 2),
    pretrain(1, 0, 1, 2),
    pretrain(1, 1, 0, 2),
    pretrain(1, 1, 1, 2),
    g_step(1, 0),
    g_step(1, 1),
    d_step(1, 0, 0, 0, 3),
    d_step(1, 0, 0, 1, 3),
    d_step(1, 0, 1, 0, 3),
    d_step(1, 0, 1, 1, 3),
    d_step(1, 1, 0, 0, 4),
    d_step(1, 1, 0, 1, 4),
    d_step(1, 1, 1, 0, 4),
    d_step(1, 1, 1, 1, 4),
    g_step(2, 0),
    g_step(2, 1),
    d_step(2, 0, 0, 0, 5),
    d_step(2, 0, 0, 1, 5),
    d_step(2, 0, 1, 0, 5),
    d_step(2, 0, 1, 1, 5),
    d_step(2, 1, 0, 0, 6),
    d_step(2, 1, 0, 1, 6),
    d_step(2, 1, 1, 0, 6),
    d_step(2, 1, 1, 1, 6),
]


def test_every_update_of_a_small_game():
    """Every update, written out by hand."""
    assert [SMALL(update) for update in range(SMALL.total_updates)] == WRITTEN_OUT


def test_resuming_is_asking_again():
    """The step does not depend on what was asked before."""
    for update in (20, 3, 27, 0, 20):
        assert SMALL(update) == WRITTEN_OUT[update]


def test_epochs_cover_all_updates():
    """An epoch is a pool of pre-training or a round; together they are the whole training."""
    lengths = [SMALL.epoch_updates(epoch) for epoch in range(1, SMALL.epochs + 1)]
    assert lengths == [4, 4, 10, 10]
    assert sum(lengths) == SMALL.total_updates


def test_the_authors_recipe():
    """313 minibatches a pass, 46,950 updates of pre-training, 4,696 a round."""
    schedule = Schedule(50, 200, 1, 5, 3, batches=313)
    assert schedule.pretrain_updates == 46_950
    assert schedule.round_updates == 4_696
    assert schedule(46_950).phase is Phase.GENERATOR
    assert schedule(46_951) == d_step(1, 0, 0, 0, 51)


def test_without_any_step_of_d():
    """The controls may go without D."""
    schedule = Schedule(0, 3, 2, 0, 1, batches=9)
    assert [schedule(u) for u in range(schedule.total_updates)] == [
        g_step(r, n) for r in (1, 2, 3) for n in (0, 1)
    ]


@pytest.mark.parametrize("update", [-1, SMALL.total_updates])
def test_an_update_outside_the_game(update):
    """Beyond the last round there is no step."""
    with pytest.raises(ValueError, match="not in 0"):
        SMALL(update)


@pytest.mark.parametrize(
    ("name", "value"),
    [("rounds", 0), ("g_steps", 0), ("d_steps", -1), ("k", 0), ("pretrain_d_steps", -1)],
)
def test_counts_out_of_range(name, value):
    """The message names the option."""
    counts = {"pretrain_d_steps": 1, "rounds": 1, "g_steps": 1, "d_steps": 1, "k": 1, "batches": 1}
    with pytest.raises(InputError, match="--" + name.replace("_", "-")):
        Schedule(**{**counts, name: value})
