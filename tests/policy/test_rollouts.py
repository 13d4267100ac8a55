"""Rollouts in one growing pass, compared with a plain loop that is given the same uniforms."""

import pytest
import torch
import torch.nn.functional as F
from helpers.architectures import ARCHITECTURES
from helpers.models import make_dictionary
from helpers.policies import EOS, NUM, PAD, ROLLOUTS, STEPS, make_policy

from fairseq_seqgan.adversarial.action_values import action_values
from fairseq_seqgan.policy.policy import Decoding, Policy
from fairseq_seqgan.policy.rollouts import roll_out, sample
from fairseq_seqgan.support.errors import InputError
from fairseq_seqgan.support.rng import seeded_rng


def next_token(policy, prefix, u):
    """Draw the token after *prefix* by the definition: the first whose CDF exceeds u."""
    start = torch.tensor([[policy.start, *prefix]])
    with torch.no_grad():
        policy.model.eval()
        # To a dynamic convolution, a sequence is never shorter than its kernel.
        output = policy.model(F.pad(start, (0, 16), value=PAD))
        if policy.model.decoder.adaptive_softmax is not None:  # fairseq's own, without gradient
            output = (policy.model.get_normalized_probs(output, log_probs=True),)
        logits = output[0][0, len(prefix)].double()
    logits[policy.banned] = -torch.inf
    cdf = logits.softmax(0).cumsum(0)
    return int((cdf <= float(u) * float(cdf[-1])).sum()), logits.log_softmax(0)


def continue_alone(policy, prefix, uniforms):
    """Continue one prefix by teacher forcing, one token after the other."""
    tokens, log_probs = list(prefix), []
    while len(tokens) < STEPS and (not tokens or policy.fixed or tokens[-1] != EOS):
        token, scores = next_token(policy, tokens, uniforms[len(tokens)])
        tokens.append(token)
        log_probs.append(float(scores[token]))
    return tokens, log_probs


def padded(rows):
    return torch.tensor([row + [PAD] * (STEPS - len(row)) for row in rows])


@pytest.mark.parametrize("fixed", [True, False], ids=["fixed", "variable"])
@pytest.mark.parametrize("lag", [False, True], ids=["same", "lagging"])
@pytest.mark.parametrize(("stride", "given"), [(1, 0), (2, 0), (4, 0), (1, 3), (2, 3)])
def test_one_pass_equals_the_plain_loop(arch, fixed, lag, stride, given):
    """Same sequences, same rollouts, same log-probabilities; nothing after eos.

    With *given* tokens the sequences begin with these, which are not rolled out.
    """
    policy = make_policy(arch, fixed)
    first = torch.randint(4, 24, (NUM, given), generator=seeded_rng("given"))
    lagging = make_policy(arch, fixed, seed=2) if lag else policy
    assert_equals_the_loop(policy, lagging, stride, first)


@pytest.mark.parametrize("name", sorted(ARCHITECTURES.keys() - {"lstm", "transformer"}))
def test_every_architecture_equals_the_plain_loop(name):
    """Whatever state the decoder keeps, and whether or not it returns features."""
    for seed in range(1, 50):
        policy = make_policy(name, fixed=False, seed=seed)
        ended = (sample(policy, NUM, seeded_rng(7)).tokens == PAD).any(dim=1)
        if 0 < ended.sum() < NUM:
            break  # some rows leave the batch early
    nothing = torch.empty(NUM, 0, dtype=torch.long)
    assert_equals_the_loop(policy, policy, 3, nothing)


def test_rollouts_that_outlive_every_sequence():
    """Drawn from another policy, they go on when all sequences have ended."""
    length, outlived = 30, 0
    model = make_policy("lstm_lm", fixed=False).model
    other = make_policy("lstm_lm", fixed=False, seed=2).model
    own, theirs = (Policy(m, make_dictionary(20), max_length=length) for m in (model, other))
    for seed in range(20):
        found = roll_out(own, 2, 4, seeded_rng(seed), rollout_policy=theirs)
        longest = found.samples.mask.sum(dim=1).max()
        outlived += int((found.completions != PAD).sum(dim=2).max() > longest)
        assert (found.completions[:, :, longest:] != PAD).any() or longest == length + 1
        if outlived:
            break
    assert outlived


