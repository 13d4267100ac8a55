"""KL to a reference, leave-one-out, returns without rollouts, distillation: against enumeration."""

import copy
from itertools import product
from types import SimpleNamespace

import pytest
import torch
from helpers.models import make_dictionary, make_lm

from fairseq_seqgan.adversarial.action_values import advantage, kl_penalty, sequence_weights
from fairseq_seqgan.adversarial.trainer import AdversarialTrainer
from fairseq_seqgan.criterions.seqgan import SeqGANCriterion, make_config
from fairseq_seqgan.models.discriminator import Discriminator
from fairseq_seqgan.policy.policy import Policy
from fairseq_seqgan.rewards.base import RewardInputs, build_reward
from fairseq_seqgan.support.errors import InputError
from fairseq_seqgan.tasks import config

STEPS, BATCH = 3, 3000
EVERYTHING = torch.tensor(list(product([4, 5], repeat=STEPS)))
# D's log-odds of the 8 sequences over {0, 1}: no symmetry, and not a sum over tokens.
LOG_ODDS = torch.tensor([1.2, -0.9, 0.3, 0.8, -1.5, 1.0, 0.0, -0.4])


class Table(Discriminator):
    """A discriminator that looks the log-odds of a sequence up."""

    def score(self, tokens, batch_size=512, *, log_odds=False):
        bits = tokens - 4
        found = LOG_ODDS[bits[:, 0] * 4 + bits[:, 1] * 2 + bits[:, 2]]
        return found if log_odds else found.sigmoid()


@pytest.fixture
def policies():
    """Return models as policies, each once; and a fresh small model without dropout."""
    dictionary = make_dictionary(2)
    known = {}

    def make_policy(model):
        return known.setdefault(id(model), Policy(model, dictionary, fixed_length=STEPS))

    model = make_lm("lstm_lm", dictionary, hidden=8, scale=4.0)
    for module in model.modules():
        if hasattr(module, "p"):
            module.p = 0.0  # dropout would make the exact gradient another one
    return make_policy, model


def make_trainer(policies, rounds=10_000, batch=BATCH, **options):
    """Return the trainer of G alone, and a criterion."""
    make_policy, _ = policies
    options = {"pretrain_d_steps": 0, "d_steps": 0, "fixed_length": STEPS, "seed": 1} | options
    args = SimpleNamespace(**{**vars(config.make_config()()), "rounds": rounds, **options})
    task = SimpleNamespace(policy=make_policy, source_dictionary=make_dictionary(2))
    criterion = SeqGANCriterion(make_config()(d_kernel_widths="1", d_kernel_counts="2"), task)
    positives = torch.full((4, STEPS), 4)
    reward = build_reward(args, RewardInputs(Table(), positives, task.source_dictionary, 1))
    return AdversarialTrainer(args, positives, reward, make_policy, batch), criterion


def probabilities(policies, model):
    return policies[0](model).log_probs(EVERYTHING).sum(dim=1).exp()


def gradients(policies, trainer, criterion, updates=30):
    """Gradients of the loss per sequence, one for each of many updates; G stays as it is."""
    found = []
    for update in range(updates):
        policies[1].zero_grad()
        loss, size, log = criterion(policies[1], trainer.make_batch(policies[1], update, 0, 1))
        (loss / size).backward()
        found.append(flat(policies[1]))
    return torch.stack(found), log


def flat(model):
    return torch.cat([p.grad.flatten() for p in model.parameters()]).double()


