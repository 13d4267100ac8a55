"""``report.md``: the rows as tables, and in words what they do and do not say."""

from __future__ import annotations

import numpy as np
from tabulate import tabulate

from ..metrics.significance import Paired, Welch
from . import columns
from .equal import Comparison
from .rows import AUTHORS_ORACLE, Row, Summary
from .runs import BEST, Collection

NONE = "–"


def markdown(
    collection: Collection,
    rows: list[Row],
    reference: Row | None,
    name: str,
    compared: list[Comparison],
    controlled: list[Comparison],
) -> str:
    """Return the report; equal input gives equal text.

    Args:
        reference: the row that the t-tests are against, called *name*; None: there is none.
        compared: *reference* and the others at equal held-out NLL.
        controlled: systems with a control of their own, against that one.
    """
    parts = ["# Report", _about(collection), "## Results", results(rows), _notes(rows)]
    parts += [f"## Welch's t-tests against {reference.label if reference else name}"]
    if reference is None:
        parts.append(
            f"There is no last-update run of `{name}` in this report, so no test was made."
        )
    else:
        parts += [tests(rows, reference), _test_notes(rows, reference)]
    if compared:
        parts += [f"## {reference.label} at equal held-out NLL", equal(compared, reference)]
        parts.append(_equal_notes(reference))
    if controlled:
        parts += ["## Each system against its own control", against_controls(controlled)]
        parts.append(
            "The control has the system's start, learning rate and batch size, and a reward that "
            "knows nothing of the data. Both are compared at the highest held-out NLL that both "
            "have reached; below 0, the system's samples are the likelier ones at the same price. "
            "D's AUC is the probability that D scores a real sequence which it was not trained on "
            "above a sample of G; 0.5: it cannot tell them apart."
        )
    parts += ["## What is missing", _missing(collection), "## How it was made", _made(collection)]
    return "\n\n".join(parts) + "\n"


def results(rows: list[Row]) -> str:
    """Return the table of all metrics, mean ± standard deviation over seeds."""
    names = _columns(rows)
    paper = any(row.paper for row in rows)
    headers = ["system", "kind", "checkpoint", "seeds", "samples"]
    headers += [columns.column(name).title for name in names] + ["the paper's NLL_oracle"] * paper
    lines = []
    for row in rows:
        line = [row.label, row.kind, _checkpoint(row), str(len(row.runs)), f"{row.samples:,}"]
        line += [_show(name, row.metrics.get(name)) for name in names]
        lines.append(line + [_number(row.paper, 3)] * paper)
    align = ["left"] * 3 + ["right"] * (len(headers) - 3)
    return tabulate(lines, headers, tablefmt="pipe", colalign=align, disable_numparse=True)


def _columns(rows: list[Row]) -> list[str]:
    return columns.order(name for row in rows for name in row.metrics)


def tests(rows: list[Row], reference: Row) -> str:
    """Return the table of the t-tests against *reference*."""
    score = reference.runs[0].score
    shown = columns.column(score)
    base = reference.metrics[score].mean
    headers = [
        "system", "checkpoint", f"{shown.title} − {reference.label}'s",
        "over samples: t (df)", "p", "over seeds: t (df)", "p",
    ]  # fmt: skip
    lines = []
    for row in rows:
        if row is reference:
            continue
        difference = row.metrics[score].mean - base
        tested = [text for test in (row.over_samples, row.over_seeds) for text in _test(test)]
        lines.append([row.label, _checkpoint(row), f"{difference:+.{shown.decimals}f}", *tested])
    align = ["left"] * 2 + ["right"] * 5
    return tabulate(lines, headers, tablefmt="pipe", colalign=align, disable_numparse=True)


def equal(compared: list[Comparison], reference: Row) -> str:
    """Return the table of the comparisons at equal held-out NLL."""
    headers = [
        "against", "seeds", "held-out NLL above the start's",
        f"{reference.label}'s NLL_oracle less the other's", "paired over seeds: t (df)", "p",
    ]  # fmt: skip
    lines = [_compared(found) for found in compared]
    align = ["left"] + ["right"] * 5
    return tabulate(lines, headers, tablefmt="pipe", colalign=align, disable_numparse=True)


def against_controls(controlled: list[Comparison]) -> str:
    """Return the table of the systems against their own controls."""
    headers = [
        "system", "control", "seeds", "held-out NLL above the start's",
        "NLL_oracle less the control's", "paired over seeds: t (df)", "p",
        "D's held-out AUC before", "after the game",
    ]  # fmt: skip
    lines = []
    for found in controlled:
        aucs = [_spread(each, ".3f") for each in zip(*found.aucs, strict=True)] or [NONE] * 2
        lines.append([found.system.label, *_compared(found), *aucs])
    align = ["left"] * 2 + ["right"] * 7
    return tabulate(lines, headers, tablefmt="pipe", colalign=align, disable_numparse=True)


def _compared(found: Comparison) -> list[str]:
    return [
        found.label,
        str(len(found.seeds)),
        _spread(found.prices, "+.3f"),
        _spread(found.differences, "+.3f"),
        *_test(found.test),
    ]


def _equal_notes(reference: Row) -> str:
    return (
        "How far a training went from its start is a matter of its learning rate and of when it "
        f"stopped. Here {reference.label} and another one of the same seed are compared at the "
        "highest held-out NLL that both have reached, between validations by linear "
        f"interpolation; below 0, {reference.label}'s samples are the likelier ones at the same "
        "price. Lower temperatures, which cost no training, are compared on the test split and "
        "the samples of the table, the trainings on those of validation. The test is a paired "
        "t-test (`scipy.stats.ttest_1samp`) of the seeds' differences. A training whose held-out "
        "NLL never rose is taken as it ended."
    )


