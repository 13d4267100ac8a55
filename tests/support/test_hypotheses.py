"""The samples in what ``fairseq-generate`` prints."""

import pytest

from fairseq_seqgan.support.hypotheses import Hypothesis, parse


def test_samples_come_in_the_order_of_their_ids():
    """Ids are numbers, not text; several of one id keep their order; other lines are ignored."""
    lines = [
        "INFO",
        "S-10\ta",
        "H-10\t-1\ta b\n",
        "H-2\t-2\tc\td",
        "P-2\t-1",
        "H-2\t-3\t",
        "H-x\t1",
    ]
    assert parse(lines) == [
        Hypothesis(2, 4, "c\td"),
        Hypothesis(2, 6, ""),
        Hypothesis(10, 3, "a b"),
    ]
    assert parse(["a b c", "", "H-x\t1\ta", " H-1\t-1\ta"]) == []


@pytest.mark.parametrize("line", ["H-0\t-1.0", "H-0\t"])
def test_an_incomplete_line_is_named(line):
    with pytest.raises(ValueError, match=r"^line 2: not H-<id>, score and text"):
        parse(["H-1\t-1\ta", line])
