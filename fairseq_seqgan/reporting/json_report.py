"""``report.json``: the same numbers for programs."""

from __future__ import annotations

import math
from typing import Any

from ..metrics.significance import Paired, Welch
from .aggregate import AUTHORS_ORACLE, Row
from .matched_nll import Comparison
from .pairs import Pairs
from .runs import Collection

_DIGITS = 10  # of every number: the last bits of a float are the processor's business


def as_json(
    collection: Collection,
    rows: list[Row],
    reference: Row | None,
    paired: list[Pairs],
    compared: list[Comparison],
    controlled: list[Comparison],
) -> dict[str, Any]:
    """Return the report as a JSON object; NLLs and entropies in nats per token, shares in 0 ... 1.

    A number that does not exist (a standard deviation or a test of a single seed) is null.
    """
    return {
        "format": 1,
        "oracle": collection.oracle,
        "authors_oracle": collection.oracle == AUTHORS_ORACLE,
        **({} if collection.oracle else {"score": collection.score}),
        "vocab_size": collection.vocab_size,
        "tested_against": None if reference is None else reference.system.name,
        "rows": [_row(row) for row in rows],
        **({"paired_over_seeds": [_pairs(each) for each in paired]} if paired else {}),
        **({"equal_heldout_nll": [_comparison(c) for c in compared]} if compared else {}),
        **({"against_own_control": [_controlled(c) for c in controlled]} if controlled else {}),
        "incomplete": [{"run": name, "reason": why} for name, why in collection.incomplete],
        "missing_logs": collection.missing_logs,
    }


def _row(row: Row) -> dict[str, Any]:
    metrics = {
        name: {
            "mean": _round(value.mean),
            "sd": _round(value.sd),
            "values": [_round(v) for v in value.values],
        }
        for name, value in (row.metrics | row.details).items()
    }
    return {
        "system": row.system.name,
        "label": row.label,
        "kind": row.kind,
        "selection": row.system.selection,
        "temperature": row.system.temperature,
        "seeds": row.seeds,
        "samples": row.samples,
        **metrics,
        "welch_over_samples": _test(row.over_samples),
        "welch_over_seeds": _test(row.over_seeds),
        "paper_nll_oracle": row.paper,
    }


def _pairs(found: Pairs) -> dict[str, Any]:
    tests = found.tests
    tested = {
        name: {"differences": [_round(value) for value in values], "test": _test(tests[name])}
        for name, values in found.differences.items()
    }
    system = found.row.system
    return {
        "system": system.name,
        "selection": system.selection,
        "temperature": system.temperature,
        "seeds": list(found.seeds),
        **tested,
    }


def _comparison(compared: Comparison) -> dict[str, Any]:
    return {
        "against": compared.name,
        "label": compared.label,
        "seeds": list(compared.seeds),
        "nll_above_start": [_round(value) for value in compared.prices],
        "nll_oracle_difference": [_round(value) for value in compared.differences],
        "paired_over_seeds": _test(compared.test),
    }


def _controlled(compared: Comparison) -> dict[str, Any]:
    aucs = [[_round(value) for value in pair] for pair in compared.aucs]
    found = {"system": compared.system.system.name, **_comparison(compared)}
    return found | {"d_auc_heldout_before_and_after": aucs}


def _test(test: Welch | Paired | None) -> dict[str, float | None] | None:
    return None if test is None else {k: _round(v) for k, v in test._asdict().items()}


def _round(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{_DIGITS}g}")
