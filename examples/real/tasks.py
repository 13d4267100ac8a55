"""The paper's three real tasks: their data, how samples look, and the paper's numbers."""

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
        name: of its folder in examples/.
        script: in preprocess/, without its ending.
        kind: how samples are shown: text, poem or music.
        noun: what a sample is, in the plural.
        table: the paper's, by name.
        metrics: of that table.
        differs: what our setting has that the paper's has not, whatever the preset; sentences.
    """

    name: str
    script: str
    kind: str
    noun: str
    table: str
    metrics: tuple[Metric, ...]
    differs: tuple[str, ...]


def _bleu(order: int, **paper: float) -> Metric:
    """Return BLEU of *order*; the paper does not say whether it is that of the corpus."""
    key = f"bleu{order}"
    ours = {
        f"{key}_corpus": f"BLEU-{order}, {CORPUS}",
        f"{key}_sentence": f"BLEU-{order}, {SENTENCE}",
    }
    return Metric(f"BLEU-{order}", paper, ours)


TASKS = {
    task.name: task
    for task in (
        Task(
            name="poem", script="poems", kind="poem", noun="poems", table="Table 2",
            metrics=(
                _bleu(2, mle=0.6670, seqgan=0.7389, real=0.746),
                Metric("human score", {"mle": 0.4165, "seqgan": 0.5356, "real": 0.6011}, {}),
            ),
            differs=(
                "The paper's corpus of 16,394 quatrains holds 401 repetitions and 20 damaged "
                "poems; here they are dropped before the data are divided, so no test poem is a "
                "training poem.",
                "The paper does not say how it divided the data, nor which poems the row of real "
                "data is about. Ours are the poems of the valid split.",
                "A human score takes raters: `turing/` holds the page for them.",
            ),
        ),
        Task(
            name="obama", script="obama", kind="text", noun="passages", table="Table 3",
            metrics=(_bleu(3, mle=0.519, seqgan=0.556), _bleu(4, mle=0.416, seqgan=0.427)),
            differs=(
                "The paper trains on paragraphs, 11,092 with the empty ones; here repetitions, "
                "speaker labels and stage directions are dropped before the data are divided.",
                "Its tokenization and vocabulary are not stated.",
            ),
        ),
        Task(
            name="nottingham", script="nottingham", kind="music", noun="tunes", table="Table 4",
            metrics=(
                _bleu(4, mle=0.9210, seqgan=0.9406),
                Metric(
                    "MSE", {"mle": 22.38, "seqgan": 20.62},
                    {
                        "mse_nearest": "MSE, nearest reference",
                        "mse_mean": "MSE, mean of references",
                        "mse_one_step": "MSE, one step ahead",
                    },
                ),
            ),
            differs=(
                "The paper does not define its MSE. There are three definitions here; none is "
                "claimed to be the paper's.",
                "The paper's 694 training tunes are those of the data's own split, which is kept "
                "here; how it cuts them into sequences is not stated. Ours are windows of 32 "
                "steps without overlap.",
            ),
        ),
    )
}  # fmt: skip
