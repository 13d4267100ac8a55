"""The policy: what it draws, and how probable it says that this was."""

import pytest
import torch
from helpers.models import make_dictionary
from helpers.policies import EOS, PAD, STEPS, make_policy

from fairseq_seqgan.policy.policy import banned_symbols
from fairseq_seqgan.policy.rollouts import roll_out, sample
from fairseq_seqgan.support.rng import seeded_rng


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
