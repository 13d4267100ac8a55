"""Rollouts in bfloat16 (``--rollout-dtype``): what they change, and what they leave as it is."""

import pytest
import torch
from helpers.architectures import build
from helpers.models import make_dictionary

from fairseq_seqgan.adversarial.model_copy import RoundedCopy
from fairseq_seqgan.adversarial.trainer import AdversarialTrainer
from fairseq_seqgan.models import dtypes
from fairseq_seqgan.policy.policy import Policy
from fairseq_seqgan.rewards.base import Reward
from fairseq_seqgan.support.errors import InputError
from fairseq_seqgan.tasks import config

WORDS, LENGTH, BATCH, ROLLOUTS = 30, 6, 64, 8
OPTIONS = {"pretrain_d_steps": 0, "d_steps": 0, "rounds": 9, "rollouts": ROLLOUTS, "seed": 1}


class MeanWord(Reward):
    """The mean number of the words, 0 to 1; it notes the completions that it is shown."""

    reads_tokens = True

    def __init__(self):
        self.seen = []

    def __call__(self, tokens, generator):
        return (tokens - 4).float().mean(dim=1) / WORDS

    def of_completions(self, rollouts, generator):
        self.seen.append(rollouts.completions)
        return super().of_completions(rollouts, generator)


@pytest.fixture(autouse=True)
def a_machine_with_bfloat16(monkeypatch):
    monkeypatch.setattr(dtypes, "has_bfloat16", lambda uses_gpu: True)


def make_trainer(**options):
    dictionary = make_dictionary(WORDS)
    return AdversarialTrainer(
        config.make_config()(**OPTIONS | options),
        torch.full((BATCH, LENGTH), 4),
        MeanWord(),
        lambda model: Policy(model, dictionary, fixed_length=LENGTH),
        batch_size=BATCH,
    )


def one_batch(model, **options):
    trainer = make_trainer(**options)
    return trainer.make_batch(model, 0, 0, 1), trainer.reward.seen[0]


@pytest.mark.parametrize("name", ["lstm", "transformer"])
@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_only_the_completions_are_rounded(name, decay):
    """The sequences and their rewards are the same bits; nearly all completions are, too.

    A completion differs from where a uniform number falls between the two distributions.
    """
    model = build(name, make_dictionary(WORDS), 16, scale=3.0)
    exact, expected = one_batch(model, rollout_ema_decay=decay)
    rounded, found = one_batch(model, rollout_ema_decay=decay, rollout_dtype="bfloat16")
    for key in ("tokens", "reward", "ntokens", "entropy_sum"):
        assert torch.equal(torch.as_tensor(rounded[key]), torch.as_tensor(exact[key])), key
    assert all(p.dtype == torch.float32 for p in model.parameters())
    same = (found == expected).all(dim=2).float().mean()
    assert 0.9 < same < 1
    difference = rounded["advantage"] - exact["advantage"]
    assert 0 < difference.abs().max() < 0.2
    assert difference.abs().mean() < 0.01


@pytest.mark.parametrize("name", ["lstm", "transformer"])
def test_the_probabilities_are_nearly_those_of_g(name):
    """By less than 0.05 nats a token on average; the weights are three times those of a start."""
    model = build(name, make_dictionary(WORDS), 16, scale=3.0)
    trainer = make_trainer(rollout_dtype="bfloat16")
    policy = trainer.make_policy(model)
    tokens = trainer.make_batch(model, 0, 0, 1)["tokens"]
    rounded = trainer.g_step._rollout_policy(model)
    assert all(p.dtype == torch.bfloat16 for p in rounded.model.parameters())
    with torch.no_grad():
        model.eval(), rounded.model.eval()
        difference = rounded.log_probs(tokens) - policy.log_probs(tokens)
    assert 0 < difference.abs().mean() < 0.05


@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_the_copy_follows_what_it_is_of(decay):
    """An update of G is in the next rollouts, but not in those of an average that has not moved."""
    model = build("lstm", make_dictionary(WORDS), 16)
    trainer = make_trainer(rollout_dtype="bfloat16", rollout_ema_decay=decay)
    trainer.make_batch(model, 0, 0, 1)
    with torch.no_grad():
        model.decoder.fc_out.bias[7] = 1000.0
    trainer.make_batch(model, 1, 0, 1)
    completions = trainer.reward.seen[1]
    assert (completions[:, :, -1] == 7).all() == (decay == 0)


def test_a_machine_without_bfloat16_computes_as_before(monkeypatch, caplog):
    model = build("lstm", make_dictionary(WORDS), 16, scale=3.0)
    _, expected = one_batch(model)
    monkeypatch.setattr(dtypes, "has_bfloat16", lambda uses_gpu: False)
    _, found = one_batch(model, rollout_dtype="bfloat16")
    assert torch.equal(found, expected)
    assert "--rollout-dtype bfloat16: this machine has none; float32 is used" in caplog.text


def test_a_model_that_cannot_compute_so_is_told_before_training():
    """D's pre-training, which comes first, may take hours."""
    model = build("lstm", make_dictionary(WORDS), 16)
    decoder = model.decoder
    whole = type(decoder).extract_features

    def picky(self, *args, **kwargs):
        if next(self.parameters()).dtype != torch.float32:
            raise NotImplementedError("not in bfloat16")
        return whole(self, *args, **kwargs)

    decoder.__class__ = type("Picky", (type(decoder),), {"extract_features": picky})
    trainer = make_trainer(rollout_dtype="bfloat16")
    told = r"--rollout-dtype bfloat16: --arch x: .* cannot be sampled from: decoding .* fails"
    with pytest.raises(InputError, match=told):
        trainer.g_step.try_out(trainer.make_policy(model), "--arch x")
    make_trainer().g_step.try_out(trainer.make_policy(model), "--arch x")


def test_the_memory_is_that_of_the_rounded_rollouts():
    """Enough for them is enough, though the same rollouts in float32 would need more."""
    model = build("transformer", make_dictionary(WORDS), 16)
    trainer = make_trainer(rollout_dtype="bfloat16")
    needed = {}
    for dtype in ("float32", "bfloat16"):
        rows = Policy(model.to(getattr(torch, dtype)), make_dictionary(WORDS), fixed_length=LENGTH)
        needed[dtype] = (1 + ROLLOUTS * (LENGTH - 1)) * rows.row_bytes()
    assert needed["bfloat16"] < needed["float32"]
    memory = (needed["bfloat16"] + needed["float32"]) / 2
    model.float()
    trainer.g_step.make_policy = lambda model: Policy(
        model, make_dictionary(WORDS), fixed_length=LENGTH, memory=memory
    )
    trainer.g_step.try_out(trainer.g_step.make_policy(model), "--arch x")
    trainer.g_step.make_batch(model, 0, 0, None)


def test_a_buffer_that_two_layers_share_is_copied():
    model = build("lstm", make_dictionary(WORDS), 16)
    shared = torch.ones(2)
    for layer in (model, model.decoder):
        layer.register_buffer("shared", shared)
    copy = RoundedCopy("--rollout-dtype", "bfloat16")
    copy.of(model)
    shared.fill_(3.0)
    rounded = copy.of(model)
    assert (rounded.shared == 3).all() and (rounded.decoder.shared == 3).all()
