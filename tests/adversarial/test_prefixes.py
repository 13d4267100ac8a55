"""``--prefix-size k``: G continues real prefixes of k tokens, and D judges the whole sequence."""

from collections import Counter

import pytest
import torch
from helpers.commands import POOL_UPDATES, differences, fork, gan, load, training_state
from helpers.models import make_dictionary, make_lm

from fairseq_seqgan.adversarial import d_gain
from fairseq_seqgan.adversarial.early_stopping import EarlyStopping
from fairseq_seqgan.adversarial.positives import real_sequences
from fairseq_seqgan.adversarial.prefixes import Prefixes
from fairseq_seqgan.adversarial.trainer import AdversarialTrainer
from fairseq_seqgan.adversarial.validation import measure
from fairseq_seqgan.models.cnn_highway import CNNHighway
from fairseq_seqgan.oracle.lstm import OFFSET, Oracle
from fairseq_seqgan.policy.policy import Policy
from fairseq_seqgan.policy.rollouts import sample
from fairseq_seqgan.rewards.base import RewardInputs, build_reward
from fairseq_seqgan.support.errors import InputError
from fairseq_seqgan.support.rng import seeded_rng
from fairseq_seqgan.tasks import config

WORDS, LENGTH, SIZE, K = 20, 6, 30, 2
OPTIONS = {
    "pretrain_d_steps": 1, "rounds": 1, "g_steps": 1, "d_steps": 1, "k": 1, "d_batch_size": 16,
    "rollouts": 2, "seed": 1, "reward": "random", "fixed_length": LENGTH, "prefix_size": K,
}  # fmt: skip


@pytest.fixture
def model():
    return make_lm("lstm_lm", make_dictionary(WORDS))


def make_trainer(**options):
    dictionary = make_dictionary(WORDS)
    positives = torch.randint(4, 4 + WORDS, (SIZE, LENGTH), generator=seeded_rng("positives"))
    options = config.make_config()(**OPTIONS | options)
    reward = build_reward(options, RewardInputs(None, positives, dictionary, 1))
    return AdversarialTrainer(
        options,
        positives.int(),
        reward,
        lambda model: Policy(model, dictionary, fixed_length=LENGTH),
        batch_size=8,
    )


def rows(tokens):
    return Counter(map(tuple, tokens.tolist()))


def test_every_real_sequence_is_continued_equally_often():
    """As nearly as the number allows; the order is random."""
    real = torch.arange(20).view(5, 4)
    drawn = Prefixes(2, real).draw(13, seeded_rng(1))
    counts = rows(drawn)
    assert counts.keys() == rows(real[:, :2]).keys() and sorted(counts.values()) == [2, 2, 3, 3, 3]
    assert not torch.equal(drawn[:5], drawn[5:10])
    assert Prefixes(0, real).draw(13, seeded_rng(1)) is None


def test_negatives_have_the_prefixes_of_the_positives(model):
    """So that D can tell them by what follows alone."""
    trainer = make_trainer()
    trainer.make_batch(model, 0, 0, 1)
    negatives, positives = trainer.pool.negatives, trainer.pool.positives
    assert rows(negatives[:, :K]) == rows(positives[:, :K])
    assert rows(negatives[:, K:]) != rows(positives[:, K:])


@pytest.mark.parametrize(
    "options",
    [{}, {"rollouts": 0}, {"rollout_stride": 2}, {"baseline": "mean"}, {"g_loss": "distill"},
     {"kl_coef": 0.5}],
    ids=str,
)  # fmt: skip
def test_tokens_of_a_prefix_have_no_advantage(model, options):
    """And all others have one, whatever G maximises."""
    trainer = make_trainer(**options)
    step = trainer.schedule.pretrain_updates
    batch = trainer.make_batch(model, step, 0, 1)
    known = rows(trainer.pool.positives[:, :K])
    assert all(prefix in known for prefix in rows(batch["tokens"][:, :K]))
    assert (batch["advantage"][:, :K] == 0).all()
    assert (batch["advantage"][:, K:] != 0).all()
    assert batch["ntokens"] == 8 * (LENGTH - K)
    if "kl_coef" in options:  # G is the reference when training starts
        assert float(batch["kl_sum"]) == pytest.approx(0, abs=1e-3)


def test_in_bfloat16_g_does_not_diverge_from_itself():
    """Its probabilities in decoding and in one pass over the sequence differ there."""
    sharp = make_lm("transformer_lm", make_dictionary(WORDS))
    for weight in sharp.parameters():
        weight.data *= 3
    trainer = make_trainer(kl_coef=0.5)
    step = trainer.schedule.pretrain_updates
    batch = trainer.make_batch(sharp.to(torch.bfloat16), step, 0, 1)
    assert float(batch["kl_sum"]) == 0


