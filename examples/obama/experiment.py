"""The paper's political speeches."""

from __future__ import annotations

from pathlib import Path

from real.experiment import RealExperiment
from real.task import Task, bleu

EXPERIMENT = RealExperiment(
    Path(__file__).resolve().parent,
    Task(
        script="obama",
        kind="text",
        noun="passages",
        table="Table 3",
        order=3,
        metrics=(bleu(3, mle=0.519, seqgan=0.556), bleu(4, mle=0.416, seqgan=0.427)),
        differs=(
            "The paper trains on paragraphs, 11,092 with the empty ones; here repetitions, "
            "speaker labels and stage directions are dropped before the data are divided.",
            "Its tokenization and vocabulary are not stated.",
        ),
    ),
)