def assert_equals_the_loop(policy, lagging, stride, first):
    """Roll out in one pass and by the loop.

    Args:
        lagging: the policy that draws the completions.
        first: the tokens that sequences begin with.
    """
    lag, fixed, given = lagging is not policy, policy.fixed, first.size(1)
    result = roll_out(
        policy,
        NUM,
        ROLLOUTS,
        seeded_rng(7),
        rollout_policy=lagging if lag else None,
        stride=stride,
        given=first if given else None,
    )
    generator = seeded_rng(7)
    own = torch.rand(NUM, STEPS, generator=generator)
    ends = [t for t in range(stride - 1, STEPS - 1, stride) if t >= given]
    theirs = torch.rand(len(ends), NUM, ROLLOUTS, STEPS, generator=generator)

    sequences, prefixes, completions = [], [], []
    for b in range(NUM):
        tokens, log_probs = continue_alone(policy, first[b].tolist(), own[b])
        sequences.append(tokens)
        torch.testing.assert_close(
            result.samples.log_probs[b, : len(tokens)],
            torch.tensor([0.0] * given + log_probs),
            rtol=1e-4,
            atol=1e-4,
        )
    for place, t in enumerate(ends):
        for b in range(NUM):
            prefix = sequences[b][: t + 1]
            if len(sequences[b]) > t + 1:
                prefixes.append((b, t))
                completions.append(
                    padded(
                        [continue_alone(lagging, prefix, theirs[place, b, n])[0] for n in range(3)]
                    )
                )
    assert torch.equal(result.samples.tokens, padded(sequences))
    assert list(zip(result.sequence.tolist(), result.step.tolist(), strict=True)) == prefixes
    assert torch.equal(result.completions, torch.stack(completions))
    if not fixed:
        assert any(len(tokens) < STEPS for tokens in sequences), "no sequence ended early"


def test_rollouts_share_the_distribution_of_their_first_token(arch, monkeypatch):
    """The decoder reads each sequence, and each rollout's tokens after the first it drew itself."""
    policy, rows = make_policy(arch, fixed=True), []
    step = Decoding.step
    monkeypatch.setattr(
        Decoding, "step", lambda self, prefix: rows.append(len(prefix)) or step(self, prefix)
    )
    policy.row_bytes()  # is measured with one row
    rows.clear()
    roll_out(policy, NUM, ROLLOUTS, seeded_rng(1))
    assert rows == [NUM * (1 + ROLLOUTS * max(0, t - 1)) for t in range(STEPS)]


@pytest.mark.parametrize("fixed", [True, False], ids=["fixed", "variable"])
def test_groups_change_nothing(arch, fixed):
    """A memory that holds one sequence at a time gives the same rollouts in the same order."""
    policy = make_policy(arch, fixed)
    one = policy.row_bytes() * (1 + ROLLOUTS * (STEPS - 1))
    values, prefixes = [], []
    for memory in (1e9, one, 2.5 * one):
        policy.memory = memory
        result = roll_out(policy, NUM, ROLLOUTS, seeded_rng(3))
        rewards = result.completions.double().cos().sum(dim=2)
        values.append(action_values(result, rewards, result.samples.tokens.double().sum(dim=1)))
        prefixes.append((result.completions, result.sequence, result.step))
    for other in (1, 2):
        assert torch.equal(values[0], values[other])
        assert all(map(torch.equal, prefixes[0], prefixes[other]))


def test_a_memory_too_small_for_one_sequence_is_refused(arch):
    """The message says what would be enough, and that is enough."""
    policy = make_policy(arch, fixed=True, words=20)
    policy.memory = 1000
    with pytest.raises(InputError, match=r"--g-step-memory 0.001: .*15 rollouts needs 1 MB"):
        roll_out(policy, NUM, ROLLOUTS, seeded_rng(3))
    policy.memory = 1e6
    roll_out(policy, NUM, ROLLOUTS, seeded_rng(3))


def test_a_row_of_a_transformer_takes_more_with_every_token():
    """Its keys and values are kept: 2 layers × 2 × 16 numbers a token, and the copy of them."""
    short, long = (
        Policy(make_policy("transformer_lm", True).model, make_dictionary(20), fixed_length=length)
        for length in (5, 25)
    )
    assert long.row_bytes() - short.row_bytes() == 20 * (2 * 2 * 2 * 16 * 4 + 32)


def test_rollouts_begin_with_their_prefix_and_end_at_eos(arch):
    """A completion repeats its prefix; after eos there is padding and nothing else."""
    policy = make_policy(arch, fixed=False)
    result = roll_out(policy, 40, ROLLOUTS, seeded_rng(2))
    for sequence, step, group in zip(result.sequence, result.step, result.completions, strict=True):
        prefix = result.samples.tokens[sequence, : step + 1]
        assert (group[:, : step + 1] == prefix).all()
    for row in torch.cat([result.samples.tokens, result.completions.flatten(0, 1)]).tolist():
        if EOS in row:
            assert set(row[row.index(EOS) + 1 :]) <= {PAD}
        else:
            assert PAD not in row


def test_modes_are_restored(arch):
    """Rollouts run without dropout, and put every submodule back into its own mode."""
    policy = make_policy(arch, fixed=True)
    frozen = next(policy.model.decoder.children())
    frozen.eval()
    before = [module.training for module in policy.model.modules()]
    first = roll_out(policy, 4, 2, seeded_rng(1))
    again = roll_out(policy, 4, 2, seeded_rng(1))
    assert [module.training for module in policy.model.modules()] == before
    assert torch.equal(first.completions, again.completions)
