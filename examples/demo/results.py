"""Print the finished demos of several seeds as one Markdown table.

    python examples/demo/results.py examples/demo/results/*.json

Reads ``report.json`` files. The last lines are each system's mean change of NLL_oracle and held-out
NLL against its MLE start, with the standard deviation over seeds, in nats per token.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

from report import AUCS, GAMES, METRICS, TITLES, Systems
from tabulate import tabulate

HEADERS = ["seed", "system", "NLL_oracle", "held-out NLL", "entropy", "AUC, training", "held out"]


def rows(seed: int, systems: Systems) -> list[list[str]]:
    """Return a row for each system of one demo."""
    found = []
    for name, values in systems.items():
        cells = [f"{values[key]:.3f}" if key in values else "–" for key in METRICS]
        cells += [f"{values[key]:.2f}" if key in values else "–" for key in AUCS]
        found.append([str(seed), TITLES.get(name, name), *cells])
    return found


def changes(reports: list[dict], name: str, key: str) -> str:
    """Return the mean and standard deviation over seeds of *key* against MLE."""
    found = [r["systems"][name][key] - r["systems"]["mle"][key] for r in reports]
    spread = statistics.stdev(found) if len(found) > 1 else float("nan")
    return f"{statistics.mean(found):+.3f} ± {spread:.3f}"


def main(paths: list[str]) -> None:
    """Print the table of the reports in *paths*, in the order of their seeds."""
    reports = sorted((json.loads(Path(p).read_text()) for p in paths), key=lambda r: r["seed"])
    table = [row for report in reports for row in rows(report["seed"], report["systems"])]
    print(tabulate(table, HEADERS, tablefmt="github", disable_numparse=True))
    print()
    summary = [
        [TITLES[name], changes(reports, name, "nll_oracle"), changes(reports, name, "nll")]
        for name in GAMES
    ]
    headers = [f"against MLE, {len(reports)} seeds", "NLL_oracle", "held-out NLL"]
    print(tabulate(summary, headers, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main(sys.argv[1:])
