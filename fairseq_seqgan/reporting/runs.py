"""Run folders: what is in them, and which of them may stand in one report.

``docs/run-folders.md`` describes the format. Shapes: M samples.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..metrics.base import find
from ..metrics.bleu_scores import SentenceBleu
from ..support.errors import InputError
from ..support.npz import read_npz
from ..support.reading import MIB, read_bytes
from .run_folder import FORMAT, KINDS, LARGEST, LOG, METRICS, RUN, SCORES, SELECTIONS
from .together import check_together
from .training_log import Record, validations

_MOST = 512 * MIB  # of a file, and of the scores once they are unpacked
_TOLERANCE = 1e-3  # between metrics.json and scores.npz, in nats per token or of BLEU
NLL_ORACLE = "nll_oracle"

# What run.json must say, and may say.
_NEEDED: dict[str, type] = {
    "format": int,
    "system": str,
    "label": str,
    "kind": str,
    "selection": str,
    "seed": int,
    "vocab_size": int,
}
_OPTIONAL: dict[str, type | tuple[type, ...]] = {
    "oracle": str,
    "data": str,
    "temperature": (int, float),
    "position": int,
    "training": dict,
    "control": str,
    "commands": list,
    "hardware": str,
    "date": str,
    "commit": str,
    "wall_seconds": (int, float),
    "attempts": int,
    "published": dict,
}


class System(NamedTuple):
    """What the seeds of one row of the report have in common."""

    name: str
    selection: str
    temperature: float


@dataclass
class Run:
    """A finished run: one system, trained and measured with one seed."""

    folder: Path
    about: dict[str, Any]  # run.json
    metrics: dict[str, Any]  # metrics.json
    score: str  # what the scores are: nll_oracle, or bleuN_sentence without an oracle
    samples: int  # M
    scores: np.ndarray | None  # (M,); NLL_oracle in nats per token; None: they were not published
    curve: list[Record] = field(default_factory=list)  # its validations; [] without a log

    @property
    def system(self) -> System:
        """Which row it belongs to."""
        return System(
            self.about["system"], self.about["selection"], self.about.get("temperature", 1.0)
        )

    def metric(self, name: str) -> float | None:
        """Return a number of ``metrics.json``, None if it has none.

        The oracle is its own model: its held-out NLL is ``oracle_nll``, and the NLL_oracle of its
        samples is its entropy.
        """
        if name == self.score and self.scores is not None:
            return float(self.scores.mean())
        if self.about["kind"] == "oracle":
            name = {"nll": "oracle_nll", "entropy": "nll_oracle"}.get(name, name)
        value = self.metrics.get(name)
        return None if value is None else float(value)


@dataclass
class Collection:
    """The runs of one report, and what is missing from it."""

    runs: list[Run] = field(default_factory=list)
    incomplete: list[tuple[str, str]] = field(default_factory=list)  # folder's name, why
    missing_logs: list[str] = field(default_factory=list)  # folder's name / file

    @property
    def oracle(self) -> str | None:
        """The oracle's sha256, one for all runs; None: there is none."""
        return self.runs[0].about.get("oracle")

    @property
    def score(self) -> str:
        """What every sample's score is, one for all runs."""
        return self.runs[0].score

    @property
    def vocab_size(self) -> int:
        """V, one for all runs."""
        return self.runs[0].about["vocab_size"]


def collect(
    paths: list[Path], num_samples: int | None = None, output: Path | None = None
) -> Collection:
    """Read the run folders in *paths*; each may also be a folder of run folders.

    Args:
        num_samples: M, the first samples of every run that count; None: all.
        output: the report's own folder, which may lie among them.

    Raises:
        InputError: a path holds no run, a file cannot be used, or the runs do not belong together;
            the message names the file or folder.
    """
    found = Collection()
    for folder in sorted(set(_folders(paths, output)), key=lambda f: (f.name, str(f))):
        try:
            run = _read(folder, num_samples)
        except _IncompleteError as reason:
            found.incomplete.append((folder.name, str(reason)))
            continue
        if "training" in run.about:
            if (folder / LOG).is_file():
                run.curve = validations(folder / LOG)
                if not run.curve:
                    raise InputError(f"{folder / LOG}: logs no validation in JSON")
            else:
                found.missing_logs.append(f"{folder.name}/{LOG}")
        found.runs.append(run)
    if not found.runs:
        which = "; ".join(f"{name}: {why}" for name, why in found.incomplete)
        raise InputError(f"there is no finished run to report ({which})")
    check_together(found.runs)
    return found


class _IncompleteError(Exception):
    """A run that died half-way; the message says how one sees it."""


def _folders(paths: list[Path], output: Path | None) -> list[Path]:
    """Return the run folders that *paths* name; *output* is none, unless it holds a run."""
    found: list[Path] = []
    own = None if output is None or (output / RUN).is_file() else output.resolve()
    for path in paths:
        if not path.is_dir():
            raise InputError(f"{path}: no such folder of a run")
        if (path / RUN).is_file():
            found.append(path)
            continue
        inside = [f for f in path.iterdir() if f.is_dir() and not f.name.startswith(".")]
        if not any((f / RUN).is_file() for f in inside):
            raise InputError(f"{path}: no run folder, and none in it ({RUN} is missing)")
        found += [f for f in inside if f.resolve() != own]
    return [path.resolve() for path in found]


