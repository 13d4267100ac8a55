"""What a resumed training takes over of the copies of G."""

from types import SimpleNamespace

import pytest
import torch

from fairseq_seqgan.adversarial.generator_step import GeneratorStep
from fairseq_seqgan.adversarial.model_copy import ModelCopy


def test_a_file_that_is_named_on_resuming_counts():
    """The stored copy is that of the start, which the training had before."""
    reference = ModelCopy("reference.pt")
    reference.load_state_dict({"weight": torch.zeros(1)})
    assert reference._state is None


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_an_average_that_is_switched_off_is_dropped(decay):
    """Else it would stay behind G, and be averaged on when the option comes back."""
    options = SimpleNamespace(kl_reference=None, rollout_dtype="float32", rollout_ema_decay=decay)
    step = GeneratorStep(options, None, None, 1, None)
    step.load_state_dict({"rollout_policy": {"weight": torch.zeros(1)}})
    assert ("rollout_policy" in step.state_dict()) == bool(decay)
