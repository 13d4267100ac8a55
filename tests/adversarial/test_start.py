"""A training is resumed whole, begins anew, or is refused: never something in between.

Each case was once accepted: the training ended at another update, with another schedule or with a
part of its state made anew, and its exit code was 0.
"""

import re
import shutil

import pytest
import torch
from helpers.commands import (
    POOL_UPDATES,
    ROUNDS,
    TOTAL_UPDATES,
    differences,
    fork,
    gan,
    load,
    training_state,
)
from helpers.trainings import played_options, train_once

pytestmark = pytest.mark.slow

STOP = 24  # in the d-step of the first round


@pytest.fixture(scope="session")
def stopped(data, pretrained, tmp_path_factory):
    """The training ``played``, stopped in the middle."""
    options = [*played_options(data), "--rollout-ema-decay", 0.5, "--max-update", STOP]
    return train_once(
        tmp_path_factory, "stopped", lambda folder: gan(data, folder, pretrained.best, *options)
    )


@pytest.fixture
def resume(data, stopped, tmp_path):
    """A function: change the checkpoint, resume it with more options; return result and folder."""

    def run(change=None, *options, data=data):
        folder = tmp_path / "gan"
        folder.mkdir()
        state = load(stopped.last)
        if change is not None:
            change(state)
        torch.save(state, folder / "checkpoint_last.pt")
        usual = [*played_options(data), "--rollout-ema-decay", 0.5]
        return fork("train", tmp_path, gan(data, folder, None, *usual, *options)), folder

    return run


def assert_refused(result, folder, words, updates=STOP):
    """Check the one line, the exit code, and that the checkpoint is as it was."""
    assert result.returncode == 2, result.output[-3000:]
    assert "Traceback" not in result.output
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith("error: ")
    for word in words:
        assert word in line
    names = {path.name for path in folder.iterdir()} - {".lock"}  # of this one training
    assert names == {"checkpoint_last.pt"}
    history = load(folder / "checkpoint_last.pt")["optimizer_history"]
    assert (history[-1]["num_updates"] if history else None) == updates


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--g-steps 3", ["--g-steps is 3, in the checkpoint 2"]),
        ("--k 3", ["--k is 3, in the checkpoint 2"]),
        ("--d-steps 2", ["--d-steps is 2, in the checkpoint 1"]),
        ("--d-batch-size 32", ["--d-batch-size is 32, in the checkpoint 64"]),
        ("--negative-pool-size 100", ["--negative-pool-size is 100, in the checkpoint 200"]),
        ("--pretrain-d-steps 2", ["--pretrain-d-steps is 2, in the checkpoint 1"]),
        ("--seed 2", ["--seed is 2, in the checkpoint 1"]),
        ("--rounds 1", ["--rounds is 1, in the checkpoint 2", "only the rounds may become more"]),
        ("--d-embed-dim 8", ["its discriminator", "--d-embed-dim is 8, in the checkpoint"]),
        ("--d-kernel-counts 8,8,4", ["--d-kernel-counts is 8,8,4, in the checkpoint 8,8,8"]),
        ("--d-ensemble 2", ["--d-ensemble is 2, in the checkpoint 1"]),
        ("--amp", ["--amp is True, in the checkpoint False"]),
        (
            "--lr-scheduler inverse_sqrt",
            ["--lr-scheduler is inverse_sqrt, in the checkpoint fixed"],
        ),
        ("--reset-optimizer", ["--reset-optimizer without --reset-dataloader"]),
        ("--reset-dataloader", ["--reset-dataloader without --reset-optimizer"]),
    ],
)
def test_other_options_are_refused(options, words, resume):
    """The line names the option and both values."""
    assert_refused(*resume(None, *options.split()), ["checkpoint_last.pt", *words])


def task(state):
    return state["extra_state"]["SeqGANTask"]


def forget(*keys):
    """Return a change that removes an entry."""

    def change(state):
        for key in keys[:-1]:
            state = state[key]
        del state[keys[-1]]

    return change


def put(value, *keys):
    """Return a change that replaces an entry."""

    def change(state):
        for key in keys[:-1]:
            state = state[key]
        state[keys[-1]] = value

    return change


