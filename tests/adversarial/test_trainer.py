"""What Algorithm 1 trains each update on, without fairseq's loop around it."""

from collections import Counter, defaultdict
from types import SimpleNamespace

import pytest
import torch
from helpers.models import make_dictionary, make_lm

from fairseq_seqgan.adversarial import early_stopping
from fairseq_seqgan.adversarial import trainer as module
from fairseq_seqgan.adversarial.early_stopping import EarlyStopping
from fairseq_seqgan.adversarial.schedule import Phase, Schedule
from fairseq_seqgan.adversarial.trainer import AdversarialTrainer
from fairseq_seqgan.models.discriminator import FAKE, REAL
from fairseq_seqgan.policy.policy import Policy
from fairseq_seqgan.rewards.controls import ConstantReward
from fairseq_seqgan.support.rng import seeded_rng
from fairseq_seqgan.tasks import config

WORDS, LENGTH, SIZE = 20, 5, 30
# Two pools before the first round, then two in each of two rounds; three passes over each.
OPTIONS = {
    "pretrain_d_steps": 2, "rounds": 2, "g_steps": 1, "d_steps": 2, "k": 3, "d_batch_size": 16,
    "rollouts": 2, "seed": 1,
}  # fmt: skip
POOLS, PASSES = 6, 3


class RolledOut(ConstantReward):
    """A reward for which rollouts are drawn."""

    reads_tokens = True


@pytest.fixture
def model():
    return make_lm("lstm_lm", make_dictionary(WORDS))


def make_trainer(early_stopping=None, **options):
    dictionary = make_dictionary(WORDS)
    positives = torch.randint(4, 4 + WORDS, (SIZE, LENGTH), generator=seeded_rng("positives"))
    return AdversarialTrainer(
        config.make_config()(**OPTIONS | options),
        positives.int(),
        RolledOut(),
        lambda model: Policy(model, dictionary, fixed_length=LENGTH),
        batch_size=4,
        early_stopping=early_stopping,
    )


def count(rows):
    """Return how often each row of a list of (R, T) occurs."""
    return Counter(map(tuple, torch.cat(rows).tolist()))


def negatives_of(trainer, model, before_pool=lambda pool: None):
    """Go through the schedule; return the negatives of every (pool, pass), as :func:`count`.

    *before_pool* is called with a pool's number before the pool's first minibatch.
    """
    rows = defaultdict(list)
    for update in range(trainer.schedule.total_updates):
        step = trainer.schedule(update)
        if step.phase is not Phase.GENERATOR and (step.pool, step.pass_index) not in rows:
            before_pool(step.pool)
        batch = trainer.make_batch(model, update, 0, 1)
        if step.phase is not Phase.GENERATOR:
            rows[step.pool, step.pass_index].append(batch["tokens"][batch["labels"] == FAKE])
    return {key: count(found) for key, found in rows.items()}


def test_negatives_are_fresh_in_every_d_step_and_the_same_within_its_passes(model):
    """G stays as it is here, so that only the random numbers can make two pools differ."""
    found = negatives_of(make_trainer(), model)
    assert sorted(found) == [(p, e) for p in range(1, POOLS + 1) for e in range(PASSES)]
    assert all(negatives.total() == SIZE for negatives in found.values())
    for pool in range(1, POOLS + 1):
        assert found[pool, 0] == found[pool, 1] == found[pool, 2]
        for other in range(1, pool):
            shared = found[pool, 0] & found[other, 0]
            assert shared.total() < SIZE / 2, f"pool {pool} repeats pool {other}"


def test_negatives_are_drawn_from_g_as_it_is_then(model):
    """Before pool n, G is made to draw word n alone."""

    def prefer(pool):
        with torch.no_grad():
            model.decoder.fc_out.bias.zero_()
            model.decoder.fc_out.bias[4 + pool] = 1000.0

    found = negatives_of(make_trainer(), model, prefer)
    for (pool, _), negatives in found.items():
        assert negatives == {(4 + pool,) * LENGTH: SIZE}


@pytest.fixture
def ranks(monkeypatch):
    """A function that makes this process rank r of two; it gathers what rank 0 had before it."""
    seen = []

    def become(rank):
        monkeypatch.setattr(module.distributed, "rank", lambda: rank)
        monkeypatch.setattr(module.distributed, "size", lambda: 2)

    def gather(rows):
        seen.append(rows)
        return torch.cat(seen[-2:])

    monkeypatch.setattr(module.distributed, "gather", gather)
    monkeypatch.setattr(module.distributed, "everywhere", bool)  # of the one that asks
    return become


