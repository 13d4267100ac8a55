"""The policy gradient of the real code against the exact gradient, by enumeration."""

import copy
from itertools import product
from types import SimpleNamespace

import pytest
import torch
from helpers.models import make_dictionary, make_lm
from torch import nn

from fairseq_seqgan.adversarial.trainer import AdversarialTrainer
from fairseq_seqgan.criterions.seqgan import SeqGANCriterion, make_config
from fairseq_seqgan.optim.seqgan_adam import DISCRIMINATOR, net_of
from fairseq_seqgan.policy.policy import Policy
from fairseq_seqgan.rewards.base import RewardInputs, build_reward
from fairseq_seqgan.support.eval_mode import turn_dropout_off
from fairseq_seqgan.tasks import config

STEPS = 3
UPDATES, BATCH = 40, 3000
# What each of the 8 sequences over {0, 1} is worth: no symmetry, and not a sum over tokens.
WORTH = torch.tensor([0.9, 0.1, 0.4, 0.7, 0.0, 1.0, 0.3, 0.2])


# What each row of three symbols is worth, where sequences end; a row may hold any of 6 symbols.
WORTH_OF_ANY = torch.rand(6**STEPS, generator=torch.Generator().manual_seed(3))


class Table(nn.Module):
    """A discriminator that looks the score of a sequence up."""

    def score(self, tokens, *, log_odds):
        assert not log_odds
        bits = tokens - 4
        return WORTH[bits[:, 0] * 4 + bits[:, 1] * 2 + bits[:, 2]]

    def score_completions(self, tokens, completions, sequence, step, *, log_odds):
        scores = self.score(completions.flatten(0, 1), log_odds=log_odds)
        return scores.view(completions.shape[:2])


class TableOfAny(Table):
    """The same for sequences of any length, padded at the end."""

    def score(self, tokens, *, log_odds):
        assert not log_odds
        return WORTH_OF_ANY[tokens[:, 0] * 36 + tokens[:, 1] * 6 + tokens[:, 2]]


def make_policy(**length):
    dictionary = make_dictionary(2)
    model = make_lm("lstm_lm", dictionary, hidden=4, scale=6.0)
    assert has_dropout(model)
    return Policy(model, dictionary, **length)


@pytest.fixture(scope="module")
def policy():
    return make_policy(fixed_length=STEPS)


def has_dropout(model):
    return any(getattr(module, "p", 0) for module in model.modules())


def flat_gradient(model):
    return torch.cat([p.grad.flatten() for p in model.parameters()]).double()


def all_that_end(policy):
    """Every sequence of up to STEPS symbols: 7 that end, and 8 that are cut off."""
    end = policy.eos
    rows = {(*row, end)[: (*row, end).index(end) + 1] for row in product([4, 5, end], repeat=STEPS)}
    return [(*row[:STEPS], *[policy.pad] * (STEPS - len(row))) for row in sorted(rows)]


def exact_gradient(policy, given=None):
    """d/dθ of -Σ_Y G(Y) R(Y), over all sequences.

    *given* (8,) are the probabilities of the first tokens of the 8, where G draws the rest only.
    """
    all_rows = product([4, 5], repeat=STEPS) if policy.fixed else all_that_end(policy)
    everything = torch.tensor(list(all_rows))
    worth = (Table() if policy.fixed else TableOfAny()).score(everything, log_odds=False)
    policy.model.zero_grad()
    policy.model.eval()
    if given is None:
        probabilities = policy.log_probs(everything).sum(dim=1).exp()
    else:
        probabilities = given * policy.log_probs(everything)[:, 1:].sum(dim=1).exp()
    assert probabilities.sum().item() == pytest.approx(1.0, abs=1e-5)
    (-(probabilities * worth).sum()).backward()
    return flat_gradient(policy.model)


def estimates(policy, positives=None, updates=UPDATES, **options):
    """Gradients of the criterion's loss per sequence, one for each of many updates."""
    options = dict(
        rollouts=2, rounds=UPDATES, pretrain_d_steps=0, d_steps=0, seed=1,
        fixed_length=STEPS if policy.fixed else 0, **options,
    )  # fmt: skip
    args = SimpleNamespace(**{**vars(config.make_config()()), **options})
    task = SimpleNamespace(policy=lambda model: policy, source_dictionary=make_dictionary(2))
    criterion = SeqGANCriterion(make_config()(d_kernel_widths="1", d_kernel_counts="2"), task)
    positives = torch.full((4, STEPS), 4) if positives is None else positives
    table = Table() if policy.fixed else TableOfAny()
    reward = build_reward(args, RewardInputs(table, positives, task.source_dictionary, args.seed))
    trainer = AdversarialTrainer(args, positives, reward, task.policy, BATCH)
    gradients = []
    for update in range(updates):
        policy.model.zero_grad()
        policy.model.train()
        loss, size, _ = criterion(policy.model, trainer.make_batch(policy.model, update, 0, 1))
        (loss / size).backward()
        gradients.append(flat_gradient(policy.model))
    assert all(p.grad is None for p in criterion.parameters() if net_of(p) == DISCRIMINATOR)
    return torch.stack(gradients)