POOL = ("extra_state", "SeqGANTask", "pool")
NEGATIVES = torch.full((200, 8), 10, dtype=torch.int32)
DAMAGE = {
    "no discriminator": (put(None, "criterion"), ["holds no discriminator"]),
    "a part of the discriminator": (
        lambda state: state["criterion"].popitem(),
        ["its discriminator is not the one", "is missing or has another shape"],
    ),
    "no task state": (forget("extra_state", "SeqGANTask"), ["holds no task state"]),
    "no rollout policy": (forget(*POOL[:2], "rollout_policy"), ["holds no rollout policy"]),
    "a part of the rollout policy": (
        lambda state: task(state)["rollout_policy"].popitem(),
        ["its rollout policy is not a copy of its generator"],
    ),
    "no schedule": (forget(*POOL[:2], "schedule"), ["holds no schedule"]),
    "no optimizer state": (forget("last_optimizer_state"), ["(--no-save-optimizer-state)"]),
    "no moments": (
        put({}, "last_optimizer_state", "state"),
        ["optimizer is incomplete", "holds 0"],
    ),
    "a parameter without moments": (
        forget("last_optimizer_state", "state", 0),
        ["the state of the optimizer is incomplete"],
    ),
    "moments of another shape": (
        put(torch.zeros(3), "last_optimizer_state", "state", 0, "exp_avg"),
        ["optimizer state does not fit", "moments of a parameter"],
    ),
    "a group of parameters less": (
        lambda state: state["last_optimizer_state"]["param_groups"].pop(),
        ["optimizer state does not fit"],
    ),
    "no history": (put([], "optimizer_history"), ["it holds no 'optimizer_history'"]),
    "no extra state": (forget("extra_state"), ["it holds no 'extra_state'"]),
    "no criterion": (forget("criterion"), ["it holds no 'criterion'"]),
    "no pool": (forget(*POOL), ["holds no pool"]),
    "half a pool": (put(NEGATIVES[:100], *POOL, "negatives"), ["100 x 8 tokens, not 200 x 8"]),
    "a short pool": (put(NEGATIVES[:, 1:], *POOL, "negatives"), ["200 x 7 tokens, not 200 x 8"]),
    "symbols beyond": (put(NEGATIVES + 50, *POOL, "negatives"), ["symbol that is not in 0 ... 53"]),
    "symbols below": (put(-NEGATIVES, *POOL, "negatives"), ["symbol that is not in 0 ... 53"]),
    "a pool of numbers": (put(NEGATIVES / 2, *POOL, "negatives"), ["of negatives is damaged"]),
    "the pool before": (put(1, *POOL, "number"), ["holds pool 1 at update 24, which needs pool 2"]),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_partial_states_are_refused(name, resume):
    """The line names the checkpoint and the part that is missing or damaged."""
    change, words = DAMAGE[name]
    result, folder = resume(change)
    assert_refused(result, folder, words, None if name == "no history" else STOP)


def test_an_edited_number_of_updates_is_refused(resume):
    """fairseq reads one number and the task another."""

    def edit(state):
        state["optimizer_history"][-1]["num_updates"] = 20

    words = ["fairseq's number of updates is 20, the task's is 24"]
    assert_refused(*resume(edit), words, updates=20)


def test_other_training_data_are_refused(resume, data, tmp_path):
    """Also if there are as many sequences, of the same length and of the same words."""
    other = tmp_path / "data"
    shutil.copytree(data, other)
    tokens = bytearray((other / "train.bin").read_bytes())
    tokens[:4] = tokens[2:4] + tokens[:2]  # two words of the first sequence in the other order
    assert tokens != (other / "train.bin").read_bytes()
    (other / "train.bin").write_bytes(tokens)
    (other / "stats.json").unlink()  # whose checksum would be the first to tell
    words = ["checksum of the training sequences is"]
    assert_refused(*resume(None, data=other), words)


def test_an_edited_epoch_changes_nothing(resume, stopped, straight):
    """The epoch is derived from the updates, whatever the data iterator has stored."""

    def edit(state):
        state["extra_state"]["train_iterator"] |= {"epoch": 3, "iterations_in_epoch": 7}

    result, folder = resume(edit)
    result.check()
    assert differences(training_state(folder / "checkpoint_last.pt"), straight) == []


@pytest.fixture(scope="session")
def straight(data, pretrained, tmp_path_factory):
    """The state at the end of the training that ``stopped`` is the beginning of."""
    options = [*played_options(data), "--rollout-ema-decay", 0.5]
    training = train_once(
        tmp_path_factory, "straight", lambda folder: gan(data, folder, pretrained.best, *options)
    )
    return training_state(training.last)


def test_a_checkpoint_of_an_earlier_version_is_resumed(resume, straight):
    """It has stored no schedule; the log says that nothing was compared."""

    def make_old(state):
        for name in ("schedule", "updates", "optimizer_entries", "parts"):
            del task(state)[name]

    result, folder = resume(make_old)
    assert "earlier version, which stored no schedule: nothing was compared" in result.output
    result.check()
    assert differences(training_state(folder / "checkpoint_last.pt"), straight) == []


def test_more_rounds_are_allowed(data, pretrained, played, tmp_path):
    """A training that has ended and gets a round more is the one that had it from the beginning."""
    options = [*played_options(data), "--rounds", ROUNDS + 1]
    grown, whole = tmp_path / "grown", tmp_path / "whole"
    grown.mkdir()
    shutil.copy(played.last, grown)
    for folder in (grown, whole):
        fork("train", folder, gan(data, folder, pretrained.best, *options)).check()
    first, second = (training_state(f / "checkpoint_last.pt") for f in (grown, whole))
    assert first["updates"] == TOTAL_UPDATES + POOL_UPDATES + 2
    assert differences(first, second) == []


def test_other_options_that_may_change_are_named(resume):
    """The log says which they are, with both values."""
    result, folder = resume(None, "--rollouts", 2, "--batch-size", 8, "--discriminator-lr", 0.02)
    line = re.search(r"resuming with other options: (.*)", result.check().output)[1]
    assert line.split("; ") == [
        "--batch-size is 8, in the checkpoint 16",
        "--batch-size-valid is 8, in the checkpoint 16",
        "--discriminator-lr is 0.02, in the checkpoint 0.0001",
        "--rollouts is 2, in the checkpoint 4",
    ]
    assert training_state(folder / "checkpoint_last.pt")["updates"] == TOTAL_UPDATES


def test_what_a_version_before_the_option_did_is_named(resume):
    """Its policy gradient had dropout, which this one resumes without unless it is told to."""

    def forget(state):
        del state["cfg"]["task"]["policy_gradient_dropout"]

    result, _ = resume(forget)
    line = re.search(r"resuming with other options: (.*)", result.check().output)[1]
    assert line == "--policy-gradient-dropout is False, in the checkpoint True"


def test_both_resets_begin_a_new_training(resume):
    """It has all updates, and begins with the nets and without the state of the old one."""
    result, folder = resume(None, "--reset-optimizer", "--reset-dataloader")
    assert "begin training epoch 1\n" in result.check().stdout
    assert training_state(folder / "checkpoint_last.pt")["updates"] == TOTAL_UPDATES


def test_a_finished_training_is_left_as_it_is(data, pretrained, played, tmp_path):
    """Started again, also with ``--max-update``, it makes no update more."""
    shutil.copy(played.last, tmp_path)
    before = played.last.read_bytes()
    for options in ([], ["--max-update", TOTAL_UPDATES - 10]):
        args = gan(data, tmp_path, pretrained.best, *played_options(data), *options)
        result = fork("train", tmp_path, args).check()
        assert f"{TOTAL_UPDATES} updates are done, of" in result.stdout
        assert (tmp_path / "checkpoint_last.pt").read_bytes() == before


def test_an_early_end_that_was_asked_for_is_named(stopped):
    """``--max-update`` ends a training before its schedule does; the log says so."""
    words = f"--max-update {STOP} ends the training early, of {TOTAL_UPDATES}"
    assert words in stopped.result.stdout


def test_a_crash_is_not_resumed(data, stopped, tmp_path):
    """fairseq's crash.pt holds both nets and no state of the task."""
    state = load(stopped.last)
    state["extra_state"] = {"metrics": [], "previous_training_time": 0.0}
    torch.save(state, tmp_path / "crash.pt")
    args = gan(data, tmp_path / "gan", None, "--restore-file", tmp_path / "crash.pt")
    result = fork("train", tmp_path, args)
    assert result.returncode == 2 and "Traceback" not in result.output
    assert "crash.pt: holds no task state" in result.stderr.strip().splitlines()[-1]