def _about(collection: Collection) -> str:
    if collection.oracle is None:
        data = collection.runs[0].about.get("data")
        return (
            f"{len(collection.runs)} runs on data without an oracle, with "
            f"{collection.vocab_size:,} words{f', `{data}`' if data else ''}. NLLs and entropies "
            "are in nats per token; lower NLLs are better."
        )
    owner = " (the authors' oracle)" if collection.oracle == AUTHORS_ORACLE else ""
    return (
        f"{len(collection.runs)} runs on data of one oracle{owner} with {collection.vocab_size:,} "
        f"words, sha256 `{collection.oracle}`. NLLs and entropies are in nats per token; lower "
        "NLLs are better."
    )


def _notes(rows: list[Row]) -> str:
    names = _columns(rows)
    lines = [
        "NLL_oracle says how likely the oracle finds the samples, held-out NLL how well the model "
        "covers real data. A system that draws a few likely sequences over and over has a low "
        "NLL_oracle: read it with the held-out NLL, the entropy and the controls beside it."
        if "nll_oracle" in names
        else "Held-out NLL says how well the model covers real data, entropy how diverse it is. "
        "BLEU alone says little: a lower temperature raises it at the price of coverage.",
        *columns.notes(names),
        "`last` is the checkpoint after the last update, and the result. *Selected on validation* "
        "is the best of many checkpoints by a validation metric, so it is no result.",
    ]
    several = [row for row in rows if len(row.runs) > 1]
    if not several:
        lines.append(
            "**One seed only**: there is no standard deviation and no t-test over seeds, and a "
            "difference may be one between two trainings rather than between two methods."
        )
    else:
        lines.append("± is the standard deviation over seeds (n − 1).")
        if len(several) < len(rows):
            lines.append("A row of one seed has no standard deviation.")
    lines += _signatures(names, rows)
    if any(row.paper for row in rows):
        lines.append(
            "The paper's numbers are those of its Table 1, for orientation: other code, other "
            "random numbers. Its Random is a unigram draw, by its value."
        )
    return "\n\n".join(lines)


def _signatures(names: list[str], rows: list[Row]) -> list[str]:
    """Return how every metric was made that states it, such as ``Self-BLEU: `BLEU-4|…`.``."""
    lines = []
    for name in sorted(names, key=lambda name: name != "self_bleu"):  # self-BLEU's comes first
        metric = columns.column(name)
        made = {run.metrics.get(metric.signature_key) for row in rows for run in row.runs} - {None}
        title = metric.title.split(",")[0]
        lines += [f"{title[0].upper()}{title[1:]}: `{signature}`." for signature in sorted(made)]
    return list(dict.fromkeys(lines))  # the two kinds of BLEU share a signature


def _test_notes(rows: list[Row], reference: Row) -> str:
    score = reference.runs[0].score
    title = columns.column(score).title.removesuffix(", sentence")
    what = title if score == "nll_oracle" else f"the samples' sentence {title}"
    lines = [
        f"Welch's t-test, two-sided (`scipy.stats.ttest_ind`, `equal_var=False`) of {what}.",
        "**Over samples**, as in the paper: every sample's score is an observation, those of all "
        "seeds together. It says whether these trained models differ; with many samples any two "
        "trainings do, two of the same method included.",
        "**Over seeds**: every training's mean is an observation. It says whether the methods "
        "differ.",
    ]
    if len(reference.runs) < 2:
        lines.append(f"{reference.label} has one seed only, so there is no test over seeds.")
    elif any(len(row.runs) < 2 for row in rows):
        lines.append("A system of one seed has no test over seeds.")
    return "\n\n".join(lines)


def _missing(collection: Collection) -> str:
    lines = [
        f"- incomplete, and in no number above: `{name}` ({why})"
        for name, why in collection.incomplete
    ]
    lines += [
        f"- missing log, so this training has no learning curve: `{name}`"
        for name in collection.missing_logs
    ]
    return "\n".join(lines) or "Nothing."


def _made(collection: Collection) -> str:
    """Return on what, when, from which commit and in what time; the commands are in the runs."""
    about = [run.about for run in collection.runs]
    stated = {
        title: sorted({str(a[key]) for a in about if key in a})
        for title, key in (("hardware", "hardware"), ("date", "date"), ("commit", "commit"))
    }
    seeds = sorted({a["seed"] for a in about})
    lines = [f"- seeds: {', '.join(map(str, seeds))}"]
    lines += [f"- {title}: {'; '.join(values)}" for title, values in stated.items() if values]
    seconds = sum(a.get("wall_seconds", 0) for a in about)
    if seconds:
        lines.append(f"- wall time of all runs together: {seconds / 3600:.2f} hours")
    again = sum(a.get("attempts", 1) > 1 for a in about)
    if again:
        lines.append(f"- {again} runs were interrupted and resumed; the time lost is not counted")
    lines.append("- the commands: in every run's `run.json`")
    return "\n".join(lines)


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


def _spread(values: tuple[float, ...], form: str) -> str:
    """Return the mean, and the standard deviation of several."""
    mean = f"{np.mean(values):{form}}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values, ddof=1):.3f}"


def _number(value: float | None, decimals: int) -> str:
    return NONE if value is None else f"{value:.{decimals}f}"


def _test(test: Welch | Paired | None) -> tuple[str, str]:
    if test is None:
        return NONE, NONE
    p = f"{test.p:.2g}" if test.p >= 1e-300 else "< 1e-300"
    return f"{test.t:.2f} ({test.df:,.1f})", p
