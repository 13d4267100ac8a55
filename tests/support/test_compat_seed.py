"""Before an update on a machine without a GPU, torch is seeded as fairseq does it, but faster."""

import traceback
from types import SimpleNamespace

import pytest
import torch
from fairseq import utils
from fairseq.trainer import Trainer

pytestmark = pytest.mark.skipif(torch.accelerator.is_available(), reason="there is a GPU")


def trainer(seed, updates):
    common = SimpleNamespace(seed=seed)
    return SimpleNamespace(cfg=SimpleNamespace(common=common), get_num_updates=lambda: updates)


@pytest.mark.parametrize(("seed", "updates"), [(1, 0), (7, 12345)])
def test_the_random_numbers_are_those_of_fairseq(seed, updates):
    Trainer._set_seed(trainer(seed, updates))
    ours = torch.rand(5)
    utils.set_torch_seed(seed + updates)
    assert torch.equal(ours, torch.rand(5))


def test_no_stack_trace_is_formatted(monkeypatch):
    """As torch does for a GPU that it has not found yet."""
    traces = []
    monkeypatch.setattr(traceback, "format_stack", lambda *_: traces.append(1) or [])
    utils.set_torch_seed(1)
    assert traces  # fails once torch does without: then the workaround can go
    traces.clear()
    Trainer._set_seed(trainer(1, 1))
    assert not traces
