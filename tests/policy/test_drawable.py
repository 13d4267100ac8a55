"""Which real sequences G could have drawn."""

import pytest
import torch
from helpers.models import make_dictionary, make_lm

from fairseq_seqgan.policy.drawable import drawable
from fairseq_seqgan.policy.policy import Policy, banned_symbols

DICTIONARY = make_dictionary(6)
PAD, EOS, UNK = DICTIONARY.pad(), DICTIONARY.eos(), DICTIONARY.unk()
UNKNOWN = "hold a symbol that is never drawn, such as an unknown word"


def find(*rows, fixed, **options):
    banned = torch.tensor(banned_symbols(DICTIONARY, fixed))
    sequences = (torch.tensor(row) for row in rows)
    return drawable(sequences, banned=banned, pad=PAD, length=3, fixed=fixed, **options)


def test_sequences_that_end_are_padded_and_others_are_counted():
    found = find([4, 5, EOS], [EOS], [4, UNK, EOS], [4, 4, 4, EOS], [6, EOS], fixed=False)
    assert found.tokens.tolist() == [[4, 5, EOS], [EOS, PAD, PAD], [6, EOS, PAD]]
    assert found.left_out == {UNKNOWN: 1, "are longer than 2 tokens, the longest that G draws": 1}


def test_sequences_of_fixed_length_have_it_exactly_and_no_end():
    found = find([4, 5, 6], [4, 5], [4, 5, 6, 7], [4, 5, EOS], fixed=True)
    assert found.tokens.tolist() == [[4, 5, 6]]
    assert found.left_out == {UNKNOWN: 1, "do not have 3 tokens, which every sequence of G has": 2}


def test_a_sequence_has_more_than_the_prefix_that_g_continues():
    found = find([4, EOS], [4, 5, EOS], fixed=False, prefix_size=2)
    assert found.tokens.tolist() == [[4, 5, EOS]]
    assert found.left_out == {"have no more than 2 tokens, the prefix that G continues": 1}


def test_it_stops_after_as_many_as_are_wanted():
    """The rest is not read, so nothing is said about it."""
    read = iter([torch.tensor([4, UNK, EOS]), *[torch.tensor([4, EOS])] * 3])
    banned = torch.tensor(banned_symbols(DICTIONARY, False))
    found = drawable(read, banned=banned, pad=PAD, length=3, fixed=False, most=1)
    assert len(found.tokens) == 1 and found.left_out == {UNKNOWN: 1}
    assert len(list(read)) == 1  # one more was taken, and dropped


@pytest.mark.parametrize("length", [{"fixed_length": 3}, {"max_length": 2}])
def test_the_nll_is_of_what_can_be_drawn(length):
    """Unknown words, padding and the end of a fixed length do not count."""
    policy = Policy(make_lm("lstm_lm", DICTIONARY), DICTIONARY, **length)
    policy.model.eval()
    tokens = torch.tensor([[4, UNK, EOS], [5, EOS, PAD]])
    total, count = policy.nll(tokens)
    scored = [(0, 0), (1, 0)] if policy.fixed else [(0, 0), (0, 2), (1, 0), (1, 1)]
    assert count == len(scored)
    log_probs = policy.logits(tokens).log_softmax(dim=2)
    expected = -sum(log_probs[b, t, tokens[b, t]].double() for b, t in scored)
    torch.testing.assert_close(total, expected, rtol=1e-5, atol=0)
