"""Results for the repository: the report and its run folders, without checkpoints and scores.

A publication is written beside its place and then renamed. It replaces nothing but a publication:
``published.json`` lists its files with their SHA-256. A folder without that file, or with any other
or changed file, is refused.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .console import ExperimentError
from .files import read_json, write, write_json
from .shared import run_folder

MARKER, PUBLISHER = "published.json", "examples/run.sh --publish"
_ADVICE = "move it away, or name a new folder"
_ROW = ("system", "selection", "temperature")  # of run.json and report.json: which row it is
_PLACES = ("samples_file", "data")  # of metrics.json: files of this machine
_VALIDATION = re.compile(r"valid \| \{")  # a line of a log that the learning curves read


def check_target(folder: Path, dest: Path) -> None:
    """Check that results can be published to *folder*, before any work.

    Args:
        dest: the experiment's folder.

    Raises:
        ExperimentError: *folder* holds something that is not of a publication, or lies in *dest*.
    """
    inner, outer = folder.resolve(), dest.resolve()
    if inner.is_relative_to(outer) or outer.is_relative_to(inner):
        raise ExperimentError(f"--publish {folder}: one of it and --dest {dest} lies in the other")
    _check_publication(folder, f"--publish {folder}: would replace")


def publish(dest: Path, folder: Path, tidy: Callable[[Path], None]) -> None:
    """Copy what is worth keeping of the experiment in *dest* to *folder*.

    That is the report, the recipe, and of every finished run ``run.json``, ``metrics.json`` and the
    validations in ``train.log``: a report can be made of them again, and other seeds beside them.

    Args:
        tidy: is given the copy of the report, to take out of it what is not to be published.

    Raises:
        ExperimentError: see :func:`check_target`; *folder* is as it was.
    """
    check_target(folder, dest)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # On the same file system, and a name that nothing else has.
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as beside:
        new, old = Path(beside) / "new", Path(beside) / "old"
        shutil.copytree(dest / "report", new, copy_function=shutil.copyfile)
        tidy(new)
        scored = _scored(read_json(dest / "report" / "report.json"))
        for path in sorted((dest / "runs").glob(f"*/{run_folder.RUN}")):
            if read_json(path)["finished"]:
                _publish_run(path.parent, new / "runs" / path.parent.name, scored)
        shutil.copyfile(dest / "recipe.yaml", new / "recipe.yaml")
        digests = {name: _digest(new / name) for name in _names(new)}
        write_json(new / MARKER, {"publisher": PUBLISHER, "files": digests})
        _swap(folder, new, old)


def _scored(report: dict[str, Any]) -> dict[tuple, dict[str, Any]]:
    """Return what the samples of every row were scored by, and how many there were."""
    score = report.get("score", "nll_oracle")
    return {
        tuple(row[key] for key in _ROW): {"score": score, "samples": row["samples"]}
        for row in report["rows"]
    }


def _publish_run(source: Path, target: Path, scored: dict[tuple, dict[str, Any]]) -> None:
    """Write what is published of a finished run; ``run.json`` says that its scores are not."""
    about = {"temperature": 1.0} | read_json(source / run_folder.RUN)
    about.pop("joined", None)
    about["published"] = scored[tuple(about[key] for key in _ROW)]
    target.mkdir(parents=True)
    write_json(target / run_folder.RUN, about)
    measured = read_json(source / run_folder.METRICS)
    kept = {name: value for name, value in measured.items() if name not in _PLACES}
    write_json(target / run_folder.METRICS, kept)
    if (source / run_folder.LOG).is_file():
        with (source / run_folder.LOG).open(encoding="utf-8", errors="replace") as log:
            validations = "".join(filter(_VALIDATION.search, log))
        if validations:
            write(target / run_folder.LOG, validations)


def _swap(folder: Path, new: Path, old: Path) -> None:
    """Move *folder*, if it is there, to *old* and *new* to *folder*; on failure move it back."""
    if not folder.exists():
        new.replace(folder)
        return
    try:
        folder.replace(old)
        # Once more, now that nothing can be added to it any more under its own name.
        _check_publication(old, f"--publish {folder}: would replace")
        new.replace(folder)
    except BaseException:
        if old.exists():
            old.replace(folder)
        raise


def _check_publication(folder: Path, refusal: str) -> None:
    """Check that *folder* is missing, empty, or a publication as it was published.

    Raises:
        ExperimentError: it is something else; the message, which begins with *refusal*, names the
            file that is not of a publication.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ExperimentError(f"{refusal} something that is not a folder")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    names = _names(folder)
    if MARKER not in names:
        raise ExperimentError(
            f"{refusal} {names[0]}, which is not of a publication ({MARKER} is missing); {_ADVICE}"
        )
    digests = _read_marker(folder / MARKER)
    for name in names:
        if name == MARKER:
            continue
        if name not in digests:
            raise ExperimentError(f"{refusal} {name}, which was not published; {_ADVICE}")
        if _digest(folder / name) != digests[name]:
            raise ExperimentError(f"{refusal} {name}, which was changed afterwards; {_ADVICE}")


def _names(folder: Path) -> list[str]:
    """Return every file, link and empty folder in *folder* by its path in it, with slashes."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir() or not any(path.iterdir())
    )


def _read_marker(path: Path) -> dict[str, str]:
    found = read_json(path)
    if found.get("publisher") != PUBLISHER:
        raise ExperimentError(f"{path}: was not written by {PUBLISHER}; {_ADVICE}")
    files = found.get("files")
    if not isinstance(files, dict):
        raise ExperimentError(f"{path}: does not list files; {_ADVICE}")
    return files


def _digest(path: Path) -> str | None:
    """Return the SHA-256 of a file; None of a link or folder."""
    if path.is_symlink() or not path.is_file():
        return None
    return hashlib.sha256(path.read_bytes()).hexdigest()
