"""Human scores: how often people judge that a human made an item, and how far they agree.

Shapes: R raters, M items. *Ratings* are (R, M): 1 where the rater judged that a human made the
item, 0 for a machine, NaN where there is no verdict. An item's score is the share of its verdicts
that are 1. The statistics of a source are taken over the scores of its items. Each item counts
once, however many verdicts it has, because verdicts on one item depend on each other.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import stats
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

from ..support.errors import InputError
from .significance import welch


class HumanScore(NamedTuple):
    """The human score of a source, as in the paper's Table 2."""

    mean: float  # mean score of its items, in 0 ... 1; NaN if no item has a verdict
    stderr: float  # standard error of that mean over items; NaN for fewer than 2
    items: int  # items with at least one verdict
    verdicts: int


class Comparison(NamedTuple):
    """The comparison of two sources; NaN where a p-value is not defined."""

    difference: float  # mean of the first - mean of the second
    welch_p: float  # Welch's t-test over the items' scores, two-sided
    mann_whitney_p: float  # Mann-Whitney U test over the same, two-sided


class Agreement(NamedTuple):
    """Fleiss' kappa over the items that every rater judged."""

    kappa: float  # 1: always the same verdict; 0: as by chance; NaN: undefined
    items: int
    raters: int


def item_scores(ratings: np.ndarray) -> np.ndarray:
    """Return the score of every item that has one: (M',) for *ratings* (R, M), M' at most M.

    Raises:
        InputError: *ratings* are not two-dimensional, or hold something else than 1, 0 and NaN.
    """
    ratings = _validated(ratings)
    judged = ~np.isnan(ratings).all(axis=0)
    return np.nanmean(ratings[:, judged], axis=0)


def human_score(ratings: np.ndarray) -> HumanScore:
    """Summarise the verdicts on one source, (R, M).

    Raises:
        InputError: as :func:`item_scores`.
    """
    scores = item_scores(ratings)
    return HumanScore(
        mean=float(scores.mean()) if len(scores) else math.nan,
        stderr=float(stats.sem(scores)) if len(scores) > 1 else math.nan,
        items=len(scores),
        verdicts=int((~np.isnan(ratings)).sum()),
    )


def compare(a: np.ndarray, b: np.ndarray) -> Comparison:
    """Compare the verdicts on two sources, (R, M_a) and (R, M_b).

    Welch's t-test needs at least two items in each source and a spread in one of them; the
    Mann-Whitney U test (asymptotic where scores are equal, else exact for small samples, as SciPy
    chooses) needs one item in each. Neither is corrected for the number of comparisons.

    Raises:
        InputError: as :func:`item_scores`.
    """
    x, y = item_scores(a), item_scores(b)
    if not len(x) or not len(y):
        return Comparison(math.nan, math.nan, math.nan)
    tested = welch(x, y)
    rank = float(stats.mannwhitneyu(x, y, alternative="two-sided").pvalue)
    return Comparison(
        difference=float(x.mean() - y.mean()),
        welch_p=math.nan if tested is None else tested.p,
        mann_whitney_p=rank,
    )


def agreement(ratings: np.ndarray) -> Agreement:
    """Return Fleiss' kappa of all raters, (R, M), over the items that all of them judged.

    Kappa = (P - P_e) / (1 - P_e), where P is the share of pairs of raters that give an item the
    same verdict and P_e what the verdicts' overall shares make of it by chance. It is undefined
    with fewer than two raters, without an item that all judged, or if every verdict is the same.

    Raises:
        InputError: as :func:`item_scores`.
    """
    ratings = _validated(ratings)
    complete = ratings[:, ~np.isnan(ratings).any(axis=0)]
    raters, items = complete.shape
    if raters < 2 or items == 0 or np.ptp(complete) == 0:
        return Agreement(math.nan, items, raters)
    table, _ = aggregate_raters(complete.T.astype(int), n_cat=2)
    return Agreement(float(fleiss_kappa(table)), items, raters)


def correct_share(ratings: np.ndarray, human: np.ndarray) -> np.ndarray:
    """Return how often each rater was right, (R,); NaN without a verdict.

    *ratings* are (R, M), and *human* (M,) is True for the items that a human made.

    Raises:
        InputError: as :func:`item_scores`, or the numbers of items differ.
    """
    ratings = _validated(ratings)
    if human.shape != ratings.shape[1:]:
        raise InputError(f"{ratings.shape[1]} items were judged, {human.shape[0]} are known")
    judged = ~np.isnan(ratings)
    right = (judged & (ratings == human)).sum(axis=1)
    verdicts = judged.sum(axis=1)
    return np.where(verdicts > 0, right / np.maximum(verdicts, 1), np.nan)


def _validated(ratings: np.ndarray) -> np.ndarray:
    ratings = np.asarray(ratings, dtype=float)
    if ratings.ndim != 2:
        raise InputError(f"ratings are raters x items, not of shape {ratings.shape}")
    if not (np.isnan(ratings) | (ratings == 0) | (ratings == 1)).all():
        raise InputError("a rating is 1 (human), 0 (machine) or NaN (no verdict)")
    return ratings
