"""Each update moves one net, and leaves the other as it is, to the last bit."""

import pytest
from helpers.commands import differences, fork, gan, load
from helpers.ranks import train_ranks

pytestmark = pytest.mark.slow

# One pool of 2 D updates, then twice 2 of G and 2 of D.
SHORT = "--d-batch-size 200 --k 1 --disable-validation --save-interval-updates 1".split()
PHASES = "DD" + "GGDD" * 2
OPTIMIZERS = {
    "seqgan_adam": "--optimizer seqgan_adam --clip-norm 5",
    # Adam has momentum from the phase before, and this weight decay needs no gradient.
    "weight decay": "--optimizer seqgan_adam --weight-decay 0.1",
    "fp16": "--optimizer seqgan_adam --fp16 --fp16-no-flatten-grads",
    "update_freq": "--optimizer seqgan_adam --update-freq 2",
}


def assert_one_net_moves(folder):
    """Check the checkpoints of every update in *folder* against the phases they belong to."""
    # fairseq names one checkpoint_EPOCH_UPDATE.pt, or checkpointEPOCH.pt at an epoch's end.
    states = [load(path) for path in folder.glob("checkpoint*[0-9].pt")]
    states.sort(key=number)
    assert [number(state) for state in states] == list(range(1, 1 + len(PHASES)))
    for phase, before, after in zip(PHASES[1:], states[:-1], states[1:], strict=True):
        moved = {
            "G": differences(before["model"], after["model"]),
            "D": differences(before["criterion"], after["criterion"]),
        }
        assert moved[phase], f"update {number(after)} did not move its net"
        assert not moved["D" if phase == "G" else "G"], f"update {number(after)} moved the other"


def number(state):
    """Return how many updates led to *state*."""
    return state["optimizer_history"][-1]["num_updates"]


@pytest.mark.parametrize("options", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_inactive_net_does_not_move(options, data, pretrained, tmp_path):
    """In one process; G starts out as the pre-trained model."""
    args = gan(data, tmp_path, pretrained.best, *SHORT, *options.split(), saving="")
    fork("train", tmp_path, args).check()
    assert_one_net_moves(tmp_path)
    if "--fp16" not in options:
        first = load(tmp_path / "checkpoint_1_1.pt")
        assert differences(load(pretrained.best)["model"], first["model"]) == []


@pytest.mark.parametrize("ddp", ["legacy_ddp", "pytorch_ddp"])
def test_inactive_net_does_not_move_in_two_processes(ddp, data, pretrained, tmp_path):
    """With two processes, where ``legacy_ddp`` gives the inactive net gradients of zero."""
    options = [*SHORT, "--batch-size", 8, *OPTIMIZERS["weight decay"].split()]
    for rank in train_ranks(
        tmp_path, gan(data, tmp_path, pretrained.best, *options, saving=""), ddp
    ):
        rank.check()
    assert_one_net_moves(tmp_path)
