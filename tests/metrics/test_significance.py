"""Welch's t-test on stored numbers: against scipy, and against the formula written out."""

import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from fairseq_seqgan.metrics.significance import paired, welch
from fairseq_seqgan.support.errors import InputError

RUNS = Path(__file__).parents[1] / "reporting" / "data" / "runs"

# Invented NLLs of five trainings each, in nats per token.
MLE = [9.038, 9.071, 9.052, 9.044, 9.060]
SEQGAN = [8.736, 8.681, 8.702, 8.755, 8.719]


def formula(a, b):
    """Return t and the degrees of freedom, written out once more."""
    a, b = np.asarray(a), np.asarray(b)
    squares = [values.var(ddof=1) / len(values) for values in (a, b)]
    t = (a.mean() - b.mean()) / math.sqrt(sum(squares))
    parts = [s**2 / (len(values) - 1) for s, values in zip(squares, (a, b), strict=True)]
    return t, sum(squares) ** 2 / sum(parts)


def stored(name):
    with np.load(RUNS / name / "scores.npz") as file:
        return file["nll_oracle"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (MLE, SEQGAN),
        (SEQGAN, MLE),
        (MLE, SEQGAN[:2]),
        (MLE, [8.7, 8.7]),  # one side without spread
        (stored("mle-seed1"), stored("seqgan-seed2")),
    ],
)
def test_is_scipys(first, second):
    found = welch(first, second)
    expected = stats.ttest_ind(first, second, equal_var=False)
    assert found == (expected.statistic, expected.df, expected.pvalue)
    t, df = formula(first, second)
    assert found.t == pytest.approx(t, rel=1e-9)
    assert found.df == pytest.approx(df, rel=1e-9)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(t), df), rel=1e-6)


def test_known_value():
    """By hand: means 9.053 and 8.7186, variances 1.7e-4 and 8.293e-4, five of each."""
    found = welch(MLE, SEQGAN)
    assert found.t == pytest.approx(0.3344 / math.sqrt((1.70e-4 + 8.293e-4) / 5), rel=1e-4)
    assert found.p < 1e-6


def test_the_variances_are_not_pooled():
    """Student's test would have 8 degrees of freedom."""
    assert welch(MLE, SEQGAN).df < 7


@pytest.mark.parametrize(
    ("first", "second"), [([1.0], MLE), (MLE, [1.0]), ([], MLE), ([2.0, 2.0], [1.0, 1.0])]
)
def test_undefined_is_none(first, second):
    assert welch(first, second) is None


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_refuses_what_is_not_finite(bad):
    with pytest.raises(InputError, match="finite"):
        welch([1.0, bad], MLE)


def test_the_stored_report_holds_scipys_numbers():
    """Rows of the golden report, from the stored scores by scipy alone."""
    golden = json.loads((RUNS.parent / "report" / "report.json").read_text())
    rows = {(r["system"], r["selection"], r["temperature"]): r for r in golden["rows"]}
    seqgan = [stored(f"seqgan-seed{seed}") for seed in (1, 2, 3)]
    for key, name, seeds in (
        (("mle", "last", 1.0), "mle", (1, 2, 3)),
        (("mle", "best-on-validation", 1.0), "mle-best", (1, 2, 3)),
        (("constant_reward", "last", 1.0), "constant_reward", (1, 2)),
    ):
        own = [stored(f"{name}-seed{seed}") for seed in seeds]
        over_samples = stats.ttest_ind(np.concatenate(own), np.concatenate(seqgan), equal_var=False)
        over_seeds = stats.ttest_ind(
            [s.mean() for s in own], [s.mean() for s in seqgan], equal_var=False
        )
        for test, expected in (
            ("welch_over_samples", over_samples),
            ("welch_over_seeds", over_seeds),
        ):
            found = rows[key][test]
            assert found["t"] == pytest.approx(expected.statistic, rel=1e-8)
            assert found["df"] == pytest.approx(expected.df, rel=1e-8)
            assert found["p"] == pytest.approx(expected.pvalue, rel=1e-8)
        means = [s.mean() for s in own]
        assert rows[key]["nll_oracle"]["mean"] == pytest.approx(np.mean(means), rel=1e-9)
        assert rows[key]["nll_oracle"]["sd"] == pytest.approx(np.std(means, ddof=1), rel=1e-8)


def test_numbers_that_are_nearly_equal_bring_no_warning():
    """They are common: seeds whose coverage a temperature has changed alike."""
    nearly = [0.1 - 0.08, 0.2 - 0.18]
    assert nearly[0] != nearly[1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert paired(nearly).p < 1e-6
        assert welch(nearly, [0.5, 0.5 + 1e-15]).p < 1e-6
