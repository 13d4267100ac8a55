"""The tables of the report, as Markdown.

Shapes: S seeds of a system.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..metrics.significance import Paired, Welch
from ..support.escaping import Markdown, markdown
from . import columns
from .aggregate import Row, Summary
from .matched_nll import Comparison
from .pairs import Pairs
from .run_folder import BEST

NONE = "–"


def results(rows: list[Row]) -> Markdown:
    """Return the table of all metrics, mean ± standard deviation over seeds."""
    names = metric_names(rows)
    paper = any(row.paper for row in rows)
    headers = ["system", "kind", "checkpoint", "seeds", "samples"]
    headers += [columns.column(name).title for name in names] + ["the paper's NLL_oracle"] * paper
    lines = []
    for row in rows:
        line = [row.label, row.kind, _checkpoint(row), str(len(row.runs)), f"{row.samples:,}"]
        line += [_show(name, row.metrics.get(name)) for name in names]
        lines.append(line + [NONE if row.paper is None else f"{row.paper:.3f}"] * paper)
    return _table(lines, headers, texts=3)


def metric_names(rows: list[Row]) -> list[str]:
    """Return the metrics that are columns of the table of *rows*, in order."""
    return columns.order(name for row in rows for name in row.metrics)


def tests(rows: list[Row], reference: Row) -> Markdown:
    """Return the table of Welch's t-tests of all other *rows* against *reference*."""
    score = reference.runs[0].score
    shown = columns.column(score)
    base = reference.metrics[score].mean
    headers = ["system", "checkpoint", f"{shown.title} − {reference.label}'s"]
    headers += ["over samples: t (df)", "p", "over seeds: t (df)", "p"]
    lines = []
    for row in rows:
        if row is reference:
            continue
        difference = row.metrics[score].mean - base
        tested = [text for test in (row.over_samples, row.over_seeds) for text in _test(test)]
        lines.append([row.label, _checkpoint(row), f"{difference:+.{shown.decimals}f}", *tested])
    return _table(lines, headers, texts=2)


def pairs(found: list[Pairs], reference: Row) -> Markdown:
    """Return the table of all other rows against *reference*, seed by seed."""
    names = list(dict.fromkeys(name for each in found for name in each.differences))
    headers = ["system", "checkpoint", "seeds"]
    for name in names:
        headers += [f"{columns.column(name).title} − {reference.label}'s", "t (df)", "p"]
    lines = []
    for each in found:
        line = [each.row.label, _checkpoint(each.row), str(len(each.seeds))]
        tests = each.tests
        for name in names:
            values = each.differences.get(name)
            spread = NONE if values is None else _spread(values, "+.3f")
            line += [spread, *_test(tests.get(name))]
        lines.append(line)
    return _table(lines, headers, texts=2)


def matched_nll(compared: list[Comparison], reference: Row) -> Markdown:
    """Return the table of *reference* against other systems at equal held-out NLL."""
    headers = ["against", "seeds", "held-out NLL above the start's"]
    headers += [
        f"{reference.label}'s NLL_oracle less the other's",
        "paired over seeds: t (df)",
    ]
    return _table([_compared(found) for found in compared], [*headers, "p"], texts=1)


def against_controls(controlled: list[Comparison]) -> Markdown:
    """Return the table of the systems against their own controls, at equal held-out NLL."""
    headers = ["system", "control", "seeds", "held-out NLL above the start's"]
    headers += ["NLL_oracle less the control's", "paired over seeds: t (df)", "p"]
    headers += ["D's held-out AUC before", "after adversarial training"]
    lines = []
    for found in controlled:
        aucs = [_spread(each, ".3f") for each in zip(*found.aucs, strict=True)] or [NONE] * 2
        lines.append([found.system.label, *_compared(found), *aucs])
    return _table(lines, headers, texts=2)


def _table(lines: list[list[str]], headers: list[str], texts: int) -> Markdown:
    """Return a table whose first *texts* columns are texts and whose others are numbers."""
    shown = [[*map(markdown, line[:texts]), *line[texts:]] for line in lines]
    frame = pd.DataFrame(shown, columns=list(map(markdown, headers)))
    align = ["left"] * texts + ["right"] * (len(headers) - texts)
    return Markdown(
        frame.to_markdown(index=False, tablefmt="pipe", colalign=align, disable_numparse=True)
    )


def _compared(found: Comparison) -> list[str]:
    return [
        found.label,
        str(len(found.seeds)),
        _spread(found.prices, "+.3f"),
        _spread(found.differences, "+.3f"),
        *_test(found.test),
    ]


def _checkpoint(row: Row) -> str:
    """Return which checkpoint a row is about; what has no model has no held-out NLL either."""
    if row.system.selection == BEST:
        return "selected on validation"
    return NONE if row.kind in ("oracle", "real") or "nll" not in row.metrics else "last"


def _show(name: str, summary: Summary | None) -> str:
    if summary is None:
        return NONE
    metric = columns.column(name)
    mean = f"{metric.scale * summary.mean:.{metric.decimals}f}"
    if summary.sd is None:
        return mean
    return f"{mean} ± {metric.scale * summary.sd:.{metric.decimals}f}"


def _spread(values: Sequence[float], form: str) -> str:
    """Return the mean of *values* (S,), and the standard deviation of several."""
    mean = f"{np.mean(values):{form}}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values, ddof=1):.3f}"


def _test(test: Welch | Paired | None) -> tuple[str, str]:
    if test is None:
        return NONE, NONE
    p = f"{test.p:.2g}" if test.p >= 1e-300 else "< 1e-300"
    return f"{test.t:.2f} ({test.df:,.1f})", p
