"""``fairseq-seqgan report``: run folders into tables and pictures.

``docs/run-folders.md`` describes a run folder. Everything is read and checked before anything is
written, and the same input gives the same bytes.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

from ..support import option_values
from ..support.errors import InputError
from ..support.escaping import visible
from . import outputs, user_module

prepare = user_module.import_from
FILES = ("report.md", "report.json", "results.csv", "learning_curves.png", "frontier.png")
PANELS = "panels.png"
_AGAINST = "seqgan"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options to *parser*."""
    user_module.add_argument(parser)
    parser.add_argument(
        "runs", type=Path, nargs="+", metavar="RUN", help="run folder, or folder of run folders"
    )
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FOLDER",
        help=f"for {', '.join(FILES)}",
    )
    parser.add_argument(
        "--num-samples",
        type=int,
        metavar="N",
        help="the first N samples of every run count for NLL_oracle and the t-tests; the other "
        "columns are as the run measured them; default: all",
    )
    parser.add_argument(
        "--against",
        metavar="SYSTEM",
        help=f"the system that the t-tests compare with every other; default {_AGAINST}",
    )
    parser.add_argument(
        "--bleu",
        type=int,
        metavar="N",
        help="of runs without an oracle: the order of BLEU in frontier.png and in the paired "
        "t-tests; default: the largest that was measured",
    )
    parser.add_argument(
        "--curve-axis",
        choices=("updates", "rounds"),
        default="updates",
        help="of the learning curves after pre-training: updates of G, or rounds; "
        "default %(default)s",
    )
    parser.add_argument(
        "--panels",
        action="store_true",
        help=f"also write {PANELS}, the paper's Figure 3: the curves of each system on their own",
    )
    outputs.add_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Write the report that *args* ask for.

    Raises:
        InputError: a file or option cannot be used; nothing has been written then.
    """
    names = (*FILES, PANELS) if args.panels else FILES
    for name in names if args.output.is_dir() else ():
        outputs.check("--output", args.output / name, args.overwrite)
    if args.num_samples is not None:
        option_values.positive(num_samples=args.num_samples)
    contents, printed = make(args)
    try:
        args.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--output {args.output}: {error.strerror}") from error
    for name, content in zip(names, contents, strict=True):
        outputs.write_file("--output", args.output / name, content, args.overwrite)
    print(printed)
    print(f"written to {args.output}: {', '.join(names)}")


def make(args: argparse.Namespace) -> tuple[list[bytes], str]:
    """Return the contents of the files of the report that *args* ask for, and what is printed.

    Raises:
        InputError: a file or option cannot be used.
    """
    # fairseq sets the root logger so that matplotlib would tell of every font on this machine.
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    # Imported late: matplotlib and scipy take seconds, and --help should not.
    from ..reporting import (
        aggregate,
        curves,
        frontier,
        json_report,
        learning_curves,
        markdown_report,
        matched_nll,
        pairs,
        panels,
        results_csv,
        runs,
        tables,
    )

    collection = runs.collect(args.runs, args.num_samples, args.output)
    against = args.against or _AGAINST
    rows = aggregate.make_rows(collection, against)
    if args.against is not None:
        _check_against(against, list(dict.fromkeys(row.system.name for row in rows)))
    if args.bleu is not None:
        _check_order(args.bleu, [] if collection.oracle else frontier.orders(rows))
    reference = aggregate.find(rows, against)
    paired = pairs.compare(rows, reference, args.bleu)
    compared = matched_nll.compare(rows, reference) if collection.oracle else []
    controlled = matched_nll.compare_with_controls(rows) if collection.oracle else []
    found = json_report.as_json(collection, rows, reference, paired, compared, controlled)
    written = markdown_report.report(
        collection, rows, reference, against, paired, compared, controlled
    )
    lines = learning_curves.make_curves(rows, args.curve_axis)
    entropy = aggregate.oracle_entropy(rows) if collection.oracle else None
    contents = [
        written.encode(),
        f"{json.dumps(found, indent=2, allow_nan=False)}\n".encode(),
        results_csv.results_csv(rows).encode(),
        curves.draw(lines, entropy),
        frontier.draw(rows, entropy, args.bleu),
    ]
    if args.panels:
        contents.append(panels.draw(lines))
    told = [f"incomplete, and in no number: {name} ({why})" for name, why in collection.incomplete]
    told += [f"missing log, no learning curve of it: {name}" for name in collection.missing_logs]
    return contents, "\n".join([tables.results(rows), *map(visible, told)])


def _check_against(name: str, known: list[str]) -> None:
    """Check that the system *name* is among the *known* ones, which runs are of."""
    if name not in known:
        raise InputError(f"--against {name}: no run is of that; there are {', '.join(known)}")


def _check_order(order: int, measured: list[int]) -> None:
    """Check that BLEU of *order* is among the orders that were *measured*."""
    if order not in measured:
        found = ", ".join(map(str, measured)) or "none, or they are with an oracle"
        raise InputError(
            f"--bleu is {order}: the runs have no BLEU and backward BLEU of that order (they have: "
            f"{found})"
        )
