"""How well scores tell real sequences from generated ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import roc_auc_score

from ..support.errors import InputError


def auc(scores_real: Sequence[float], scores_fake: Sequence[float]) -> float:
    """Return the probability that a real sequence scores higher than a fake one.

    This is the area under the ROC curve: 1 is perfect separation, 0.5 is chance, and a tie counts
    for one half. The scores, P(real) or any other number that grows with it, are (R,) and (F,).

    Raises:
        InputError: one side has no scores, or a score is NaN or infinite.
    """
    real = np.asarray(scores_real, dtype=np.float64)
    fake = np.asarray(scores_fake, dtype=np.float64)
    if real.size == 0 or fake.size == 0:
        raise InputError(f"AUC needs both kinds: {real.size} real and {fake.size} fake scores")
    scores = np.concatenate([real, fake])
    if not np.isfinite(scores).all():
        raise InputError("AUC needs finite scores; there is a NaN or an infinity among them")
    labels = np.concatenate([np.ones(real.size), np.zeros(fake.size)])
    return float(roc_auc_score(labels, scores))