@pytest.mark.parametrize("length", [{"fixed_length": STEPS}, {"max_length": STEPS - 1}], ids=str)
@pytest.mark.parametrize("baseline", ["none", "mean"])
def test_mean_over_samples_is_the_exact_gradient(baseline, length):
    """Every component within five standard errors; direction and length to a few percent."""
    policy = make_policy(**length)
    exact = exact_gradient(policy)
    gradients = estimates(policy, baseline=baseline)
    mean = gradients.mean(dim=0)
    error = gradients.std(dim=0) / UPDATES**0.5
    assert ((mean - exact).abs() <= 5 * error + 1e-6 + 0.01 * exact.abs()).all()
    assert torch.cosine_similarity(mean, exact, dim=0) > 0.999
    length = gradients @ exact / exact.square().sum()
    uncertainty = length.std() / UPDATES**0.5
    assert uncertainty < 0.03
    assert (length.mean() - 1.0).abs() < 4 * uncertainty


def test_prefixes_get_no_gradient(policy):
    """G continues a first token that is 4 in three of four real sequences: -Σ_Y p(y_1) G(y_2 y_3).

    The gradient is that of the two tokens that G draws.
    """
    positives = torch.tensor([[4, 4, 5], [4, 5, 5], [4, 4, 4], [5, 4, 4]])
    exact = exact_gradient(policy, given=torch.tensor([0.75] * 4 + [0.25] * 4))
    gradients = estimates(policy, positives, baseline="mean", prefix_size=1)
    error = gradients.std(dim=0) / UPDATES**0.5
    off = (gradients.mean(dim=0) - exact).abs()
    assert (off <= 5 * error + 1e-6 + 0.01 * exact.abs()).all()
    length = gradients @ exact / exact.square().sum()
    assert (length.mean() - 1.0).abs() < 4 * length.std() / UPDATES**0.5
    whole = exact_gradient(policy)
    assert torch.cosine_similarity(exact, whole, dim=0) < 0.99, "too alike to tell them apart"


def test_the_baseline_lowers_the_variance(policy):
    """That is what it is for."""
    plain, mean = (estimates(policy, baseline=name).var(dim=0).sum() for name in ("none", "mean"))
    assert mean < 0.7 * plain


@pytest.mark.parametrize("dropout", [False, True])
def test_a_constant_reward_has_no_expected_gradient(dropout, policy):
    """The control moves G by chance alone: the expectation is zero, the estimate is not.

    With dropout in the gradient it is not the control that it should be.
    """
    options = {"reward": "constant", "baseline": "none", "policy_gradient_dropout": dropout}
    gradients = estimates(policy, **options)
    error = gradients.std(dim=0) / UPDATES**0.5
    vanishes = (gradients.mean(dim=0).abs() <= 5 * error + 1e-6).all()
    assert bool(vanishes) is not dropout
    assert gradients.norm(dim=1).min() > 1e-4


def test_dropout_is_off_in_the_backward_pass_too(policy):
    """Where logits do not fit into memory, they are computed once more there."""
    whole = estimates(policy, updates=2)
    small = copy.copy(policy)
    small.memory = 4 * 4 * STEPS * small.size * (BATCH // 2)
    assert torch.allclose(estimates(small, updates=2), whole, rtol=1e-4, atol=1e-7)


def test_recurrent_layers_stay_in_train_mode_without_dropout():
    """In eval mode cuDNN would refuse to compute their gradient."""
    model = nn.ModuleDict({"layer": nn.GRU(2, 2, 2, dropout=0.5), "drop": nn.Dropout(0.5)})
    turn_dropout_off(model)
    assert model["layer"].training and not model["drop"].training
    inputs = torch.ones(3, 1, 2)
    assert torch.equal(model["layer"](inputs)[0], model["layer"](inputs)[0])
