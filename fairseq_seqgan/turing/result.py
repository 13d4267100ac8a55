"""The result of a test: scores, comparisons and agreement, as text and as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from tabulate import tabulate

from ..metrics import raters
from ..metrics.raters import Agreement, Comparison, HumanScore
from .answers import Answers, Key, ratings
from .items import REAL


class Rater(NamedTuple):
    """How one person judged."""

    name: str
    file: str
    verdicts: int
    correct: float  # share of the verdicts that are right; NaN without one


class Result(NamedTuple):
    """The scores, comparisons and agreement of all answers to a page."""

    key: Key
    raters: list[Rater]
    scores: dict[str, HumanScore]  # by source, real first
    comparisons: dict[tuple[str, str], Comparison]  # of every pair of sources
    agreement: Agreement

    def as_json(self) -> dict[str, Any]:
        """Return shares in 0 ... 1 and p-values; None where something is undefined."""
        return {
            "test": self.key.test,
            "kind": self.key.kind,
            "items": len(self.key.sources),
            "sources": {
                name: {
                    "human_score": _defined(score.mean),
                    "human_score_stderr": _defined(score.stderr),
                    "items": score.items,
                    "verdicts": score.verdicts,
                }
                for name, score in self.scores.items()
            },
            "comparisons": [
                {
                    "sources": list(pair),
                    "difference": _defined(found.difference),
                    "welch_t_test_p": _defined(found.welch_p),
                    "mann_whitney_u_p": _defined(found.mann_whitney_p),
                }
                for pair, found in self.comparisons.items()
            ],
            "agreement": {
                "measure": "Fleiss' kappa",
                "value": _defined(self.agreement.kappa),
                "items": self.agreement.items,
                "raters": self.agreement.raters,
            },
            "raters": [
                {
                    "name": rater.name,
                    "file": rater.file,
                    "verdicts": rater.verdicts,
                    "correct_share": _defined(rater.correct),
                }
                for rater in self.raters
            ],
        }

    def as_text(self) -> str:
        """Return tables for a terminal."""
        scores = [
            (name, _number(score.mean), _number(score.stderr), score.items, score.verdicts)
            for name, score in self.scores.items()
        ]
        comparisons = [
            (
                f"{a} - {b}",
                _number(found.difference, "+.4f"),
                _number(found.welch_p, ".3g"),
                _number(found.mann_whitney_p, ".3g"),
            )
            for (a, b), found in self.comparisons.items()
        ]
        people = [
            (rater.name, rater.verdicts, _number(rater.correct, ".2f"), rater.file)
            for rater in self.raters
        ]
        parts = [
            _table(scores, ["source", "human score", "std. error", "items", "verdicts"]),
            "human score: share of verdicts that say human, mean over items; standard error over "
            "items",
            _table(comparisons, ["", "difference", "p, Welch", "p, Mann-Whitney"]),
            "two-sided p-values over the items' scores: Welch's t-test, Mann-Whitney U test; not "
            "corrected for\nthe number of comparisons",
            _table(people, ["rater", "verdicts", "right", "file"]),
            *self._incomplete(),
            self._agreement(),
        ]
        return "\n\n".join(parts)

    def _incomplete(self) -> list[str]:
        items = len(self.key.sources)
        short = [rater for rater in self.raters if rater.verdicts < items]
        if not short:
            return []
        missing = sum(items - rater.verdicts for rater in short)
        return [
            f"incomplete: {len(short)} of {len(self.raters)} raters did not judge all {items} "
            f"items; {missing} verdicts are missing, those that are there count"
        ]

    def _agreement(self) -> str:
        kappa, items, people = self.agreement
        if people < 2:
            return "agreement: one rater, so there is none to compute"
        if items == 0:
            return f"agreement: not defined, no item was judged by all {people} raters"
        over = f"{people} raters, {items} items that all of them judged"
        if math.isnan(kappa):
            return f"agreement: Fleiss' kappa is not defined, all verdicts are the same ({over})"
        return f"agreement: Fleiss' kappa {kappa:.3f} ({over})"


def measure(every: Sequence[Answers], key: Key) -> Result:
    """Measure the answers of all raters, at least one, to the page of *key*."""
    table = ratings(every, key)
    sources = np.array(list(key.sources.values()))
    names = sorted(set(key.sources.values()), key=lambda name: (name != REAL, name))
    correct = raters.correct_share(table, sources == REAL)
    parts = {name: table[:, sources == name] for name in names}
    return Result(
        key,
        [
            Rater(
                answers.rater or f"(no name {number})",
                str(answers.path),
                len(answers.verdicts),
                float(share),
            )
            for number, (answers, share) in enumerate(zip(every, correct, strict=True), start=1)
        ],
        {name: raters.human_score(part) for name, part in parts.items()},
        {(a, b): raters.compare(parts[a], parts[b]) for a, b in combinations(names, 2)},
        raters.agreement(table),
    )


def _table(rows: list[tuple], headers: list[str]) -> str:
    align = ("left", *["right"] * (len(headers) - 1))
    return tabulate(rows, headers, disable_numparse=True, colalign=align)


def _number(value: float, form: str = ".4f") -> str:
    return "-" if math.isnan(value) else format(value, form)


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value
