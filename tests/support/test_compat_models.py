"""What fairseq's models cannot do by themselves."""

import copy

import pytest
import torch
import torch.nn.functional as F
from fairseq.modules import AdaptiveInput, AdaptiveSoftmax
from helpers.architectures import ARCHITECTURES, build
from helpers.models import make_dictionary
from omegaconf import OmegaConf

from fairseq_seqgan.support import compat_models
from fairseq_seqgan.support.errors import InputError

SYMBOLS, FEATURES, CUTOFF = 24, 16, [8, 16]
ADAPTIVE = [name for name in ARCHITECTURES if "adaptive" in name]


def make_softmax(tied):
    torch.manual_seed(1)
    inputs = AdaptiveInput(SYMBOLS, 1, FEATURES, 2, FEATURES, CUTOFF) if tied else None
    softmax = AdaptiveSoftmax(
        SYMBOLS, FEATURES, CUTOFF, dropout=0.0, factor=2, adaptive_inputs=inputs
    )
    return softmax, torch.randn(5, 7, FEATURES, requires_grad=True)


@pytest.mark.parametrize("tied", [False, True])
def test_log_probabilities_of_an_adaptive_softmax(tied):
    """They are fairseq's; their gradient is that of fairseq's own loss for an adaptive softmax."""
    softmax, features = make_softmax(tied)
    ours = compat_models.adaptive_log_probs(softmax, features)
    with torch.no_grad():
        torch.testing.assert_close(ours, softmax.get_log_prob(features, None))
    torch.testing.assert_close(ours.exp().sum(dim=2), torch.ones(5, 7))

    targets = torch.arange(35).view(5, 7) % SYMBOLS
    parameters = [features, *softmax.parameters()]
    loss = -ours.gather(2, targets.unsqueeze(2)).sum()
    bands, places = softmax(features, targets)
    theirs = sum(
        F.cross_entropy(band, place, reduction="sum")
        for band, place in zip(bands, places, strict=True)
    )
    torch.testing.assert_close(loss, theirs)
    found, expected = (torch.autograd.grad(value, parameters) for value in (loss, theirs))
    assert all(gradient.abs().sum() > 0 for gradient in found)
    torch.testing.assert_close(found, expected)


def test_only_the_convolutional_decoders_have_no_features():
    dictionary = make_dictionary(20)
    without = {
        name
        for name in ARCHITECTURES
        if not compat_models.has_features(build(name, dictionary, 8).decoder)
    }
    assert without == {name for name in ARCHITECTURES if "convolutions" in name}


def test_weights_that_were_just_computed_can_be_copied():
    """After a pass with gradients; the copy computes its own from then on."""
    model = build("gated convolutions", make_dictionary(20), 8).eval()
    tokens = torch.randint(4, 24, (2, 5))
    before = model(tokens)[0].detach()
    with pytest.raises(RuntimeError, match="deepcopy"):
        copy.deepcopy(model)
    compat_models.let_copy(model)
    copied = copy.deepcopy(model)
    assert torch.equal(copied(tokens)[0], before)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
    assert torch.equal(copied(tokens)[0], before)
    assert not torch.equal(model(tokens)[0], before)


@pytest.mark.parametrize(
    "value",
    [
        "[(1268, 4)] * 13",
        "[(850, 6)] * 3 + [(850, 1, 0)] * 1",
        "10000,20000,200000",
        "[True, False]",
    ],
)
def test_lists_of_numbers_are_options(value):
    for options in ({"decoder_layers": value}, OmegaConf.create({"decoder_attention": value})):
        compat_models.require_lists(options)


@pytest.mark.parametrize(
    "value", ["__import__('os').system('true')", "[x for x in (1,)]", "9**9**9", "open('f')", "{}"]
)
def test_code_is_no_option(value):
    """fairseq would run it."""
    for name in ("decoder_layers", "adaptive_softmax_cutoff", "character_filters"):
        with pytest.raises(InputError, match=f"--{name.replace('_', '-')} .*: not a list such as"):
            compat_models.require_lists({name: value})
        with pytest.raises(InputError):
            compat_models.require_lists(OmegaConf.create({"decoder": {name: value}}))
        with pytest.raises(InputError):
            compat_models.require_lists(OmegaConf.create({"other": value, name: "${other}"}))


def test_an_uninitialised_number_is_no_divergence():
    weights = {"decoder.fc.weight": torch.ones(1), "p._float_tensor": torch.tensor([torch.nan])}
    assert [float(part) for part in compat_models.finite_parts(weights)] == [1.0]
