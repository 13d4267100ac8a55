"""Reading fairseq-train's log: lines that end in a JSON object (``--log-format json``)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from ..support.errors import InputError
from .run_folder import LARGEST

Record = dict[str, float]

_TRAINING = ("train", "train_inner")  # the names under which fairseq logs training, not validation
_BEST = "best_"


def validation(line: str, split: str | None = None) -> Record | None:
    """Return the validation metrics that *line* logs, without their prefix, and ``epoch``.

    Args:
        split: the name of the split that counts; None: any.

    Returns:
        None for any other line. ``loss`` is in bits, the NLLs in nats per token.
    """
    name, tail = _name_and_json(line)
    if not name or name in _TRAINING or name != (split or name):
        return None
    prefix = f"{name}_"
    try:
        logged = json.loads("{" + tail)
        found = {
            k.removeprefix(prefix): float(v) for k, v in logged.items() if k.startswith(prefix)
        }
        if not found:
            return None
        found["epoch"] = float(logged["epoch"])
        # NaN is not below it either. Such numbers are those of a model that has diverged.
        return found if all(abs(value) <= LARGEST for value in found.values()) else None
    except (ValueError, KeyError, TypeError):
        return None  # a line cut off when a training was interrupted


def validations(path: Path) -> list[Record]:
    """Return one record for every validation in the log *path*, in order.

    One that was repeated after an interruption counts once, as it came out last.

    Raises:
        InputError: the log cannot be read.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            return in_order(lines)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error


def in_order(lines: Iterable[str]) -> list[Record]:
    """Return one record for every validation in the *lines* of a log, as :func:`validations`."""
    found: list[Record] = []
    split = None
    for line in lines:
        record = validation(line, split)
        if record:  # of several splits, fairseq validates and chooses by the first
            split = _name_and_json(line)[0]
            found.append(record)
    latest = {record.get("num_updates", record["epoch"]): record for record in found}
    return [record for _, record in sorted(latest.items())]


def _name_and_json(line: str) -> tuple[str, str]:
    """Return the name under which *line* logs numbers, that of a split, and their JSON."""
    head, brace, tail = line.partition(" | {")
    return (head.rstrip().rpartition(" ")[2], tail) if brace else ("", "")


def best(records: list[Record]) -> Record:
    """Return the record of the validation after which ``checkpoint_best.pt`` was last written.

    fairseq logs the best value so far as ``best_<metric>``, from the second validation on, and
    writes the checkpoint when the metric is as good as that or better.
    """
    found = records[0]
    for record in records[1:]:
        name = next((key for key in record if key.startswith(_BEST)), None)
        if name is not None and record.get(name.removeprefix(_BEST)) == record[name]:
            found = record
    return found
