"""Files of an experiment: written whole or not at all, and what fairseq-generate wrote."""

from __future__ import annotations

import filecmp
import json
import shutil
from pathlib import Path
from typing import Any

from .console import ExperimentError
from .shared import hypotheses


def write(path: Path, text: str) -> None:
    """Write *text* to *path*, whole or not at all.

    Not fairseq_seqgan's own ``write``: to import the package imports fairseq, which takes seconds.
    """
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def copy_if_changed(source: Path, path: Path) -> None:
    """Copy the file *source* to *path*, whole or not at all, unless it is there already."""
    if path.is_file() and filecmp.cmp(source, path, shallow=False):
        return
    temporary = path.with_name(path.name + ".new")
    shutil.copyfile(source, temporary)
    temporary.replace(path)


def write_json(path: Path, value: object) -> None:
    """Write *value* to *path* as JSON, whole or not at all."""
    write(path, json.dumps(value, indent=2) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in *path*.

    Raises:
        ExperimentError: it cannot be read.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ExperimentError(f"{path}: cannot be read ({error})") from error
    if not isinstance(value, dict):
        raise ExperimentError(f"{path}: not a JSON object")
    return value


def extract(raw: Path, expected: int) -> str:
    """Return the samples in what ``fairseq-generate`` wrote, one a line, in the order of their ids.

    Its line ``H-7\\t-1.2\\t3 1 4`` is the sample 7, with its score and its text.

    Raises:
        ExperimentError: there are not *expected* ones.
    """
    with raw.open(encoding="utf-8") as lines:
        try:
            texts = {found.id: found.text for found in hypotheses.parse(lines)}
        except ValueError as error:
            raise ExperimentError(f"{raw}: {error}") from error
    if len(texts) != expected:
        raise ExperimentError(f"{raw}: holds {len(texts)} samples, not {expected}")
    return "".join(f"{text}\n" for _, text in sorted(texts.items()))
