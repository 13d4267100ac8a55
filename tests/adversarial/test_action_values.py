"""The values of tokens, from the rewards of their rollouts."""

import pytest
import torch
from helpers.policies import ARCHS, NUM, ROLLOUTS, STEPS, make_policy

from fairseq_seqgan.adversarial.action_values import action_values, without_rollouts
from fairseq_seqgan.policy.rollouts import roll_out, sample
from fairseq_seqgan.support.rng import seeded_rng

pytestmark = pytest.mark.parametrize("arch", ARCHS)


@pytest.mark.parametrize("stride", [1, 2, 3, 10])
def test_tokens_between_valued_prefixes_share_the_next_ones_value(arch, stride):
    """With stride 1 every token keeps its own value."""
    policy = make_policy(arch, fixed=False)
    result = roll_out(policy, 40, ROLLOUTS, seeded_rng(1), stride=stride)
    lengths = result.samples.mask.sum(dim=1).tolist()
    code = 100.0 * result.sequence + result.step
    final = 1e6 + torch.arange(40, dtype=torch.double)
    values = action_values(result, code.double().unsqueeze(1).repeat(1, ROLLOUTS), final)
    for b in range(40):
        for t in range(STEPS):
            end = (t // stride + 1) * stride - 1
            if t >= lengths[b]:
                assert values[b, t] == 0
            elif end >= lengths[b] - 1:
                assert values[b, t] == 1e6 + b
            else:
                assert values[b, t] == 100 * b + end


@pytest.mark.parametrize("stride", [1, 3])
def test_a_constant_reward_values_every_token_the_same(arch, stride):
    """Nothing is rolled out for it, and all tokens are worth 1, whatever the stride."""
    drawn = sample(make_policy(arch, fixed=False), 40, seeded_rng(1))
    played = without_rollouts(drawn, ROLLOUTS, stride)
    ones = torch.ones(len(played.step), ROLLOUTS)
    assert torch.equal(action_values(played, ones, torch.ones(40)), drawn.mask.float())
    assert set((played.step + 1).tolist()) == set(range(stride, STEPS, stride))


@pytest.mark.parametrize("stride", [1, 3])
def test_prefixes_of_given_tokens_have_no_value_of_their_own(arch, stride):
    """Without rollouts as with them: only prefixes longer than the 2 given tokens are there."""
    policy = make_policy(arch, fixed=True)
    given = torch.full((NUM, 2), 5)
    rolled = roll_out(policy, NUM, ROLLOUTS, seeded_rng(1), stride=stride, given=given)
    plain = without_rollouts(rolled.samples, ROLLOUTS, stride, given=2)
    for found in (rolled, plain):
        steps = [t for t in range(2, STEPS - 1) if (t + 1) % stride == 0]
        assert sorted(set(found.step.tolist())) == steps
        assert len(found.step) == NUM * len(steps)


def test_rewards_come_back_in_the_right_places(arch):
    """Rewards that encode (sequence, step, rollout) are averaged over rollouts only."""
    policy = make_policy(arch, fixed=False)
    result = roll_out(policy, 40, ROLLOUTS, seeded_rng(1))
    rollout = torch.arange(ROLLOUTS, dtype=torch.double)
    code = 10_000.0 * result.sequence + 100.0 * result.step
    final = 1e6 + torch.arange(40, dtype=torch.double)
    values = action_values(result, code.unsqueeze(1) + rollout, final)
    lengths = result.samples.mask.sum(dim=1)
    assert len(set(lengths.tolist())) > 2
    for b in range(40):
        for t in range(STEPS):
            if t < lengths[b] - 1:
                expected = 10_000.0 * b + 100.0 * t + 1.0  # the mean of rollouts 0, 1 and 2
            elif t == lengths[b] - 1:
                expected = 1e6 + b  # the last token is valued without rollouts
            else:
                expected = 0.0
            assert values[b, t] == expected
