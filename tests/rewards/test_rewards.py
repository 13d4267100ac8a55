"""Rewards and the baseline."""

from types import SimpleNamespace

import pytest
import torch
from helpers.models import make_dictionary
from sacrebleu.metrics import BLEU

from fairseq_seqgan.adversarial.action_values import advantage
from fairseq_seqgan.models.cnn_highway import CNNHighway
from fairseq_seqgan.rewards.base import REWARDS, RewardInputs, build_reward
from fairseq_seqgan.support.errors import InputError
from fairseq_seqgan.support.rng import seeded_rng
from fairseq_seqgan.tasks.config import make_config


@pytest.fixture
def net():
    torch.manual_seed(1)
    return CNNHighway(24, 1, 6, [(2, 4)], dropout=0.5, l2=0.2).train()


@pytest.fixture
def build(net):
    """A function that builds the reward of a name and options."""
    rows = torch.randint(4, 24, (40, 7), generator=seeded_rng("positives"))

    def build(name, positives=rows, **options):
        args = SimpleNamespace(**{**vars(make_config()()), "seed": 1, "reward": name, **options})
        return build_reward(args, RewardInputs(net, positives, make_dictionary(20), args.seed))

    return build


@pytest.mark.parametrize("name", REWARDS)
def test_one_signature_for_all(build, name):
    """Tokens (R, T) in, float32 (R,) out, in [0, 1] but for log-odds; the same generator gives
    the same."""
    reward = build(name)
    rows = torch.randint(4, 24, (50, 7), generator=seeded_rng(1))
    first, again = (reward(rows, seeded_rng(2)) for _ in range(2))
    assert first.shape == (50,)
    assert first.dtype == torch.float32
    assert name in ("logit", "shuffled") or ((first >= 0) & (first <= 1)).all()
    assert torch.equal(first, again)


def test_discriminator_is_scored_without_dropout(net, build):
    """In eval mode, and put back into train mode."""
    rows = torch.randint(4, 24, (20, 7), generator=seeded_rng(1))
    reward = build("discriminator")(rows, seeded_rng(1))
    assert net.training
    torch.testing.assert_close(reward, net.eval()(rows).softmax(dim=1)[:, 1])


def test_logit_is_the_log_odds(net, build):
    """Of P(real), without dropout; where the probability is 1 to the last bit, it still tells."""
    rows = torch.randint(4, 24, (20, 7), generator=seeded_rng(1))
    probability, odds = (build(name)(rows, seeded_rng(1)) for name in ("discriminator", "logit"))
    torch.testing.assert_close(odds, torch.logit(probability))
    with torch.no_grad():
        net.output.bias += torch.tensor([-30.0, 30.0])
    assert build("discriminator")(rows, seeded_rng(1)).unique().tolist() == [1.0]
    torch.testing.assert_close(build("logit")(rows, seeded_rng(1)), odds + 60)


def test_controls_know_nothing_of_the_tokens(build):
    """Other tokens, same rewards."""
    rows = torch.full((30, 4), 5)
    for name in ("constant", "random"):
        reward = build(name)
        assert not reward.reads_tokens
        assert torch.equal(reward(rows, seeded_rng(3)), reward(rows + 9, seeded_rng(3)))
    assert build("constant")(rows, seeded_rng(1)).unique().tolist() == [1.0]
    assert build("random")(rows, seeded_rng(1)).std() > 0.2


PAD, EOS = 1, 2
# Sentences of several lengths, as the task keeps them: int32, with their end, padded.
POSITIVES = torch.tensor(
    [[4, 5, 6, 7, EOS], [8, 9, EOS, PAD, PAD], [4, 5, 9, EOS, PAD], [6, 6, 6, EOS, PAD]]
).int()
COMPLETED = torch.tensor(
    [
        [4, 5, 6, 7, EOS],  # a reference
        [4, 5, 6, EOS, PAD],
        [8, 9, EOS, PAD, PAD],
        [6, 6, 6, 9, 8],  # no end was drawn
        [EOS, PAD, PAD, PAD, PAD],
        [10, 11, 12, EOS, PAD],
    ]
)


@pytest.mark.parametrize("smoothing", ["none", "exp"])
@pytest.mark.parametrize("order", [2, 3])
def test_bleu_is_sacrebleus_of_each_sequence(build, order, smoothing):
    """Against all references; end and padding are no tokens."""
    options = {"bleu_order": order, "bleu_smoothing": smoothing, "bleu_references": 1.0}
    reward = build("bleu", POSITIVES, **options)
    assert reward.reads_tokens
    metric = BLEU(tokenize="none", max_ngram_order=order, smooth_method=smoothing, force=True)
    texts, references = (
        [" ".join(str(i) for i in row if i > 3) for row in rows.tolist()]
        for rows in (COMPLETED, POSITIVES)
    )
    expected = [metric.corpus_score([t], [[r] for r in references]).score / 100 for t in texts]
    got = reward(COMPLETED, seeded_rng(1))
    torch.testing.assert_close(got, torch.tensor(expected))
    assert got[0] == 1.0 and got[4] == got[5] == 0.0 and 0 < got[3] < 1


def test_bleu_references_are_a_share_chosen_by_seed(build):
    """40% unless said otherwise; every one of them has BLEU 1, and few of the others."""
    rows = torch.randint(4, 24, (100, 7), generator=seeded_rng("rows"))
    known = []
    for seed in (1, 1, 2):
        reward = build("bleu", rows, seed=seed)
        assert reward.references.size == 40
        known.append(reward(rows, seeded_rng(1)) == 1)
    assert known[0].sum() == 40
    assert torch.equal(known[0], known[1])
    assert not torch.equal(known[0], known[2])
    assert build("bleu", rows, bleu_references=1.0).references.size == 100
    assert build("bleu", rows, bleu_references=1e-6).references.size == 1


def test_bleu_of_longer_ngrams_than_there_are(build):
    """Every reward would be 0."""
    with pytest.raises(InputError, match="--bleu-order 5: the longest of 4 references has 4"):
        build("bleu", POSITIVES, bleu_order=5, bleu_references=1.0)


def test_unknown_reward(build):
    """The message lists what there is."""
    with pytest.raises(InputError, match=r"--reward 'blue'.*discriminator"):
        build("blue")


def test_mean_baseline():
    """The mean at each step over the sequences that have a token there."""
    values = torch.tensor([[1.0, 2.0, 3.0], [3.0, 6.0, 0.0]])
    mask = torch.tensor([[True, True, True], [True, True, False]])
    assert torch.equal(advantage(values, mask, "none"), values)
    expected = torch.tensor([[-1.0, -2.0, 0.0], [1.0, 2.0, 0.0]])
    assert torch.equal(advantage(values, mask, "mean"), expected)
