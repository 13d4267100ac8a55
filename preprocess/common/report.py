"""What a preprocess script reports: counts, why items were dropped, and the counts expected."""

from __future__ import annotations

from collections.abc import Mapping

from tabulate import tabulate


class Dropped:
    """Counts the items that were dropped, by reason, and notes where each reason occurred first."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._firsts: dict[str, str] = {}

    def add(self, reason: str, where: str) -> None:
        """Count one more item that was dropped for *reason*; *where* is its place in the file."""
        self._counts[reason] = self._counts.get(reason, 0) + 1
        self._firsts.setdefault(reason, where)

    @property
    def total(self) -> int:
        """How many items were dropped."""
        return sum(self._counts.values())

    def summary(self) -> dict[str, dict[str, object]]:
        """Return count and first place of every reason, for ``stats.json``."""
        return {r: {"count": n, "first": self._firsts[r]} for r, n in self._counts.items()}

    def lines(self) -> list[str]:
        """Return a line for every reason."""
        return [f"dropped: {n:,} {r} (first: {self._firsts[r]})" for r, n in self._counts.items()]


Comparison = Mapping[str, Mapping[str, int | None]]


def compare(found: Mapping[str, int], expected: Mapping[str, int]) -> Comparison:
    """Return every count of *found* beside the expected one, or None where none is known."""
    return {name: {"found": n, "expected": expected.get(name)} for name, n in found.items()}


def print_comparison(rows: Comparison) -> None:
    """Print what :func:`compare` returned, and mark what differs."""
    table = []
    for name, row in rows.items():
        expected = "" if row["expected"] is None else f"{row['expected']:,}"
        mark = "" if row["expected"] in (None, row["found"]) else "differs"
        table.append([name, f"{row['found']:,}", expected, mark])
    headers = ["", "found", "expected", ""]
    print(tabulate(table, headers, disable_numparse=True, colalign=("left", "right", "right")))


def print_splits(numbers: Mapping[str, Mapping[str, int]], words: int) -> None:
    """Print the size of every split and of the dictionary."""
    for split, n in numbers.items():
        length = f"{n['shortest']} to {n['longest']}"
        if n["shortest"] == n["longest"]:
            length = str(n["longest"])
        print(
            f"{split}: {n['sequences']:,} sequences of {length} tokens, {n['tokens']:,} in all, "
            f"{n['unknown_tokens']:,} of them not in the dictionary"
        )
    print(f"dictionary: {words:,} words")
