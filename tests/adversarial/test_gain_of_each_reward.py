"""Validation logs D's gain whatever G's reward is, for fixed and for variable length."""

import math

import pytest
from helpers.commands import LENGTH, fork, gan

from fairseq_seqgan.rewards.base import REWARDS

pytestmark = pytest.mark.slow

SHORT = "--pretrain-d-steps 1 --rounds 1 --d-steps 1 --num-eval-samples 20".split()
VARIABLE = {"shape": f"--max-length {LENGTH}"}


@pytest.mark.parametrize("shape", [{}, VARIABLE], ids=["fixed", "variable"])
def test_each_reward_has_a_gain(data, tmp_path, shape):
    """Before G's first step the reward has done nothing, so the numbers are the same."""
    first = {}
    for reward in REWARDS:
        folder = tmp_path / reward
        options = [*SHORT, "--reward", reward]
        result = fork("train", folder, gan(data, folder, None, *options, **shape)).check()
        begin, end = result.logged("valid")[0], result.logged("valid")[-1]
        assert math.isfinite(end["d_gain"]) and end["d_gain_stderr"] >= 0
        first[reward] = begin["d_gain"], begin["d_gain_stderr"], begin["d_slope"]
    assert len(first) == 6
    assert len(set(first.values())) == 1
