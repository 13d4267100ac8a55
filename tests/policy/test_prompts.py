"""The items of ``fairseq-generate``: what is refused before a sample is lost."""

from types import SimpleNamespace

import pytest
from fairseq.data import Dictionary

from fairseq_seqgan.policy import prompts
from fairseq_seqgan.support import compat
from fairseq_seqgan.support.errors import InputError


def test_a_batch_of_less_than_one_sample_is_refused():
    with pytest.raises(InputError, match="--batch-size"):
        prompts.prompt_iterator(prompts.Prompts(1000, 2, 1, None), -300)


def test_a_negative_prefix_is_refused(monkeypatch):
    """fairseq takes it for none, so the samples would not continue anything."""
    generation = SimpleNamespace(prefix_size=-1, sampling=True)
    root = SimpleNamespace(generation=generation)
    monkeypatch.setattr(compat, "root_config", lambda options: root)
    options = SimpleNamespace(max_length=0, fixed_length=0, num_samples=5)
    with pytest.raises(InputError, match="--prefix-size is -1: it must be 0 or more"):
        prompts.make_prompts(options, None, Dictionary(), lambda: [])
