"""A real task of the paper: its data, how samples are shown, and the paper's numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

CORPUS, SENTENCE = "corpus", "mean of sentences"


class Metric(NamedTuple):
    """A metric of a table of the paper, and which of ours may be meant by it."""

    title: str
    paper: dict[str, float]  # by system: mle, seqgan, real
    ours: dict[str, str]  # key in metrics.json: title


@dataclass(frozen=True)
class Task:
    """A real task.

    Args:
        script: in preprocess/, without its ending.
        kind: how samples are shown: text, poem or music.
        noun: what a sample is, in the plural.
        table: the paper's, by name.
        order: of the BLEU that the paper's table begins with.
        metrics: of that table.
        differs: how our setting differs from the paper's, whatever the preset; sentences.
    """

    script: str
    kind: str
    noun: str
    table: str
    order: int
    metrics: tuple[Metric, ...]
    differs: tuple[str, ...]


def bleu(order: int, **paper: float) -> Metric:
    """Return BLEU of *order*; the paper does not say whether it is that of the corpus."""
    key = f"bleu{order}"
    ours = {
        f"{key}_corpus": f"BLEU-{order}, {CORPUS}",
        f"{key}_sentence": f"BLEU-{order}, {SENTENCE}",
    }
    return Metric(f"BLEU-{order}", paper, ours)
