"""In a training process: a copy of what its progress bar is given, on any rank."""

import functools
import json
import sys
from pathlib import Path

import torch


def record(folder: str) -> None:
    """Append all that this process logs to *folder*/metricsRANK.jsonl, unrounded."""
    from fairseq.logging.progress_bar import BaseProgressBar, SimpleProgressBar

    assert issubclass(SimpleProgressBar, BaseProgressBar)
    rank = sys.argv[sys.argv.index("--distributed-rank") + 1]
    path = Path(folder, f"metrics{rank}.jsonl")
    for name in ("log", "print"):
        method = getattr(SimpleProgressBar, name)

        @functools.wraps(method)
        def recording(self, stats, tag=None, step=None, method=method):
            numbers = {"tag": tag, "step": step}
            numbers |= {key: number(value) for key, value in stats.items()}
            with path.open("a") as file:
                file.write(json.dumps(numbers) + "\n")
            return method(self, stats, tag=tag, step=step)

        setattr(SimpleProgressBar, name, recording)


def number(value: object) -> float:
    """Return the number in *value*, a meter's average or a number."""
    value = getattr(value, "avg", value)
    return float(value) if torch.is_tensor(value) or isinstance(value, int | float) else -1.0
