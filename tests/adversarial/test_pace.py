"""Where a training is, and how long the rest takes."""

from collections import Counter
from types import SimpleNamespace

import pytest
from helpers.commands import POOL_UPDATES, differences, fork, gan, training_state
from helpers.trainings import played_options

from fairseq_seqgan.adversarial import pace as module
from fairseq_seqgan.adversarial.pace import Pace, place, remaining
from fairseq_seqgan.adversarial.schedule import Schedule

SCHEDULE = Schedule(pretrain_d_steps=2, rounds=3, g_steps=2, d_steps=2, k=2, batches=3)
SCHEDULES = [
    SCHEDULE,
    Schedule(pretrain_d_steps=0, rounds=2, g_steps=3, d_steps=1, k=1, batches=1),
    Schedule(pretrain_d_steps=1, rounds=2, g_steps=1, d_steps=0, k=1, batches=4),
]
# Nothing else waits: a line for every piece of work, and for every update.
TALKATIVE = "from fairseq_seqgan.support import progress_display as p; p.INTERVAL = 0.0"


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_what_remains(schedule):
    """Counted by going through all updates."""
    pace = Pace(schedule)
    for update in range(schedule.total_updates):
        kinds = Counter(pace._kind(u) for u in range(update, schedule.total_updates))
        assert +Counter(remaining(schedule, update)) == kinds, update


def test_time_left(monkeypatch):
    """Each kind of update takes as long as it did so far; unknown until one of each was seen."""
    now = [100.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    pace = Pace(SCHEDULE)
    seconds = {module._G: 10.0, module._POOL: 5.0, module._D: 1.0}
    total = sum(seconds[pace._kind(u)] for u in range(SCHEDULE.total_updates))
    for update in range(SCHEDULE.total_updates):
        pace.begin(update)
        passed = now[0] - 100
        if update > SCHEDULE.pretrain_updates:  # the first update of G has ended
            assert pace.left() == pytest.approx(total - passed)
        else:
            assert pace.left() is None
        now[0] += seconds[pace._kind(update)]


def test_places():
    assert place(SCHEDULE, 0) == "D's pre-training, pool 1 of 2, pass 1 of 2, minibatch 1 of 3"
    assert place(SCHEDULE, 12) == "round 1 of 3, g-step 1 of 2"
    last = "round 3 of 3, d-step 2 of 2, pass 2 of 2, minibatch 3 of 3"
    assert place(SCHEDULE, SCHEDULE.total_updates - 1) == last


@pytest.mark.slow
def test_a_training_says_where_it_is(data, pretrained, played, tmp_path):
    """Rollouts, pools and passes; the result is that of a silent training, bit for bit."""
    options = [*played_options(data), "--log-format", "none"]
    arguments = gan(data, tmp_path, pretrained.best, *options)
    result = fork("train", tmp_path, arguments, TALKATIVE).check()
    states = training_state(tmp_path / "checkpoint_last.pt"), training_state(played.last)
    assert differences(*states) == []
    for words in (
        "round 1 of 2, g-step 1 of 2; rollouts: ",
        "D's pre-training, pool 1 of 1, pass 1 of 2, minibatch 1 of 7; drawing 200 sequences: ",
        "round 2 of 2, d-step 1 of 1, pass 2 of 2, minibatch 7 of 7; about 0:0",
        "% done after 0:0",
    ):
        assert words in result.stdout, words
    assert " of the training left" not in result.stdout.split("g-step 2 of 2")[0]
    assert "g-step" not in played.result.output, "there is no line if nothing takes long"
    assert POOL_UPDATES == 14
