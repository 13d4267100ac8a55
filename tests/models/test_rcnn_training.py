"""``--discriminator rcnn`` in trainings by the real commands."""

import math

import pytest
from helpers.commands import differences, fork, gan, generate, load, mle, training_state

pytestmark = pytest.mark.slow

RCNN = "--discriminator rcnn --d-embed-dim 8 --d-hidden-size 6 --d-features 10".split()
SENTENCES = "--tokens-per-sample 7"  # as `text` has them: 2 to 6 words and the end


@pytest.fixture(params=["fixed length", "variable length"])
def start(request, data, text, pretrained, tmp_path):
    """Data, a pre-trained G, and the shape of the sequences, as the helpers take them."""
    if request.param == "fixed length":
        return data, pretrained.best, {}
    folder = tmp_path / "mle"
    fork("train", folder, mle(text, folder, "--max-epoch", 1, shape=SENTENCES)).check()
    return text, folder / "checkpoint_best.pt", {"shape": SENTENCES}


def test_trains_and_generates(start, tmp_path):
    """D and G both move, every number is finite, and fairseq-generate reads the checkpoint."""
    data, begin, form = start
    folder = tmp_path / "gan"
    more = [*RCNN, "--rounds", 1, "--log-interval", 1]
    result = fork("train", folder, gan(data, folder, begin, *more, **form)).check()
    updates = result.logged("train_inner")
    assert {"d_loss", "d_acc", "g_loss", "reward"} <= {name for line in updates for name in line}
    assert all(math.isfinite(value) for line in updates for value in line.values())
    assert "d_auc_heldout" in result.logged("valid")[-1]

    state = load(folder / "checkpoint_last.pt")
    sizes = {name: tuple(value.shape) for name, value in state["criterion"].items()}
    assert sizes["discriminator.context.weight_hh_l0_reverse"] == (18, 6)
    assert sizes["discriminator.output.weight"] == (2, 10)
    assert differences(load(begin)["model"], state["model"]) != []

    path = folder / "checkpoint_last.pt"
    printed = fork("generate", tmp_path, generate(data, path, "--num-samples", 20)).check()
    samples = [line for line in printed.stdout.splitlines() if line.startswith("H-")]
    assert len(samples) == 20


def test_resume_is_exact(start, tmp_path):
    """Stopped in D's pre-training and in a d-step: the same nets and moments, bit for bit."""
    data, begin, form = start
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    options = [*RCNN, "--rounds", 1]
    fork("train", straight, gan(data, straight, begin, *options, **form)).check()
    whole = training_state(straight / "checkpoint_last.pt")
    args = gan(data, resumed, begin, *options, **form)
    for stop in (3, whole["updates"] - 2):
        fork("train", resumed, [*args, "--max-update", stop]).check()
        assert training_state(resumed / "checkpoint_last.pt")["updates"] == stop
    fork("train", resumed, args).check()
    assert differences(training_state(resumed / "checkpoint_last.pt"), whole) == []
