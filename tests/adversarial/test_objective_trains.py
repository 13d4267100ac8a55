"""KL, the reference and D's slope by the real command: logged, refused, and resumed exactly."""

import pytest
import torch
from helpers.commands import POOL_UPDATES, differences, fork, gan, load, mle, training_state

pytestmark = pytest.mark.slow

OPTIONS = (
    "--reward logit --reward-scale auto --kl-coef 0.5 --baseline leave-one-out --rollouts 0"
).split()


@pytest.fixture(scope="module")
def straight(data, pretrained, tmp_path_factory):
    """A training with all of it, and checkpoints in the middle of a round."""
    folder = tmp_path_factory.mktemp("straight")
    saving = f"--save-interval-updates {POOL_UPDATES + 1}"
    arguments = gan(data, folder, pretrained.best, *OPTIONS, "--log-interval", 1, saving=saving)
    return folder, fork("train", folder, arguments).check()


def test_the_divergence_is_logged(straight):
    _, result = straight
    found = [line["kl"] for line in result.logged("train_inner") if "kl" in line]
    assert found[0] == pytest.approx(0, abs=1e-4)  # G is the reference when it starts
    assert max(map(abs, found)) < 5


def test_resumed_in_a_round(straight, data, pretrained, tmp_path):
    """The reference and the slope come from the checkpoint."""
    folder, _ = straight
    start = folder / f"checkpoint_2_{POOL_UPDATES + 1}.pt"
    state = load(start)["extra_state"]["SeqGANTask"]
    assert "reference" in state and state["slope"] >= 0
    arguments = gan(data, tmp_path / "gan", None, *OPTIONS, "--restore-file", start)
    fork("train", tmp_path, arguments).check()
    ends = (training_state(f / "checkpoint_last.pt") for f in (folder, tmp_path / "gan"))
    assert differences(*ends) == []


def test_a_reference_of_ones_own(straight, data, pretrained, tmp_path):
    """G's own start as a file gives the same training."""
    folder, _ = straight
    options = [*OPTIONS, "--kl-reference", pretrained.best]
    arguments = gan(data, tmp_path / "gan", pretrained.best, *options)
    fork("train", tmp_path, arguments).check()
    own, other = (load(f / "checkpoint_last.pt")["model"] for f in (folder, tmp_path / "gan"))
    assert differences(own, other) == []


@pytest.mark.parametrize("parts", [1, 2])
def test_distillation_trains(parts, data, pretrained, tmp_path):
    """The weights of an update in parts are those of each part, which is said."""
    options = ["--update-freq", parts, *"--g-loss distill --reward logit --rollouts 0".split()]
    arguments = gan(data, tmp_path / "gan", pretrained.best, *options)
    result = fork("train", tmp_path, arguments).check()
    assert result.output.count("distill compares the sequences of each part") == parts - 1
    own = load(tmp_path / "gan" / "checkpoint_last.pt")["model"]
    assert differences(own, load(pretrained.best)["model"])


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("--kl-coef 0.5", "--kl-coef 0.5 --kl-reference {start}", "holds its own reference policy"),
        ("", "--kl-coef 0.5", "holds no reference policy, which --kl-coef needs"),
        ("", "--g-loss distill", "holds no reference policy, which --g-loss distill needs"),
        ("", "--kl-coef 0.5 --kl-reference {start}", None),
        ("--disable-validation", "--reward-scale auto", "--reward-scale auto: the checkpoint"),
    ],
)
def test_resumed_with_another_objective(data, pretrained, tmp_path, before, after, words):
    """G as the training started is not at hand any more once G has been trained."""
    usual = "--reward logit --rollouts 0".split()
    stop = ["--max-update", POOL_UPDATES + 2]
    arguments = gan(data, tmp_path, pretrained.best, *usual, *before.split(), *stop)
    fork("train", tmp_path, arguments).check()
    options = after.format(start=pretrained.best).split()
    result = fork("train", tmp_path, gan(data, tmp_path, None, *usual, *options))
    assert "Traceback" not in result.output
    assert result.returncode == (0 if words is None else 2), result.output[-2000:]
    assert words is None or words in result.stderr.strip().splitlines()[-1]


def test_a_scale_that_follows_d_from_now_on(data, pretrained, tmp_path):
    """The slope that the last validation measured is the first scale."""
    options = "--reward logit --rollouts 0 --d-steps 0".split()
    stop = ["--max-update", POOL_UPDATES + 1]
    fork("train", tmp_path, gan(data, tmp_path, pretrained.best, *options, *stop)).check()
    before = load(tmp_path / "checkpoint_last.pt")["extra_state"]["SeqGANTask"]
    assert before["reward_slope"] is None
    arguments = gan(data, tmp_path, None, *options, "--reward-scale", "auto")
    fork("train", tmp_path, arguments).check()
    after = load(tmp_path / "checkpoint_last.pt")["extra_state"]["SeqGANTask"]
    assert after["reward_slope"] == before["slope"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--kl-coef -1", "--kl-coef is -1"),
        ("--kl-coef 1 --kl-reference /nowhere.pt", "/nowhere.pt: no such checkpoint"),
        ("--reward-scale auto", "--reward-scale auto: it is the slope of D's log-odds"),
        (
            "--reward logit --reward-scale auto --pretrain-d-steps 0",
            "--reward-scale auto needs a D before the first round",
        ),
        ("--baseline leave-one-out --batch-size 1", "needs a --batch-size of 2 or more"),
        (
            "--reward logit --reward-scale auto --valid-subset train",
            "is the training split itself",
        ),
    ],
)
def test_refused(data, pretrained, tmp_path, options, words):
    arguments = gan(data, tmp_path / "gan", pretrained.best, *options.split())
    result = fork("train", tmp_path, arguments)
    assert result.returncode == 2
    assert words in result.stderr.strip().splitlines()[-1]
    assert "Traceback" not in result.output


def test_a_reference_of_another_architecture(data, pretrained, tmp_path):
    model = "--arch transformer_lm --decoder-embed-dim 16 --decoder-ffn-embed-dim 16 "
    model += "--decoder-layers 1 --decoder-attention-heads 2"
    other = tmp_path / "mle" / "checkpoint_best.pt"
    fork("train", tmp_path, mle(data, other.parent, "--max-epoch", 1, model=model)).check()
    options = ["--kl-coef", 1, "--kl-reference", other]
    result = fork("train", tmp_path, gan(data, tmp_path / "gan", pretrained.best, *options))
    assert result.returncode == 2
    assert f"{other}: a model of another architecture" in result.stderr.strip().splitlines()[-1]


def test_a_reference_of_another_size(data, pretrained, tmp_path):
    state = load(pretrained.best)
    name = "decoder.layers.0.weight_hh"
    state["model"][name] = state["model"][name][:-1]
    torch.save(state, tmp_path / "other.pt")
    options = ["--kl-coef", 1, "--kl-reference", tmp_path / "other.pt"]
    result = fork("train", tmp_path, gan(data, tmp_path / "gan", pretrained.best, *options))
    assert result.returncode == 2
    assert not result.logged("valid")  # it is read before D's pre-training, which may take hours
    assert "other.pt: a model of another architecture or dictionary" in result.stderr