def test_each_rank_draws_another_share_of_a_pool(model, ranks):
    """Otherwise half of the negatives would be copies."""
    trainer, drawn = make_trainer(), []
    trainer.pool.refill = lambda number, negatives: drawn.append(negatives)
    step = trainer.schedule(0)
    for rank in (0, 1):
        ranks(rank)
        trainer._draw_pool(model, step)
    first, both = drawn
    assert len(first) == SIZE // 2 and len(both) == SIZE
    shared = count([both[: SIZE // 2]]) & count([both[SIZE // 2 :]])
    assert shared.total() < SIZE / 4


@pytest.mark.parametrize("parts", [1, 2])
def test_the_ranks_share_a_minibatch_out(parts, model, ranks):
    """All parts of all ranks together are the minibatch of a training in one process."""
    alone = make_trainer()
    whole = [alone.make_batch(model, update, 0, 1) for update in range(alone.pool.batches)]
    together = make_trainer()
    together.load_state_dict(alone.state_dict())
    for update, batch in enumerate(whole):
        shares = []
        for rank in (0, 1):
            ranks(rank)
            shares += [together.make_batch(model, update, part, parts) for part in range(parts)]
        for label in (FAKE, REAL):
            pieces = [share["tokens"][share["labels"] == label] for share in shares]
            assert count(pieces) == count([batch["tokens"][batch["labels"] == label]])
        sizes = [len(share["tokens"]) for share in shares]
        assert max(sizes) - min(sizes) <= 1


def updates_of(schedule: Schedule, phase):
    return [u for u in range(schedule.total_updates) if schedule(u).phase is phase]


def test_the_rollout_policy_moves_in_g_steps_alone(model):
    """θ' ← 0.75 θ' + 0.25 θ after an update of G; an update of D leaves θ' as it is."""
    trainer = make_trainer(rollout_ema_decay=0.75)
    first, *_ = updates_of(trainer.schedule, Phase.GENERATOR)
    trainer.make_batch(model, first, 0, 1)  # from here on there is a rollout policy: G itself

    def average():
        state = trainer.state_dict()["rollout_policy"]
        return {name: value.clone() for name, value in state.items()}

    start = average()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    for phase in (Phase.PRETRAIN, Phase.DISCRIMINATOR):
        for update in updates_of(trainer.schedule, phase):
            trainer.after_update(trainer.schedule(update), model, None)
    assert all(torch.equal(value, start[name]) for name, value in average().items())
    trainer.after_update(trainer.schedule(first), model, None)
    moved = average()
    for name, _ in model.named_parameters():
        torch.testing.assert_close(moved[name], start[name] + 0.25)


class Stopping:
    """Stands for the early stopping; notes what is asked of it."""

    ended = False

    def __init__(self):
        self.calls = []

    def after_pool(self, pool, policy, optimizer, last):
        self.calls.append((pool, optimizer, last))


def test_d_is_measured_after_each_pool_of_its_pretraining(model):
    """And after no other; with the last one the best D comes back."""
    stopping = Stopping()
    trainer = make_trainer(stopping)
    for update in range(trainer.schedule.total_updates):
        trainer.after_update(trainer.schedule(update), model, "optimizer")
        if update == trainer.schedule.pretrain_updates - 1:
            ended = list(stopping.calls)
    assert ended == stopping.calls == [(1, "optimizer", False), (2, "optimizer", True)]


def test_the_slope_of_the_first_d_goes_with_it(model):
    """Sampling with the D that has been trained since must not use it."""
    trainer = make_trainer()
    trainer.reward_slope = 0.7  # stored with the D of --discriminator-from
    assert trainer.schedule(0).net == "discriminator"
    trainer.after_update(trainer.schedule(0), model, "optimizer")
    assert trainer.state_dict()["reward_slope"] is None


@pytest.mark.parametrize(("gains", "restored"), [([3, 1, 2], 3), ([1, 2, 1, 1, 9], 4)])
def test_the_best_d_comes_back(gains, restored, monkeypatch):
    """After the last pool, or two pools after the best one, and only then.

    A frozen parameter has no moments in the optimizer, before and afterwards.
    """
    net, heldout = torch.nn.Linear(2, 2), torch.zeros(4, 3)
    net.frozen = torch.nn.Parameter(torch.ones(1), requires_grad=False)
    optimizer = SimpleNamespace(optimizer=torch.optim.Adam(net.parameters(), lr=0.1))
    options = SimpleNamespace(
        seed=1,
        prefix_size=0,
        pretrain_d_keep="best",
        pretrain_d_select="gain",
        pretrain_d_patience=2,
    )
    stopping = EarlyStopping(net, heldout, options)
    values = iter(gains)

    def measured(*args, **more):
        gain = SimpleNamespace(gain=float(next(values)), stderr=0.0)
        return SimpleNamespace(auc=0.5, gain=gain)

    monkeypatch.setattr(early_stopping, "calibrate_on_samples", measured)
    weights, ends = [], []
    for pool in range(1, len(gains) + 1):
        net(torch.ones(1, 2)).sum().backward()
        optimizer.optimizer.step()
        weights.append(net.weight.detach().clone())
        stopping.after_pool(pool, None, optimizer, last=pool == len(gains))
        ends.append(torch.equal(net.weight, weights[gains.index(max(gains[:pool]))]))
        if stopping.ended:
            break
    assert pool == restored
    assert ends[-1] and not ends[-2]
    assert stopping.state_dict()["weights"] == {}
    assert net.frozen not in optimizer.optimizer.state
