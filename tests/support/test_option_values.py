"""Values of options that commands share."""

import math
from argparse import ArgumentParser

import pytest

from fairseq_seqgan.support import option_values
from fairseq_seqgan.support.errors import InputError


@pytest.mark.parametrize("text", ["-1", "1.5", "one", ""])
def test_a_seed_is_a_whole_number(text, capsys):
    """What numpy and random would refuse with a traceback is the line of a wrong option."""
    parser = ArgumentParser()
    parser.add_argument("--seed", type=option_values.seed)
    assert parser.parse_args(["--seed", "7"]).seed == 7
    with pytest.raises(SystemExit) as ended:
        parser.parse_args([f"--seed={text}"])
    assert ended.value.code == 2
    assert "it must be a whole number, 0 or more" in capsys.readouterr().err


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, 10**9 + 1, 10**400])
def test_a_count_is_positive_and_can_be_counted(value):
    with pytest.raises(InputError, match=r"--num-samples is .*: it must be (above|at most)"):
        option_values.positive(num_samples=value)
    option_values.positive(num_samples=10**9, temperature=1e-9, reward_scale=1e12)
