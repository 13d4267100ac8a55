"""How much data D needs until it knows something that MLE does not."""

from __future__ import annotations

from pathlib import Path

from synthetic.experiment import Synthetic

EXPERIMENT = Synthetic(
    Path(__file__).resolve().parent,
    "What D is worth on data of oracles, by the words of the oracle and the number of sequences.",
)
