"""D's pre-training ends by its gain: the pools left are skipped, and a resumed training agrees."""

import re

import pytest
from helpers.commands import POOL_UPDATES, differences, fork, gan, load, training_state

pytestmark = pytest.mark.slow

# D's rate is so high that no pool after the first few is a better one.
OPTIONS = (
    "--pretrain-d-steps 8 --rounds 1 --d-steps 0 --discriminator-lr 0.3 --pretrain-d-keep best "
    "--pretrain-d-select gain --pretrain-d-patience 2"
).split()
LINE = re.compile(r"D after pool (\d+): AUC [\d.]+, gain (-?[\d.]+) \+- [\d.]+ nats")


def test_patience_does_not_count_before_g_is_trained(data, pretrained, tmp_path):
    """G's NLL is the same after every pool. At such a rate it is higher after every round."""
    options = "--pretrain-d-steps 4 --rounds 5 --d-steps 0 --lr 3 --patience 2".split()
    options += ["--best-checkpoint-metric", "nll"]
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    result = fork("train", straight, gan(data, straight, pretrained.best, *options)).check()
    assert "early stop since valid performance" in result.output
    assert len(result.logged("valid")) == 4 + 2
    for limit in (3 * POOL_UPDATES, 10**6):
        more = [*options, "--max-update", limit]
        fork("train", resumed, gan(data, resumed, pretrained.best, *more)).check()
    ends = [training_state(folder / "checkpoint_last.pt") for folder in (straight, resumed)]
    assert differences(*ends) == []


def test_the_rate_does_not_fall_before_g_is_trained(data, pretrained, tmp_path):
    """reduce_lr_on_plateau counts no validation before, in a resumed training either."""
    options = "--pretrain-d-steps 4 --rounds 2 --d-steps 0 --lr 3 --lr-patience 0".split()
    options += ["--lr-scheduler", "reduce_lr_on_plateau", "--best-checkpoint-metric", "nll"]
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    arguments = gan(data, straight, pretrained.best, *options, "--log-interval", 1)
    result = fork("train", straight, arguments).check()
    rates = [line["lr"] for line in result.logged("train_inner")]
    assert set(rates[: 4 * POOL_UPDATES]) == {3.0}
    assert rates[-1] == pytest.approx(0.3)  # the first round made it worse
    for limit in (POOL_UPDATES, 3 * POOL_UPDATES, 4 * POOL_UPDATES, 10**6):
        more = [*options, "--max-update", limit]
        fork("train", resumed, gan(data, resumed, pretrained.best, *more)).check()
    ends = [training_state(folder / "checkpoint_last.pt") for folder in (straight, resumed)]
    assert differences(*ends) == []


@pytest.fixture(scope="module")
def ended(data, pretrained, tmp_path_factory):
    """A training whose pre-training ends early, with a checkpoint after every pool."""
    folder = tmp_path_factory.mktemp("ended")
    arguments = gan(data, folder, pretrained.best, *OPTIONS, "--log-interval", 1, saving="")
    result = fork("train", folder, arguments)
    return folder, result.check()


def test_it_ends_two_pools_after_the_best_one(ended):
    folder, result = ended
    gains = [float(gain) for _, gain in LINE.findall(result.output)]
    best = max(range(len(gains)), key=gains.__getitem__) + 1
    assert len(gains) == best + 2 < 8
    assert "D's pre-training ends: no better one for 2 pools" in result.output
    assert f"D is again what it was after pool {best}" in result.output
    state = load(folder / "checkpoint_last.pt")
    own = state["extra_state"]["SeqGANTask"]["early_stopping"]
    assert own["ended"] and own["pool"] == best
    assert own["gain"] == pytest.approx(max(gains), abs=1e-4)
    # What was skipped has moved nothing: D is that of its best pool, to the bit.
    kept = load(folder / f"checkpoint{best}.pt")
    assert differences(state["criterion"], kept["criterion"]) == []
    assert state["optimizer_history"][-1]["num_updates"] == 8 * POOL_UPDATES + 2


def test_the_validations_log_the_gain(ended):
    _, result = ended
    validations = result.logged("valid")
    assert all(
        {"d_gain", "d_gain_stderr", "d_slope", "d_auc_heldout"} <= line.keys()
        for line in validations
    )
    assert all(line["d_slope"] >= 0 for line in validations)


def test_updates_that_are_skipped_have_no_loss(ended):
    """Not -1, by which fairseq says that it knows none."""
    _, result = ended
    assert "did not log a 'loss' value" not in result.output
    losses = [line["loss"] for line in result.logged("train_inner")]
    assert min(losses) == 0
    assert losses.count(0) == POOL_UPDATES * (8 - len(LINE.findall(result.output)))


@pytest.mark.parametrize("pool", [1, 7])
def test_a_resumed_training_is_the_straight_one(ended, data, pretrained, tmp_path, pool):
    """Stopped before the end of pre-training, and among the updates that are skipped."""
    folder, _ = ended
    start = folder / f"checkpoint{pool}.pt"
    arguments = gan(data, tmp_path / "gan", None, *OPTIONS, "--restore-file", start)
    fork("train", tmp_path, arguments).check()
    straight, resumed = (
        training_state(f / "checkpoint_last.pt") for f in (folder, tmp_path / "gan")
    )
    assert differences(straight, resumed) == []
