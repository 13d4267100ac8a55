"""MLE and scheduled sampling, stopped anywhere, end as if they had not been, without any flag."""

import itertools

import pytest
from helpers.commands import differences, fork, load, mle

pytestmark = pytest.mark.slow

CRITERIONS = {
    "mle": [],
    "ss": "--criterion scheduled_sampling --ss-start 0.9 --ss-decay 0.35".split(),
}
EPOCH = 7  # updates


def outcome(folder):
    """Return what the training in *folder* has computed, as its last checkpoint holds it."""
    state = load(folder / "checkpoint_last.pt")
    kept = {name: state["extra_state"].get(name) for name in ("train_iterator", "best")}
    parts = {part: state[part] for part in ("model", "last_optimizer_state")}
    return parts | kept | {"updates": state["optimizer_history"][-1]["num_updates"]}


def stop_and_go(args, folder, stops):
    """Train until each of *stops* in a process of its own, and then to the end."""
    for stop in stops:
        fork("train", folder, [*args, "--max-update", stop]).check()
        assert outcome(folder)["updates"] == stop
    fork("train", folder, args).check()
    return outcome(folder)


@pytest.mark.parametrize(
    ("criterion", "options"),
    [
        *itertools.product(CRITERIONS, [()]),
        ("mle", ("--update-ordered-indices-seed",)),
        ("mle", ("--sample-break-mode", "none", "--fixed-length", 0)),
        ("mle", ("--max-tokens", 100, "--num-workers", 1, "--update-freq", 2)),
    ],
    ids=lambda value: value if isinstance(value, str) else "".join(map(str, value)),
)
def test_resume_is_exact(criterion, options, data, tmp_path):
    """Stopped within an epoch and at the end of one: the same weights and moments."""
    args = [*CRITERIONS[criterion], *options]
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    fork("train", straight, mle(data, straight, *args)).check()
    ours = stop_and_go(mle(data, resumed, *args), resumed, [EPOCH, 2 * EPOCH - 3])
    assert differences(ours, outcome(straight)) == []


@pytest.mark.parametrize(("patience", "interval"), [(0, 1), (1, 1), (0, 2)])
def test_plateaus_are_kept(patience, interval, data, tmp_path):
    """The rate falls after the same validations, whichever process made them.

    The end of a process makes a validation that is not one of these.
    """
    options = "--lr-scheduler reduce_lr_on_plateau --lr-shrink 0.5 --max-epoch 6".split()
    options += ["--validate-interval", interval, "--lr-patience", patience]
    options += ["--lr-threshold", 0.5]  # all validations are bad
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    fork("train", straight, mle(data, straight, *options)).check()
    expected = outcome(straight)
    assert expected["last_optimizer_state"]["param_groups"][0]["lr"] < 0.01
    stops = [epoch * EPOCH for epoch in range(1, 6)]
    ours = stop_and_go(mle(data, resumed, *options), resumed, [*stops[:3], stops[3] - 2, stops[4]])
    assert differences(ours, expected) == []


def test_patience_is_kept(data, tmp_path):
    """fairseq stops after 2 validations without improvement, whichever process counted the first.

    It stops at the end of an epoch only: where it stops within one, it validates once more.
    """
    options = ["--lr", 0.5, "--patience", 2, "--max-epoch", 8]
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    fork("train", straight, mle(data, straight, *options)).check()
    expected = outcome(straight)
    epochs = expected["updates"] // EPOCH
    assert 3 <= epochs < 8  # it did stop early
    args = mle(data, resumed, *options)
    ours = stop_and_go(args, resumed, [(epochs - 1) * EPOCH])
    assert differences(ours, expected) == []
    fork("train", resumed, args).check()
    assert differences(outcome(resumed), expected) == []


def test_a_new_training_has_its_own_patience(data, tmp_path):
    """Begun with the weights of one that patience had stopped, it is not stopped, too."""
    options = ["--lr", 0.5, "--patience", 1, "--max-epoch", 30]
    fork("train", tmp_path, mle(data, tmp_path / "first", *options)).check()
    last = tmp_path / "first" / "checkpoint_last.pt"
    epochs = outcome(last.parent)["updates"] // EPOCH
    assert epochs < 30  # it did stop
    options = ["--restore-file", last, "--reset-optimizer", *options]
    fork("train", tmp_path, mle(data, tmp_path / "second", *options)).check()
    assert outcome(tmp_path / "second")["updates"] > 0


def test_a_finished_training_stays_as_it_is(data, tmp_path):
    """Started again, it does not do one update more; with a higher limit, it does the rest."""
    args = mle(data, tmp_path, "--max-update", 5)
    fork("train", tmp_path, args).check()
    last = (tmp_path / "checkpoint_last.pt").read_bytes()
    fork("train", tmp_path, args).check()
    assert (tmp_path / "checkpoint_last.pt").read_bytes() == last
    fork("train", tmp_path, [*args, "--max-update", 9]).check()
    assert outcome(tmp_path)["updates"] == 9


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (CRITERIONS["ss"], "--criterion: {last} is a checkpoint of CrossEntropyCriterion"),
        (["--optimizer", "sgd"], "--optimizer: {last} is a checkpoint of FairseqAdam, and this"),
        (["--bf16"], "--optimizer: {last} is a checkpoint of FairseqAdam, and this"),
    ],
)
def test_other_parts_are_refused(options, words, data, tmp_path):
    """In one line; fairseq asserts that they are the same."""
    fork("train", tmp_path, mle(data, tmp_path, "--max-update", 2)).check()
    result = fork("train", tmp_path, mle(data, tmp_path, *options))
    assert result.returncode == 2 and "Traceback" not in result.output
    last = tmp_path / "checkpoint_last.pt"
    assert words.format(last=last) in result.stderr.strip().splitlines()[-1]
    more = ["--restore-file", last, "--reset-optimizer", "--max-update", 1]
    fork("train", tmp_path, mle(data, tmp_path / "new", *options, *more)).check()


def test_the_checkpoint_of_adversarial_training_is_refused(data, played, tmp_path):
    arguments = mle(data, tmp_path, "--restore-file", played.last)
    result = fork("train", tmp_path, arguments)
    assert result.returncode == 2 and "Traceback" not in result.output
    assert "is a checkpoint of SeqGANCriterion" in result.stderr.strip().splitlines()[-1]