@pytest.mark.parametrize("rollouts", [0, 2])
@pytest.mark.parametrize("baseline", ["none", "leave-one-out"])
def test_the_gradient_is_that_of_the_objective(policies, rollouts, baseline):
    """d/dθ of -(E[d] - β KL(G || G_ref)), every component within five standard errors."""
    beta, model = 0.7, policies[1]
    trainer, criterion = make_trainer(
        policies, rollouts=rollouts, baseline=baseline, reward="logit", kl_coef=beta
    )
    trainer.make_batch(model, 0, 0, 1)  # the reference is G as it is now
    with torch.no_grad():
        for parameter in model.parameters():  # and G moves away from it
            parameter.add_(0.5 * torch.randn(parameter.shape, generator=torch.manual_seed(3)))
    reference = probabilities(policies, trainer.g_step.reference.of(model)).detach()
    own = probabilities(policies, model)
    divergence = (own * (own / reference).log()).sum()
    assert divergence > 0.05
    model.zero_grad()
    (-(own * LOG_ODDS).sum() + beta * divergence).backward()
    exact = flat(model)
    found, log = gradients(policies, trainer, criterion)
    mean, error = found.mean(dim=0), found.std(dim=0) / len(found) ** 0.5
    assert ((mean - exact).abs() <= 5 * error + 1e-6).all()
    assert torch.cosine_similarity(mean, exact, dim=0) > 0.97
    total, count = log["kl"]
    assert total / count == pytest.approx(divergence.item() / STEPS, rel=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("g_loss", ["policy-gradient", "distill"])
def test_the_optimum_is_the_residual_model(policies, g_loss):
    """p(Y) ∝ G_ref(Y) exp(d(Y) / β), within 0.01 in total variation."""
    model, beta = policies[1], 0.8
    options = {"rollouts": 0, "baseline": "leave-one-out", "reward": "logit", "g_loss": g_loss}
    if g_loss == "distill":
        options["reward_scale"] = str(1 / beta)
    else:
        options["kl_coef"] = beta
    trainer, criterion = make_trainer(policies, **options)
    with torch.no_grad():
        target = probabilities(policies, copy.deepcopy(model)) * (LOG_ODDS / beta).exp()
    target /= target.sum()
    start = (probabilities(policies, model) - target).abs().sum() / 2
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 400)
    for update in range(400):
        optimizer.zero_grad()
        loss, size, _ = criterion(model, trainer.make_batch(model, update, 0, 1))
        (loss / size).backward()
        optimizer.step()
        schedule.step()
    assert start > 0.1
    assert (probabilities(policies, model) - target).abs().sum() / 2 < 0.01


@pytest.mark.parametrize("rollouts", [0, 3])
def test_a_constant_reward_moves_nothing(policies, rollouts):
    """With the others' mean as baseline, every advantage is exactly 0."""
    trainer, criterion = make_trainer(
        policies, batch=50, rollouts=rollouts, baseline="leave-one-out", reward="constant"
    )
    found, _ = gradients(policies, trainer, criterion, updates=3)
    assert not found.any()


def test_leave_one_out_by_hand():
    """Sequences that have ended count with their last value."""
    values = torch.tensor([[1.0, 2.0, 6.0], [3.0, 5.0, 0.0], [8.0, 0.0, 0.0]])
    mask = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 0, 0]]).bool()
    found = advantage(values, mask, "leave-one-out")
    expected = [[1 - 5.5, 2 - 6.5, 6 - 6.5], [3 - 4.5, 5 - 5.0, 0.0], [8 - 2.0, 0.0, 0.0]]
    torch.testing.assert_close(found, torch.tensor(expected))


def test_kl_penalty_by_hand():
    own, reference = torch.tensor([[-1.0, -2.0, -0.5]]), torch.tensor([[-1.5, -1.0, -0.5]])
    torch.testing.assert_close(kl_penalty(own, reference), torch.tensor([[-0.5, -1.0, 0.0]]))


def test_sequence_weights_have_mean_1():
    weights = sequence_weights(torch.tensor([0.0, 1.0, 2.0]))
    torch.testing.assert_close(weights.sum(), torch.tensor(3.0))
    torch.testing.assert_close(weights[1] / weights[0], torch.tensor(1.0).exp())


def test_shuffled_has_the_same_values_elsewhere(policies):
    """The control: the rewards of logit, in another order, the same for the same seed."""
    batches = [
        make_trainer(policies, batch=64, rollouts=0, reward=name)[0].make_batch(
            policies[1], 0, 0, 1
        )
        for name in ("logit", "shuffled", "shuffled")
    ]
    logit, shuffled, again = (batch["reward"] for batch in batches)
    assert torch.equal(logit.sort().values, shuffled.sort().values)
    assert not torch.equal(logit, shuffled)
    assert torch.equal(shuffled, again)