def _read(folder: Path, num_samples: int | None) -> Run:
    """Return the run in *folder*, without its training log."""
    if not (folder / RUN).is_file():
        raise _IncompleteError(f"there is no {RUN}")
    about = _read_json(folder / RUN)
    if about.get("oracle") is None:
        about.pop("oracle", None)
    _check_about(folder / RUN, about)
    if about.get("finished") is not True:
        raise _IncompleteError(f"{RUN} does not say that it finished")
    for name in (METRICS,) if "published" in about else (METRICS, SCORES):
        if not (folder / name).is_file():
            raise _IncompleteError(f"there is no {name}")
    metrics = _read_json(folder / METRICS)
    _check_metrics(folder / METRICS, metrics)
    if "published" in about:
        return _published(folder, about, metrics, num_samples)
    score, scores = _read_scores(folder / SCORES, "oracle" in about)
    stated = metrics.get(score)
    if not _is_number(stated) or abs(scores.mean() - stated) > _TOLERANCE:
        raise InputError(
            f"{folder}: the mean of {SCORES}, {scores.mean():.4f}, is not the {score} of "
            f"{METRICS}, {stated}"
        )
    # There are only so many real sequences.
    if num_samples is not None and len(scores) < num_samples and about["kind"] != "real":
        raise InputError(
            f"{folder / SCORES}: {len(scores)} samples, --num-samples asks for {num_samples}"
        )
    scores = scores[:num_samples]
    return Run(folder, about, metrics, score, len(scores), scores)


def _published(
    folder: Path, about: dict[str, Any], metrics: dict[str, Any], num_samples: int | None
) -> Run:
    """Return a run whose scores were not published: it says what they were, and how many."""
    score, samples = about["published"].get("score"), about["published"].get("samples")
    wanted = "oracle" in about and score == NLL_ORACLE
    if not wanted and ("oracle" in about or SentenceBleu.parse(str(score)) is None):
        raise InputError(f"{folder / RUN}: published: score is {_short(score)}, not a known one")
    if not isinstance(samples, int) or isinstance(samples, bool) or samples < 1:
        raise InputError(f"{folder / RUN}: published: samples is {_short(samples)}")
    if not _is_number(metrics.get(score)):
        raise InputError(f"{folder / METRICS}: does not say {score}, the score of {RUN}")
    if num_samples is not None:
        raise InputError(f"{folder}: holds no {SCORES}, so --num-samples cannot choose among them")
    return Run(folder, about, metrics, score, samples, None)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(read_bytes(path, _MOST).decode("utf-8"))
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # half a character stops here
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not readable JSON ({error})") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: not a JSON object")
    return value


def _check_about(path: Path, about: dict[str, Any]) -> None:
    for name, kind in {**_NEEDED, **_OPTIONAL}.items():
        if name in _NEEDED and name not in about:
            raise InputError(f"{path}: does not say '{name}'")
        value = about.get(name)
        if name in about and (not isinstance(value, kind) or isinstance(value, bool)):
            raise InputError(f"{path}: {name} is {_short(value)}, which is of the wrong type")
        if isinstance(value, int | float) and not abs(value) <= LARGEST:
            raise InputError(f"{path}: {name} is {_short(value)}, which is not a finite number")
    if about["format"] != FORMAT:
        raise InputError(f"{path}: format {about['format']}; this version reads {FORMAT}")
    for name, allowed in (("kind", KINDS), ("selection", SELECTIONS)):
        if about[name] not in allowed:
            raise InputError(f"{path}: {name} is '{about[name]}', not one of {', '.join(allowed)}")
    if about["kind"] == "oracle" and "oracle" not in about:
        raise InputError(f"{path}: kind is 'oracle', and it does not say 'oracle'")


def _check_metrics(path: Path, metrics: dict[str, Any]) -> None:
    """Check that every metric is a finite number or null, and says in words how it was made."""
    for name, value in metrics.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"{path}: {name} is {value}")
        number = _is_number(value)
        if name.endswith("_signature"):
            if not isinstance(value, str | None):
                raise InputError(f"{path}: {name} is {_short(value)}, not a text")
        elif (find(name) or name in ("nll", "entropy")) and not (value is None or number):
            raise InputError(f"{path}: {name} is no number but {_short(value)}")
        if number and abs(value) > LARGEST:
            raise InputError(f"{path}: {name} is {_short(value)}, which is too large")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _short(value: Any) -> str:
    return repr(value)[:60]


def _read_scores(path: Path, oracle: bool) -> tuple[str, np.ndarray]:
    """Return an array of *path* and its name, float64 (M,).

    ``nll_oracle`` with an oracle, else ``bleuN_sentence`` of the largest N.
    """
    wanted = NLL_ORACLE if oracle else "bleuN_sentence"
    try:
        arrays = read_npz(read_bytes(path, _MOST), _MOST)
        name = wanted if oracle else _largest(list(arrays))
        scores = None if name is None else np.asarray(arrays[name], dtype=np.float64)
    except Exception as error:  # damaged bytes can fail in any way
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: not readable ({reason})") from error
    if name is None or scores is None:
        raise InputError(f"{path}: holds no {wanted}, and {path.with_name(RUN)} names no oracle")
    if scores.ndim != 1 or len(scores) == 0 or not (abs(scores) <= LARGEST).all():
        raise InputError(f"{path}: {name} is not a list of finite numbers")
    return name, scores


def _largest(names: list[str]) -> str | None:
    """Return the ``bleuN_sentence`` of the largest N."""
    found = [bleu for bleu in map(SentenceBleu.parse, names) if bleu]
    return max(found, key=lambda bleu: bleu.n).name if found else None
