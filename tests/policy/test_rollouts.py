"""Rollouts in one growing pass, compared with a plain loop that is given the same uniforms."""

import pytest
import torch
import torch.nn.functional as F
from helpers.architectures import ARCHITECTURES, build
from helpers.models import make_dictionary, make_lm

from fairseq_seqgan.adversarial.action_values import action_values, without_rollouts
from fairseq_seqgan.policy.policy import Decoding, Policy, banned_symbols
from fairseq_seqgan.policy.rollouts import roll_out, sample
from fairseq_seqgan.support.errors import InputError
from fairseq_seqgan.support.rng import seeded_rng

NUM, ROLLOUTS, STEPS = 5, 3, 6
ARCHS = ["lstm_lm", "transformer_lm"]
EOS, PAD = 2, 1


@pytest.fixture(params=ARCHS)
def arch(request):
    return request.param


def make_policy(arch, fixed, seed=1, words=20):
    """A policy far from uniform, over T = 6 steps either way."""
    dictionary = make_dictionary(words)
    if arch in ARCHITECTURES:
        model = build(arch, dictionary, 128, seed, scale=3.0)
    else:
        model = make_lm(arch, dictionary, seed=seed, scale=3.0)
    length = {"fixed_length": STEPS} if fixed else {"max_length": STEPS - 1}
    return Policy(model, dictionary, **length)


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


@pytest.mark.parametrize("shared", [True, False])
def test_projecting_into_one_memory_equals_the_decoders_own_layer(arch, shared):
    """With the mask and the temperature inside, also where embeddings are shared."""
    policy = make_policy(arch, fixed=True)
    policy.temperature = 0.7
    decoder = policy.model.decoder
    if arch == "lstm_lm":
        decoder.share_input_output_embed = shared
    features = torch.randn(9, 16)
    with torch.no_grad():
        direct = policy._projection(features, 9)
        assert direct != policy._project
        torch.testing.assert_close(direct(features), policy._project(features))
        decoder.__class__ = type("Other", (type(decoder),), {"output_layer": lambda self, x: x})
        assert policy._projection(features, 9) == policy._project


@pytest.mark.parametrize("arch", ["lstm_lm", "transformer_lm"])
def test_log_probabilities_in_parts_equal_those_in_one(arch):
    """A memory for two sequences' logits: same numbers and, but for rounding, same gradient."""
    policy = make_policy(arch, fixed=True)
    policy.model.eval()
    rows = roll_out(policy, 7, 1, seeded_rng(3)).samples.tokens
    found = []
    for memory in (1e9, 2 * 16 * STEPS * policy.size):
        policy.memory = memory
        policy.model.zero_grad()
        log_probs = policy.log_probs(rows)
        (log_probs * torch.arange(STEPS)).sum().backward()
        grads = [p.grad.clone() for p in policy.model.parameters() if p.grad is not None]
        found.append((log_probs.detach(), grads))
    torch.testing.assert_close(*found)
    with torch.no_grad():
        torch.testing.assert_close(policy.log_probs(rows), found[0][0])


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


def test_sample_does_not_depend_on_the_batch_size(arch):
    """The same generator state gives the same sequences."""
    policy = make_policy(arch, fixed=False)
    drawn = [sample(policy, 50, seeded_rng(5), batch_size=size).tokens for size in (50, 7)]
    assert torch.equal(*drawn)


def test_prefixes_are_continued(arch):
    """Given tokens stay, the drawn ones follow, and a finished prefix stays finished."""
    policy = make_policy(arch, fixed=False)
    prefix = torch.tensor([[7, 8, 9], [5, PAD, PAD], [6, EOS, PAD]])
    drawn = sample(policy, 3, seeded_rng(5), prefix=prefix)
    assert drawn.tokens[0, :3].tolist() == [7, 8, 9]
    assert drawn.tokens[1, 0] == 5
    assert drawn.tokens[2].tolist() == [6, EOS] + [PAD] * (STEPS - 2)
    assert (drawn.log_probs[0, :3] == 0).all()
    assert drawn.log_probs[0, 3] < 0


@pytest.mark.parametrize("fixed", [True, False], ids=["fixed", "variable"])
def test_log_probs_under_teacher_forcing(arch, fixed):
    """What the draw says of its tokens is what teacher forcing says of them."""
    policy = make_policy(arch, fixed)
    drawn = sample(policy, 30, seeded_rng(9))
    policy.model.eval()
    forced = policy.log_probs(drawn.tokens)
    torch.testing.assert_close(forced, drawn.log_probs, rtol=1e-4, atol=1e-5)
    assert not torch.isin(drawn.tokens[drawn.mask], policy.banned).any()


def test_temperature_is_part_of_the_policy(arch):
    """A temperature scales the distribution that is sampled and the one that is scored alike."""
    cold = make_policy(arch, fixed=True)
    cold.temperature = 0.5
    drawn = sample(cold, 30, seeded_rng(9))
    cold.model.eval()
    scores = cold.log_probs(drawn.tokens)
    torch.testing.assert_close(scores, drawn.log_probs, rtol=1e-4, atol=1e-4)
    first = cold.model(torch.full((1, 1), cold.start))[0][0, 0] / 0.5
    first[cold.banned] = -torch.inf
    torch.testing.assert_close(scores[:, 0], first.log_softmax(0)[drawn.tokens[:, 0]])


def test_what_is_never_drawn():
    """bos, pad, unk and filler words; eos where the length is fixed."""
    dictionary = make_dictionary(3)
    dictionary.add_symbol("madeupword0000")
    assert banned_symbols(dictionary, fixed_length=False) == [0, PAD, 3, 7]
    assert banned_symbols(dictionary, fixed_length=True) == [0, PAD, EOS, 3, 7]
