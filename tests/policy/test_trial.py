"""Trying out a generator before the first update."""

import pytest
import torch
from fairseq.models.lstm import LSTMDecoder
from helpers.architectures import ARCHITECTURES, build
from helpers.models import make_dictionary

from fairseq_seqgan.policy.policy import Policy
from fairseq_seqgan.policy.trial import try_out
from fairseq_seqgan.support.errors import InputError

WORDS = 20


def make_policy(name="lstm", **length):
    dictionary = make_dictionary(WORDS)
    model = build(name, dictionary, 16, scale=3.0)
    return Policy(model, dictionary, **(length or {"fixed_length": 6}))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_works_passes_and_changes_nothing(name):
    """No weight, no gradient, no mode, no random number."""
    policy = make_policy(name)
    weights = {key: value.clone() for key, value in policy.model.state_dict().items()}
    random = torch.get_rng_state()
    try_out(policy, name)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(p.grad is None for p in policy.model.parameters())
    assert all(part.training for part in policy.model.modules())
    for key, value in policy.model.state_dict().items():
        torch.testing.assert_close(value, weights[key], rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("length", [{"fixed_length": 1}, {"max_length": 1}, {"max_length": 5}])
def test_any_length(length):
    try_out(make_policy(**length), "lstm")


def replaced(policy, **methods):
    """Give the decoder of *policy* other methods."""
    decoder = policy.model.decoder
    decoder.__class__ = type("Other", (type(decoder),), methods)
    return policy


def not_implemented(*args, **kwargs):
    raise NotImplementedError


def in_place(self, features):
    """As fairseq's own for an adaptive softmax: fine without gradients."""
    logits = LSTMDecoder.output_layer(self, features).softmax(dim=-1)
    return logits.log().mul_(logits.mul_(2))


def forgetful(self, state, order):
    """Select the rows, and lose what they are."""
    LSTMDecoder.reorder_incremental_state(self, state, order)
    for part in state.values():
        part["prev_hiddens"] = torch.zeros_like(part["prev_hiddens"])


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ({"extract_features": not_implemented}, "decoding step by step fails .NotImplementedError"),
        (
            {"reorder_incremental_state": not_implemented},
            "decoding step by step fails .NotImplementedError",
        ),
        ({"forward": not_implemented}, "the probability of a sequence fails"),
        ({"output_layer": in_place}, "the gradient of .* fails .*modified by an inplace operation"),
        ({"reorder_incremental_state": forgetful}, r"log-probabilities that differ by \d"),
    ],
)
def test_what_does_not_work_is_named(methods, words):
    """One line with the architecture, the part that fails, and what it says."""
    policy = replaced(make_policy(), **methods)
    with pytest.raises(
        InputError, match=f"^error: --arch lstm_lm: .*trained adversarially: .*{words}"
    ):
        try_out(policy, "--arch lstm_lm")
