"""Whether two means differ: Welch's t-test and the paired t-test, both by scipy.

Conventions: p is two-sided. Welch's test assumes independent draws from two populations and does
not assume that their variances are equal.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from scipy import stats

from ..support.errors import InputError


class Welch(NamedTuple):
    """A t-test of the difference of two means."""

    t: float  # positive: the first mean is the larger one
    df: float  # degrees of freedom, Welch and Satterthwaite's
    p: float  # probability of a |t| as large if the means were equal; 0.0 is below 1e-300


def welch(
    first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray
) -> Welch | None:
    """Test whether the means of *first* (n,) and *second* (m,) differ.

    Returns:
        None where the test is not defined: fewer than two numbers on a side, or no spread at all.

    Raises:
        InputError: a number is NaN or infinite.
    """
    pair = [np.asarray(values, dtype=np.float64) for values in (first, second)]
    if not all(np.isfinite(values).all() for values in pair):
        raise InputError("a t-test needs finite numbers")
    if min(map(len, pair)) < 2 or all(np.ptp(values) == 0 for values in pair):
        return None
    with _no_warning_of_small_spread():
        found = stats.ttest_ind(*pair, equal_var=False)
    return Welch(float(found.statistic), float(found.df), float(found.pvalue))


@contextmanager
def _no_warning_of_small_spread() -> Iterator[None]:
    """Silence scipy, which warns of numbers that are nearly equal.

    Their variance may be imprecise, but it is next to nothing.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


class Paired(NamedTuple):
    """A t-test of whether the mean of differences is 0."""

    t: float  # positive: the mean difference is above 0
    df: int  # degrees of freedom, n - 1
    p: float  # probability of a |t| as large if the mean difference were 0


def paired(differences: Sequence[float]) -> Paired | None:
    """Test whether the mean of *differences* (n,) between pairs, such as equal seeds, is 0.

    Returns:
        None where the test is not defined: fewer than two, or no spread at all.

    Raises:
        InputError: a number is NaN or infinite.
    """
    values = np.asarray(differences, dtype=np.float64)
    if not np.isfinite(values).all():
        raise InputError("a t-test needs finite numbers")
    if len(values) < 2 or np.ptp(values) == 0:
        return None
    with _no_warning_of_small_spread():
        found = stats.ttest_1samp(values, 0.0)
    return Paired(float(found.statistic), int(found.df), float(found.pvalue))
