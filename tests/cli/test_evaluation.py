"""What ``evaluate`` found, as JSON and as tables, also from a metric of one's own."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from fairseq_seqgan.cli.evaluation import Evaluation, Measured
from fairseq_seqgan.metrics.base import Direction, Metric, Score
from fairseq_seqgan.support.errors import InputError


class Own(Metric):
    """A metric of one's own."""

    name, title, unit = "own", "own", ""
    direction, formula = Direction.NEITHER, ""

    def compute(self, inputs):
        raise NotImplementedError


class Other(Own):
    """Another one."""

    name, title = "other", "other"


class Pitch(Own):
    """One in the table of pitch errors."""

    table = "mean squared error, keys"


def evaluation(*measured):
    found = [Measured(metric, score, None) for metric, score in measured]
    return Evaluation(Path("samples"), None, Path("data"), 5, "test", 5, 5, measured=found)


def test_numbers_of_numpy():
    score = Score(np.float32(0.5), np.float32("nan"), details={"own_count": np.int64(3)})
    found = json.loads(json.dumps(evaluation((Own(), score)).as_json(), allow_nan=False))
    assert (found["own"], found["own_stderr"], found["own_count"]) == (0.5, None, 3)


def test_a_detail_that_two_metrics_share():
    """Both may state it if they agree, also if it is undefined."""

    def both(one, two):
        scores = [Score(0.5, details={"shared": value}) for value in (one, two)]
        return evaluation((Own(), scores[0]), (Other(), scores[1])).as_json()

    assert both(3, 3)["shared"] == 3
    assert both(math.nan, math.nan)["shared"] is None
    for other in (4, math.nan):
        with pytest.raises(InputError, match="metric 'other': the key 'shared' has a value"):
            both(3, other)


def test_a_count_among_the_pitch_errors():
    score = Score(12.5, counts={"tunes of another length": 1234})
    lines = [line.split() for line in evaluation((Pitch(), score)).as_text().splitlines()]
    assert ["own", "12.500"] in lines
    assert ["tunes", "of", "another", "length", "1,234"] in lines


def test_an_error_that_is_not_defined_is_a_dash():
    """A single sequence has none; "nan" would look like a failure. Others keep their decimals."""
    for table in ("own", "nats per token"):
        both = Own(), Other()
        for metric in both:
            metric.table = table
        scores = Score(0.5, math.nan, "1 sequence"), Score(0.5, 1 / 3, "2 sequences")
        text = evaluation(*zip(both, scores, strict=True)).as_text()
        first, second = (line for line in text.splitlines() if " sequence" in line)
        assert "nan" not in first and " - " in first
        assert " 0.3333 " in second