def test_the_gain_is_of_samples_that_continue_held_out_sequences(model, monkeypatch):
    """So is what early stopping measures; else D would tell the samples by their first tokens."""
    policy = Policy(model, make_dictionary(WORDS), fixed_length=LENGTH)
    heldout = torch.randint(4, 4 + WORDS, (7, LENGTH), generator=seeded_rng("heldout"))
    net, seen = CNNHighway(4 + WORDS, 1, 6, [(2, 4)], dropout=0.5, l2=0.2), []

    def recorded(*args, **options):
        seen.append(options["prefix"])
        return sample(*args, **options)

    monkeypatch.setattr(d_gain, "sample", recorded)
    options = config.make_config()(**OPTIONS | {"pretrain_d_select": "gain"})
    EarlyStopping(net, heldout, options).after_pool(1, policy, None, last=False)
    assert len(seen) == 1 and torch.equal(seen[0], heldout[:, :K])


def test_validation_measures_what_follows_the_prefixes(model):
    """Entropy and NLL_oracle are means over the tokens that G has drawn."""
    policy = Policy(model, make_dictionary(WORDS), fixed_length=LENGTH)
    oracle, prefix = Oracle.random(WORDS, 4, 4, seed=1), torch.full((9, K), OFFSET)
    found = measure(policy, None, oracle, {}, 9, seeded_rng(2), prefix)
    total, count = found["entropy"]
    assert count == 9 * (LENGTH - K)
    drawn = sample(policy, 9, seeded_rng(2), prefix=prefix)
    assert total == pytest.approx(-float(drawn.log_probs[:, K:].sum()))
    expected = -oracle.log_probs(drawn.tokens - OFFSET)[:, K:].mean(dim=1)
    assert found["nll_oracle"] == (pytest.approx(float(expected.sum())), 9)


class Sentences(list):
    """Sentences as fairseq's dataset has them."""

    def __getitem__(self, index):
        return {"target": torch.tensor(list.__getitem__(self, index))}


def test_sentences_within_the_prefix_are_not_shown_to_d(caplog):
    """With k = 2, a sentence needs two tokens and an end, or more."""
    eos = 2
    data = Sentences([[4, eos], [4, 5, eos], [eos], [6, 5, 4, eos]])
    options = {"length": 4, "fixed": False, "seed": 1}
    with caplog.at_level("INFO"):
        found = real_sequences(data, make_dictionary(WORDS), prefix_size=2, **options)
    assert found.tolist() == [[4, 5, eos, 1], [6, 5, 4, eos]]
    assert "2 of 4 real sequences have no more than 2 tokens" in caplog.text
    assert len(real_sequences(data, make_dictionary(WORDS), **options)) == 4


@pytest.fixture(scope="module")
def straight(data, pretrained, tmp_path_factory):
    """A training with prefixes, and a checkpoint within a round."""
    folder = tmp_path_factory.mktemp("prefixes")
    saving = f"--save-interval-updates {POOL_UPDATES + 1}"
    options = ["--prefix-size", 3, "--rounds", 1, "--oracle", data / "oracle.npz"]
    fork("train", folder, gan(data, folder, pretrained.best, *options, saving=saving)).check()
    return folder


@pytest.mark.slow
def test_resume_is_exact(straight, data, tmp_path):
    """From within a g-step, bit for bit, and the option is stored."""
    start = straight / f"checkpoint_2_{POOL_UPDATES + 1}.pt"
    options = ["--rounds", 1, "--oracle", data / "oracle.npz", "--restore-file", start]
    arguments = gan(data, tmp_path / "gan", None, *options, "--prefix-size", 3)
    fork("train", tmp_path, arguments).check()
    ends = [training_state(f / "checkpoint_last.pt") for f in (straight, tmp_path / "gan")]
    assert differences(*ends) == []
    negatives = ends[0]["task"]["pool"]["negatives"]
    real = {tuple(line.split()[:3]) for line in (data / "train.txt").read_text().splitlines()}
    assert {tuple(str(i - OFFSET) for i in row[:3]) for row in negatives.tolist()} <= real
    assert load(straight / "checkpoint_last.pt")["cfg"]["task"]["prefix_size"] == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"prefix_size": LENGTH}, "--prefix-size 6 with --fixed-length 6: G could draw nothing"),
        (
            {"prefix_size": 7, "fixed_length": 0, "max_length": 7},
            "--prefix-size 7 with --max-length 7: G could draw nothing",
        ),
        ({"prefix_size": -1}, "--prefix-size is -1: below 0"),
    ],
)
def test_refused(options, words):
    with pytest.raises(InputError, match=words):
        config.check_options(config.make_config()(**OPTIONS | options))
