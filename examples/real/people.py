"""What people see: real and drawn samples side by side, tunes to hear, and the page for raters."""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Collection
from itertools import zip_longest
from pathlib import Path
from typing import cast

from common.files import read_json, write
from common.recipe import ROOT, Recipe
from common.shared import escaping, run_folder
from common.steps import SAMPLES, Steps
from common.systems import System, Variant, variants
from common.workspace import Step
from tabulate import tabulate

from .commands import REAL, Commands


def sources(recipe: Recipe, systems: list[System]) -> dict[str, Variant]:
    """Return the rows whose samples people see beside the real ones, by the name they have there.

    Raises:
        ValueError: the recipe names something else than a row.
    """
    people = recipe["people"]
    for name in ("shown", "per-source"):
        if not isinstance(people[name], int) or people[name] < 1:
            raise ValueError(f"{name} is {people[name]}: it must be a whole number from 1 on")
    wanted = people.get("sources")
    if not isinstance(wanted, dict) or not wanted:
        raise ValueError("sources: must name rows, such as SeqGAN: seqgan/last")
    rows = {row.name: row for row in variants(systems) if row.system.options is not None}
    files = {_slug(REAL): REAL}
    for name, row in wanted.items():
        if not isinstance(name, str):
            raise ValueError(f"sources: {name}: a name must be a text, so put it in quotes")
        if row not in rows:
            raise ValueError(f"sources: {name}: there is no row '{row}', only {', '.join(rows)}")
        other = files.setdefault(_slug(name), name)
        if other is not name:
            raise ValueError(
                f"sources: {name}: its files would have the names of those of '{other}'"
            )
    return {name: rows[row] for name, row in wanted.items()}


class People:
    """Makes the last steps of an experiment.

    Args:
        steps: of the experiment; its samples are there.
    """

    def __init__(self, steps: Steps) -> None:
        self.work, self.commands = steps.work, cast(Commands, steps.commands)
        recipe, systems = self.commands.recipe, list(self.commands.systems.values())
        self.number = recipe["people"]["shown"]
        rows = sources(recipe, systems)
        self.seed = _first_seed(steps, rows.values())
        self.drawn = {name: steps.samples_file(row, self.seed) for name, row in rows.items()}
        self.files = {REAL: self.commands.data / "test.txt", **self.drawn}
        self.report = self.work.dest / "report"
        self.page = self.work.dest / "turing" / "test.html"

    def make(self) -> None:
        """Choose samples, write the tunes and ``samples.md``, and make the page."""
        (self.report / "samples").mkdir(parents=True, exist_ok=True)
        for name, path in self.files.items():
            write(self._chosen(name), choose(path, self.number, self.commands.data_seed))
            if self.commands.task.kind == "music":
                self.work.run(self._tunes(name))
        write(self.report / "samples.md", self._side_by_side(list(self.files)))
        self.work.run(self._page())

    def to_publish(self, report: Path, with_page: bool) -> None:
        """Take the real data out of a copy of the report.

        Args:
            with_page: add the page for raters, which holds a few real items.
        """
        self._chosen(REAL, report).unlink()
        shutil.rmtree(report / "tunes" / REAL, ignore_errors=True)
        write(report / "samples.md", self._side_by_side(list(self.drawn)))
        if with_page:
            shutil.copytree(self.page.parent, report / "turing", copy_function=shutil.copyfile)

    def _chosen(self, name: str, report: Path | None = None) -> Path:
        return (report or self.report) / "samples" / f"{_slug(name)}.txt"

    def _tunes(self, name: str) -> Step:
        folder = self.report / "tunes" / _slug(name)
        command = self.commands.show(self._chosen(name), self.number, folder)
        title = f"tunes to hear and to see: {name}"
        first = folder / "tune-0001.mid", folder / "tune-0001.png"
        return Step(f"tunes-{_slug(name)}-seed{self.seed}", title, command, first, clear=True)

    def _page(self) -> Step:
        self.page.parent.mkdir(exist_ok=True)
        command = self.commands.turing_test(self.files[REAL], self.drawn, self.page)
        outputs = self.page, self.page.with_suffix(".key.json")
        name = f"turing-test-seed{self.seed}"
        return Step(name, "page for raters", command, outputs, clear=True)

    def _side_by_side(self, names: list[str]) -> str:
        """Return ``samples.md`` with the columns *names*."""
        task = self.commands.task
        columns = [
            [self._cell(name, number, line) for number, line in enumerate(_lines(path), start=1)]
            for name in names
            for path in [self._chosen(name)]
        ]
        rows = list(zip_longest(*columns, fillvalue=""))
        titles = [escaping.markdown(name) for name in names]
        table = tabulate(rows, titles, tablefmt="pipe", disable_numparse=True)
        real = f"{REAL} from the test split, the others " if REAL in names else ""
        return (
            f"# {task.noun.capitalize()}: {', '.join(titles)}\n\n"
            f"Lines chosen at random, with data-seed {self.commands.data_seed}: {real}from the "
            f"samples of seed {self.seed}. None was picked by hand.\n\n"
            f"{table}\n"
        )

    def _cell(self, name: str, number: int, line: str) -> str:
        if self.commands.task.kind == "music":
            place = f"tunes/{_slug(name)}/tune-{number:04d}"
            return f"![{escaping.markdown(name)} {number}]({place}.png) [MIDI]({place}.mid)"
        lines = _shown(self.commands.task.kind, line, f"{self._chosen(name)}, line {number}")
        return "<br>".join(map(escaping.markdown, lines))


def _first_seed(steps: Steps, rows: Collection[Variant]) -> int:
    """Return the lowest seed whose samples are here; those of a joined folder are not."""
    seeds = sorted({read_json(path)["seed"] for path in steps.runs.glob(f"*/{run_folder.RUN}")})
    files = {seed: [steps.runs / row.folder(seed) / SAMPLES for row in rows] for seed in seeds}
    return next(seed for seed in seeds if all(path.is_file() for path in files[seed]))


def choose(path: Path, number: int, seed: int) -> str:
    """Return *number* different lines of a file, drawn at random; all, if it has fewer."""
    lines = list(dict.fromkeys(filter(None, _lines(path))))
    drawn = random.Random(seed).sample(lines, min(number, len(lines)))
    return "".join(f"{line}\n" for line in drawn)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").rstrip("\n").split("\n")


def _shown(kind: str, line: str, where: str) -> list[str]:
    """Return the lines on which the sample *line*, from the place *where*, is shown."""
    sys.path.insert(0, str(ROOT))  # so that no install is needed
    # Imported late: the package imports fairseq, and a wrong option should be told at once.
    from fairseq_seqgan.show.text import poem_lines, sentence

    if kind == "poem":
        return poem_lines(line.split(), where)
    return [sentence(line.split())]


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name.lower())
