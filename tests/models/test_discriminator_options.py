"""What may be done so that D learns less by heart: its loss, weight decay, early stopping."""

import re
from types import SimpleNamespace

import pytest
import torch
from helpers.commands import POOL_UPDATES, differences, fork, gan, load, training_state
from helpers.models import make_dictionary
from torch.nn import Parameter

from fairseq_seqgan.adversarial.schedule import Phase, Schedule
from fairseq_seqgan.criterions.seqgan import SeqGANCriterion, make_config
from fairseq_seqgan.models.discriminator import DiscriminatorConfig, check_shared_options
from fairseq_seqgan.optim.seqgan_adam import DISCRIMINATOR, SeqGANAdam, SeqGANAdamConfig
from fairseq_seqgan.support.errors import InputError


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_label_smoothing_by_hand(smoothing):
    """The true class has 1 - s/2, the other one s/2; the penalty stays."""
    torch.manual_seed(1)
    task = SimpleNamespace(policy=None, source_dictionary=make_dictionary(20))
    config = make_config()(d_kernel_widths="2", d_kernel_counts="3", d_label_smoothing=smoothing)
    criterion = SeqGANCriterion(config, task).eval()
    tokens, labels = torch.randint(4, 24, (10, 6)), torch.randint(2, (10,))
    loss, size, _ = criterion.discriminator_loss({"tokens": tokens, "labels": labels})
    log = criterion.discriminator(tokens).log_softmax(dim=1)
    right, wrong = (log.gather(1, y.unsqueeze(1)).squeeze(1) for y in (labels, 1 - labels))
    expected = -((1 - smoothing / 2) * right + smoothing / 2 * wrong).sum()
    expected = expected + 10 * criterion.discriminator.penalty()
    torch.testing.assert_close((loss, size), (expected, 10))


@pytest.mark.parametrize(("decay", "expected"), [(None, 0.9), (0.5, 0.5), (0.0, 1.0)])
def test_weight_decay_of_its_own(decay, expected):
    """Without a gradient, a weight shrinks by lr x decay; G's by its own."""
    g, d = Parameter(torch.ones(3)), Parameter(torch.ones(3))
    d.param_group = DISCRIMINATOR
    config = SeqGANAdamConfig(
        lr=[1.0], discriminator_lr=1.0, weight_decay=0.1, discriminator_weight_decay=decay
    )
    optimizer = SeqGANAdam(config, [g, d])
    for parameter in (g, d):
        parameter.grad = torch.zeros(3)
    optimizer.step()
    assert g.tolist() == pytest.approx([0.9] * 3)
    assert d.tolist() == pytest.approx([expected] * 3)


def test_a_resumed_training_takes_the_settings_of_the_command():
    """Decay, betas and eps may change; what Adam remembers goes on."""
    optimizers = []
    for changed in ({}, {"weight_decay": 0.3, "adam_eps": 1e-3, "adam_betas": "(0.5, 0.6)"}):
        g, d = Parameter(torch.ones(3)), Parameter(torch.ones(3))
        d.param_group = DISCRIMINATOR
        config = SeqGANAdamConfig(lr=[0.1], discriminator_weight_decay=0.7, **changed)
        optimizers.append(SeqGANAdam(config, [g, d]))
    before, after = optimizers
    for group in before.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.ones(3)
    before.step()
    after.load_state_dict(before.state_dict())
    assert [group["weight_decay"] for group in after.param_groups] == [0.3, 0.7]
    for group in after.param_groups:
        assert (group["eps"], group["betas"]) == (1e-3, (0.5, 0.6))
        for parameter in group["params"]:
            assert after.optimizer.state[parameter]["step"] == 1


def test_a_penalty_below_0_is_refused():
    with pytest.raises(InputError, match="--d-l2 is -1"):
        check_shared_options(DiscriminatorConfig(d_l2=-1.0))


def test_the_last_step_on_every_pool():
    """Of D's pre-training and of the rounds, and no other step."""
    schedule = Schedule(3, 2, 1, 2, 2, batches=4)
    ends = [u for u in range(schedule.total_updates) if schedule.ends_pool(schedule(u))]
    assert ends == [7, 15, 23, 32, 40, 49, 57]
    assert schedule(24).phase is Phase.GENERATOR


# Three pools of D's pre-training, then one round. D's rate is high enough to learn by heart.
STOPPED = (
    "--pretrain-d-steps 3 --rounds 1 --d-steps 0 --discriminator-lr 0.1 --pretrain-d-keep best"
)
PRETRAINING = 3 * POOL_UPDATES
AUC = re.compile(r"D after pool (\d): AUC ([\d.]+), gain .* on held-out data(, the best so far)?")


@pytest.fixture(scope="module")
def stopped(data, pretrained, tmp_path_factory):
    """A training whose D is the best of three pools, with a checkpoint after each of them."""
    folder = tmp_path_factory.mktemp("stopped")
    options = [*STOPPED.split(), "--save-interval-updates", POOL_UPDATES]
    result = fork("train", folder, gan(data, folder, pretrained.best, *options, saving=""))
    return folder, result.check().output


@pytest.mark.slow
def test_the_game_starts_with_the_best_d(stopped, data, pretrained, tmp_path):
    """As if the pre-training had had no more pools: the same D, the same state of its Adam."""
    folder, log = stopped
    measured = {int(pool): float(value) for pool, value, _ in AUC.findall(log)}
    assert list(measured) == [1, 2, 3]
    best = max(measured, key=measured.get)
    assert best < 3, f"the case is of no use unless a later pool is worse: {measured}"
    assert [bool(mark) for *_, mark in AUC.findall(log)][best - 1]
    assert f"D is again what it was after pool {best}" in log

    short = gan(data, tmp_path, pretrained.best, *STOPPED.replace("best", "last").split())
    fork("train", tmp_path, [*short, "--max-update", best * POOL_UPDATES]).check()
    then, now = (
        training_state(path) for path in (tmp_path / "checkpoint_last.pt", at(folder, PRETRAINING))
    )
    assert differences(then["discriminator"], now["discriminator"]) == []
    own = now["optimizer"]["param_groups"][1]["params"]
    assert own
    for index in own:
        pair = (state["optimizer"]["state"][index] for state in (then, now))
        assert differences(*pair) == []
    last = load(folder / "checkpoint_last.pt")
    assert differences(last["criterion"], then["discriminator"]) == []  # no round trains D


def at(folder, updates):
    """Return the checkpoint in *folder* that was saved after *updates*."""
    found = list(folder.glob("checkpoint*[0-9].pt"))
    return next(p for p in found if load(p)["optimizer_history"][-1]["num_updates"] == updates)


@pytest.mark.slow
def test_what_was_best_survives_a_stop(stopped, data, pretrained, tmp_path):
    """Stopped within the last pool, after the best one."""
    folder, _ = stopped
    args = gan(data, tmp_path, pretrained.best, *STOPPED.split())
    fork("train", tmp_path, [*args, "--max-update", PRETRAINING - 3]).check()
    fork("train", tmp_path, args).check()
    pair = (training_state(where / "checkpoint_last.pt") for where in (tmp_path, folder))
    assert differences(*pair) == []
