"""``results.csv``: one line for each run, for notebooks."""

from __future__ import annotations

import pandas as pd

from . import columns
from .aggregate import Row

_DIGITS = 10  # of every number: the last bits of a float depend on the processor


def results_csv(rows: list[Row]) -> str:
    """Return the runs of all *rows* as CSV, in the order of the report.

    The columns are system, label, kind, selection, temperature, seed, and all metrics that are
    registered; NLLs are in nats per token, shares in 0 ... 1. An empty cell: the run has no value.
    """
    runs = [run for row in rows for run in row.runs]
    names = [metric.name for metric in columns.known({n for run in runs for n in run.metrics})]
    names += [name for name in ("nll", "entropy") if name not in names]
    records = [
        {
            "system": run.system.name,
            "label": run.about["label"],
            "kind": run.about["kind"],
            "selection": run.system.selection,
            "temperature": run.system.temperature,
            "seed": run.about["seed"],
            **{name: run.metric(name) for name in names},
        }
        for run in runs
    ]
    frame = pd.DataFrame(records)
    return frame.to_csv(index=False, lineterminator="\n", float_format=f"%.{_DIGITS}g")
