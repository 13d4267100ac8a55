"""Rewards and the baseline."""

import pytest
import torch

from fairseq_seqgan.errors import InputError
from fairseq_seqgan.models.cnn_highway import CNNHighway
from fairseq_seqgan.rewards import REWARDS, advantage, build_reward
from fairseq_seqgan.sampling import make_generator


@pytest.fixture
def net():
    torch.manual_seed(1)
    return CNNHighway(24, 1, 6, [(2, 4)], dropout=0.5, l2=0.2).train()


@pytest.mark.parametrize("name", REWARDS)
def test_one_signature_for_all(net, name):
    """Tokens (R, T) in, float32 (R,) in [0, 1] out; the same generator gives the same."""
    reward = build_reward(name, net)
    rows = torch.randint(4, 24, (50, 7), generator=make_generator(1))
    first, again = (reward(rows, make_generator(2)) for _ in range(2))
    assert first.shape == (50,)
    assert first.dtype == torch.float32
    assert ((first >= 0) & (first <= 1)).all()
    assert torch.equal(first, again)


def test_discriminator_is_scored_without_dropout(net):
    """In eval mode, and put back into train mode."""
    rows = torch.randint(4, 24, (20, 7), generator=make_generator(1))
    reward = build_reward("discriminator", net)(rows, make_generator(1))
    assert net.training
    torch.testing.assert_close(reward, net.eval()(rows).softmax(dim=1)[:, 1])


def test_controls_know_nothing_of_the_tokens(net):
    """Other tokens, same rewards."""
    rows = torch.full((30, 4), 5)
    for name in ("constant", "random"):
        reward = build_reward(name, net)
        assert not reward.reads_tokens
        assert torch.equal(reward(rows, make_generator(3)), reward(rows + 9, make_generator(3)))
    assert build_reward("constant", net)(rows, make_generator(1)).unique().tolist() == [1.0]
    assert build_reward("random", net)(rows, make_generator(1)).std() > 0.2


def test_unknown_reward(net):
    """The message lists what there is."""
    with pytest.raises(InputError, match=r"--reward 'blue'.*discriminator"):
        build_reward("blue", net)


def test_mean_baseline():
    """The mean at each step over the sequences that have a token there."""
    values = torch.tensor([[1.0, 2.0, 3.0], [3.0, 6.0, 0.0]])
    mask = torch.tensor([[True, True, True], [True, True, False]])
    assert torch.equal(advantage(values, mask, "none"), values)
    expected = torch.tensor([[-1.0, -2.0, 0.0], [1.0, 2.0, 0.0]])
    assert torch.equal(advantage(values, mask, "mean"), expected)
