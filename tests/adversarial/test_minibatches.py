"""Minibatches of positives and negatives."""

import torch

from fairseq_seqgan.adversarial.minibatches import Pool
from fairseq_seqgan.adversarial.schedule import Phase, Step
from fairseq_seqgan.models.discriminator import FAKE, REAL


def make_pool(n_pos=10, size=10, batch_size=6, seed=1):
    """Positives are 100 ..., negatives 500 ..., two equal tokens each."""
    pool = Pool((100 + torch.arange(n_pos)).unsqueeze(1).repeat(1, 2), size, batch_size, seed)
    pool.refill(1, (500 + torch.arange(size)).unsqueeze(1).repeat(1, 2))
    return pool


def one_pass(pool, epoch=0, share=0, shares=1, number=1):
    """All minibatches of a pass."""
    steps = [
        Step(Phase.DISCRIMINATOR, 1, pass_index=epoch, minibatch_index=p, pool=number)
        for p in range(pool.batches)
    ]
    return [pool.minibatch(step, share, shares) for step in steps]


def test_a_pass_sees_everything_once():
    """Each positive and each negative once, with its label; the last minibatch is smaller."""
    batches = one_pass(make_pool())
    assert [len(batch.tokens) for batch in batches] == [6, 6, 6, 2]
    seen = torch.cat([batch.tokens[:, 0] for batch in batches])
    labels = torch.cat([batch.labels for batch in batches])
    assert sorted(seen.tolist()) == [*range(100, 110), *range(500, 510)]
    assert torch.equal(labels, torch.where(seen >= 500, FAKE, REAL))


def test_positives_and_negatives_are_shuffled_together():
    """A minibatch is neither all real nor half and half by construction."""
    pool = make_pool(n_pos=500, size=500, batch_size=50)
    shares = [float(batch.labels.float().mean()) for batch in one_pass(pool)]
    assert len(set(shares)) > 3
    assert 0 < min(shares) < max(shares) < 1


def test_passes_and_pools_are_in_another_order():
    """The order changes from pass to pass; the same pass is the same again."""
    pool = make_pool()
    first, second, again = (one_pass(pool, epoch=e)[0].tokens for e in (0, 1, 0))
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


def test_the_shares_of_a_minibatch_make_it_up():
    """Three processes together see what one would."""
    whole = one_pass(make_pool())
    parts = [one_pass(make_pool(), share=s, shares=3) for s in range(3)]
    for batch, pieces in zip(whole, zip(*parts, strict=True), strict=True):
        tokens = torch.cat([piece.tokens for piece in pieces])
        assert sorted(tokens[:, 0].tolist()) == sorted(batch.tokens[:, 0].tolist())
    assert len(parts[2][-1].tokens) == 0  # a last minibatch of two has nothing for the third


def test_a_smaller_pool_takes_other_positives_every_pass():
    """As many positives as negatives, and all of them in the long run."""
    pool = make_pool(n_pos=12, size=4, batch_size=8)
    seen = set()
    for epoch in range(30):
        (batch,) = one_pass(pool, epoch=epoch)
        assert int((batch.labels == REAL).sum()) == 4
        seen.update(batch.tokens[batch.labels == REAL][:, 0].tolist())
    assert len(seen) == 12


def test_a_larger_pool_repeats_positives():
    """Each positive equally often, but for the remainder."""
    pool = make_pool(n_pos=4, size=10, batch_size=20)
    (batch,) = one_pass(pool)
    counts = torch.bincount(batch.tokens[batch.labels == REAL][:, 0] - 100, minlength=4)
    assert sorted(counts.tolist()) == [2, 2, 3, 3]


def test_state_survives_a_checkpoint():
    """A pool that was loaded gives the same minibatches."""
    pool, other = make_pool(), make_pool()
    pool.refill(3, pool.negatives.flip(0))
    other.load_state_dict(pool.state_dict())
    assert other.number == 3
    for a, b in zip(one_pass(pool, number=3), one_pass(other, number=3), strict=True):
        assert torch.equal(a.tokens, b.tokens)