def test_the_scale_multiplies_the_values(policies):
    plain, scaled = (
        make_trainer(policies, batch=20, rollouts=2, reward="logit", reward_scale=scale)[0]
        for scale in ("1", "0.25")
    )
    batches = [t.make_batch(policies[1], 0, 0, 1) for t in (plain, scaled)]
    torch.testing.assert_close(batches[1]["advantage"], 0.25 * batches[0]["advantage"])
    assert torch.equal(batches[0]["reward"], batches[1]["reward"])


def test_a_distillation_logs_no_entropy(policies):
    """Its samples are those of the reference policy, not of G."""
    found = {}
    for g_loss in ("policy-gradient", "distill"):
        trainer, criterion = make_trainer(policies, batch=20, rollouts=0, g_loss=g_loss)
        batch = trainer.make_batch(policies[1], 0, 0, 1)
        found[g_loss] = "entropy" in criterion(policies[1], batch)[2]
    assert found == {"policy-gradient": True, "distill": False}


def test_the_slope_is_the_scale_where_it_is_asked_for(policies):
    trainer, _ = make_trainer(policies, batch=20, rollouts=0, reward="logit", reward_scale="auto")
    trainer.reward_slope = 0.5
    batch = trainer.make_batch(policies[1], 0, 0, 1)
    torch.testing.assert_close(batch["advantage"][:, 0], 0.5 * batch["reward"])


@pytest.mark.parametrize("measured", [0.25, None])
def test_a_checkpoint_has_a_slope_for_the_reward_and_one_for_sampling(policies, measured):
    """Resumed, both are what they were; an earlier version stored one for both."""
    own, resumed, older = (make_trainer(policies, batch=20)[0] for _ in range(3))
    own.reward_slope = 0.5
    if measured is not None:
        own.after_validation({"d_slope": (measured, 1)})
    state = own.state_dict()
    assert (state["reward_slope"], state.get("slope")) == (0.5, measured)
    resumed.load_state_dict(state)
    assert (resumed.reward_slope, resumed.state_dict().keys()) == (0.5, state.keys())
    older.load_state_dict({k: v for k, v in state.items() if k != "reward_slope"})
    assert older.reward_slope == measured


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kl_coef": -0.1}, "--kl-coef is -0.1"),
        ({"kl_coef": float("nan")}, "--kl-coef is nan"),
        ({"kl_reference": "x.pt"}, "--kl-reference needs --kl-coef"),
        ({"kl_coef": 1.0, "g_loss": "distill"}, "--kl-coef: --g-loss distill has no such term"),
        ({"rollout_ema_decay": 0.9, "rollouts": 0}, "--rollout-ema-decay needs rollouts"),
        ({"rollout_ema_decay": 0.9, "reward": "constant"}, "and --reward constant has none"),
        ({"rollout_dtype": "bfloat16", "rollouts": 0}, "--rollout-dtype needs rollouts"),
        ({"rollout_dtype": "bfloat16", "reward": "constant"}, "and --reward constant has none"),
        ({"rollout_dtype": "bfloat16", "g_loss": "distill"}, "and --g-loss distill has none"),
        ({"rollout_stride": 2, "rollouts": 0}, "--rollout-stride needs rollouts, and --rollouts 0"),
        ({"rollout_stride": 2, "g_loss": "distill"}, "and --g-loss distill has none"),
        ({"pretrain_d_keep": "best", "pretrain_d_steps": 0}, "--pretrain-d-keep best needs --pre"),
        ({"pretrain_d_patience": 3, "pretrain_d_steps": 0}, "--pretrain-d-patience needs --pre"),
        ({"fixed_length": 5, "max_length": 5}, "--max-length: with --fixed-length"),
        ({"policy_gradient_dropout": True, "g_loss": "distill"}, "--policy-gradient-dropout: --g"),
        ({"reward_scale": "much"}, "--reward-scale is much"),
        ({"reward_scale": "0"}, "--reward-scale is 0"),
        ({"rollouts": -1}, "--rollouts is -1"),
        ({"pretrain_d_patience": -1}, "--pretrain-d-patience is -1"),
    ],
)
def test_options_out_of_range(options, words):
    with pytest.raises(InputError, match=words):
        config.check_options(config.make_config()(**options))
