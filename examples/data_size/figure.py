"""One figure and one table of all pairs that are published: how much data D needs.

    python examples/data_size/figure.py [FOLDER]     # default: results beside this file

reads report.json and recipe.yaml in FOLDER/v*-n*/ and FOLDER/authors_oracle/, and writes
FOLDER/gain.png and FOLDER/gain.md; in a FOLDER that is named, these must be new. G is missing its
held-out NLL minus the oracle's own entropy; D's gain is shown as a share of that.
"""

from __future__ import annotations

import json
import math
import sys
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import yaml
from matplotlib.figure import Figure
from tabulate import tabulate

RESULTS = Path(__file__).resolve().parent / "results"
AUTHORS, DEFAULT_SEQUENCES = "authors_oracle", 10_000  # of preprocess/oracle.py
HEADERS = (
    "oracle",
    "words",
    "sequences",
    "seeds",
    "G is missing",
    "D's gain",
    "share (%)",
    "D's AUC",
)


class RefusalError(Exception):
    """The user's mistake, in one line."""


class Point(NamedTuple):
    """The result of one preset; nats per sequence."""

    oracle: str  # fresh, or the authors'
    words: int  # V of the oracle
    sequences: int  # the training data
    seeds: int
    missing: float  # held-out NLL of G minus the entropy of the oracle
    gain: float
    error: float  # standard error of the gain
    auc: float  # of D on held-out data

    @property
    def share(self) -> float:
        """The gain in percent of what G is missing."""
        return 100 * self.gain / self.missing


def read(folder: Path) -> list[Point]:
    """Return the point of every published preset in *folder*, by words and sequences."""
    paths = [*folder.glob("v*-n*/report.json"), *folder.glob(f"{AUTHORS}/report.json")]
    return sorted(map(read_point, paths), key=lambda point: (point.oracle != "fresh", point))


def read_point(path: Path) -> Point:
    """Return the point of the report *path*.

    Raises:
        RefusalError: it, or the recipe beside it, cannot be used; the message names both.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
        recipe = yaml.safe_load((path.parent / "recipe.yaml").read_text(encoding="utf-8"))
        oracle = "the authors'" if path.parent.name == AUTHORS else "fresh"
        return make_point(oracle, rows, recipe["data"])
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}"
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, StopIteration,
            yaml.YAMLError) as error:  # fmt: skip
        reason = f"{path}, or recipe.yaml beside it: not a published result ({error!r:.100})"
    raise RefusalError(reason)


def make_point(oracle: str, rows: list[dict], data: dict) -> Point:
    """Return the point of a report's *rows*, of the *data* that its recipe states."""
    perfect = next(row for row in rows if row["system"] == "oracle")
    guided = next(row for row in rows if "d_gain" in row)
    gains = guided["d_gain"]["values"]
    errors = guided["d_gain_stderr"]["values"]
    missing = (guided["nll"]["mean"] - perfect["nll"]["mean"]) * data["length"]
    seeds = len(gains)
    # All seeds have the same held-out sequences, so the error over these stays as it is; that
    # over trainings is their spread's, and falls with the number of seeds.
    error = math.hypot(sum(errors) / seeds, (guided["d_gain"].get("sd") or 0.0) / seeds**0.5)
    mean = sum(gains) / seeds
    sizes = data["vocab-size"], data.get("num-train", DEFAULT_SEQUENCES), seeds
    return Point(oracle, *sizes, missing, mean, error, guided["d_auc"]["mean"])


def table(points: list[Point]) -> str:
    """Return the points in Markdown; where 0 is inside the 95 % interval, there is no share."""
    lines = []
    for p in points:
        known = abs(p.gain) > 1.96 * p.error
        share = f"{p.share:.2f}" if known else "0 is inside the interval"
        numbers = f"{p.missing:.2f}", f"{p.gain:.3f} ± {1.96 * p.error:.3f}", share, f"{p.auc:.3f}"
        lines.append([p.oracle, f"{p.words:,}", f"{p.sequences:,}", p.seeds, *numbers])
    return tabulate(lines, HEADERS, tablefmt="pipe", disable_numparse=True)


def draw(points: list[Point]) -> Figure:
    """Return the share over the number of sequences, one line for each number of words."""
    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.subplots()
    lines: dict[str, list[Point]] = defaultdict(list)
    for point in points:
        whose = f", {point.oracle} oracle" if point.oracle != "fresh" else ""
        lines[f"{point.words:,} words{whose}"].append(point)
    for words, own in lines.items():
        bars = [100 * 1.96 * p.error / p.missing for p in own]
        sizes, shares = [p.sequences for p in own], [p.share for p in own]
        axes.errorbar(sizes, shares, bars, marker="o", capsize=3, label=words)
    axes.axhline(0, color="gray", linewidth=0.8)
    axes.set(xscale="log", xlabel="training sequences", ylabel="D's gain, % of what G is missing")
    sizes = sorted({point.sequences for point in points})
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    figure.legend(loc="outside upper center", ncols=2)  # four lines side by side are too wide
    return figure


def main(arguments: list[str]) -> int:
    """Write the figure and the table of the folder that is named; return the exit status."""
    try:
        if len(arguments) > 1:
            raise RefusalError("one folder is needed, or none")
        write(Path(*arguments) if arguments else RESULTS, overwrite=not arguments)
    except RefusalError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    return 0


def write(folder: Path, overwrite: bool) -> None:
    """Write the figure and the table of *folder*.

    Raises:
        RefusalError: a file cannot be used, or is there already and *overwrite* is False.
        OSError: a file cannot be written.
    """
    points = read(folder)
    if not points:
        raise RefusalError(f"{folder}: holds no published results")
    picture, page = folder / "gain.png", folder / "gain.md"
    for path in () if overwrite else (picture, page):
        if path.exists() or path.is_symlink():
            raise RefusalError(f"{path}: exists; nothing is overwritten, move it away")
    draw(points).savefig(picture, dpi=150)
    text = (
        "# How much data D needs\n\nNats per sequence of 20 words, ± 1.96 standard errors; made by "
        f"`python examples/data_size/figure.py`.\n\n{table(points)}\n"
    )
    page.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
