"""``report.md``: the tables, and in words what they do and do not say.

The words are in ``templates/report.md.jinja``.
"""

from __future__ import annotations

import re
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ..support.escaping import Markdown, markdown, markdown_code
from . import columns, tables
from .aggregate import AUTHORS_ORACLE, Row
from .matched_nll import Comparison
from .pairs import Pairs
from .runs import Collection

_TEMPLATES = Environment(
    loader=PackageLoader("fairseq_seqgan.reporting"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=False,  # that would be for HTML
    finalize=markdown,  # whatever the template inserts, unless it is a Markdown already
)
_TEMPLATES.filters["code"] = markdown_code


def report(
    collection: Collection,
    rows: list[Row],
    reference: Row | None,
    against: str,
    paired: list[Pairs],
    compared: list[Comparison],
    controlled: list[Comparison],
) -> str:
    """Return the report; equal input gives equal text.

    Args:
        reference: the row that the t-tests are against, called *against*; None: there is none.
        paired: the other rows against *reference*, seed by seed.
        compared: *reference* and the others at equal held-out NLL.
        controlled: systems with a control of their own, against that one.
    """
    text = _TEMPLATES.get_template("report.md.jinja").render(
        collection=collection,
        rows=rows,
        reference=reference,
        against=against,
        paired=paired,
        compared=compared,
        controlled=controlled,
        tables=tables,
        **_facts(collection, rows),
        tested=_tested(reference),
    )
    return re.sub("\n{3,}", "\n\n", text)  # where the template left something out


def _facts(collection: Collection, rows: list[Row]) -> dict[str, Any]:
    """Return what the template says of the runs."""
    about = [run.about for run in collection.runs]
    names = tables.metric_names(rows)
    return {
        "authors_oracle": collection.oracle == AUTHORS_ORACLE,
        "words": f"{collection.vocab_size:,}",
        "data": about[0].get("data"),
        "names": names,
        "notes": [Markdown(note) for note in columns.notes(names)],
        "signatures": _signatures(names, rows),
        "any_seeds": any(len(row.runs) > 1 for row in rows),
        "all_seeds": all(len(row.runs) > 1 for row in rows),
        "unscored": any(run.scores is None for run in collection.runs),
        "paper": any(row.paper for row in rows),
        "seeds": sorted({each["seed"] for each in about}),
        "stated": {
            key: sorted({str(each[key]) for each in about if key in each})
            for key in ("hardware", "date", "commit")
        },
        "seconds": sum(each.get("wall_seconds", 0) for each in about),
        "resumed": sum(each.get("attempts", 1) > 1 for each in about),
    }


def _signatures(names: list[str], rows: list[Row]) -> list[tuple[Markdown, str]]:
    """Return how the metrics were made that state it: ("Self-BLEU", "BLEU-4|hyps:...")."""
    found = []
    for name in sorted(names, key=lambda name: name != "self_bleu"):  # self-BLEU comes first
        metric = columns.column(name)
        every = (run.metrics.get(metric.signature_key) for row in rows for run in row.runs)
        made = {signature for signature in every if signature is not None}
        title = metric.title.split(",")[0]
        title = Markdown(f"{title[0].upper()}{title[1:]}")
        found += [(title, signature) for signature in sorted(made)]
    return list(dict.fromkeys(found))  # both kinds of BLEU share a signature


def _tested(reference: Row | None) -> Markdown:
    """Return what the t-tests are of."""
    if reference is None:
        return Markdown()
    score = reference.runs[0].score
    title = columns.column(score).title.removesuffix(", sentence")
    return Markdown(title if score == "nll_oracle" else f"the samples' sentence {title}")
