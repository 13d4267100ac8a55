"""``fairseq-seqgan report``: run folders into tables and pictures.

``docs/run-folders.md`` describes a run folder. Everything is read and checked before anything is
written, and the same input gives the same bytes.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

from ..support import input_checks
from ..support.errors import InputError
from . import outputs, user_module

prepare = user_module.import_from


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options to *parser*."""
    user_module.add_argument(parser)
    parser.add_argument(
        "runs", type=Path, nargs="+", metavar="RUN", help="run folder, or folder of run folders"
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FOLDER",
        help="for report.md, report.json, learning_curves.png and frontier.png; made if missing",
    )  # fmt: skip
    parser.add_argument(
        "--num-samples", type=int, metavar="N",
        help="the first N samples of every run count for NLL_oracle and the t-tests; the other "
        "columns are as the run measured them; default: all",
    )  # fmt: skip
    parser.add_argument(
        "--against", default="seqgan", metavar="SYSTEM",
        help="what the t-tests hold every system against; default %(default)s",
    )  # fmt: skip
    parser.add_argument(
        "--curve-axis", choices=("updates", "rounds"), default="updates",
        help="of the learning curves after pre-training: updates of G, or rounds; "
        "default %(default)s",
    )  # fmt: skip


def run(args: argparse.Namespace) -> None:
    """Write the report that *args* ask for.

    Raises:
        InputError: a file or option cannot be used; nothing has been written then.
    """
    # fairseq sets the root logger so that matplotlib would tell of every font on this machine.
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    # Imported late: matplotlib and scipy take seconds, and --help should not.
    from ..reporting import curves, data, equal, frontier, rows, runs, series, text

    if args.num_samples is not None:
        input_checks.positive(num_samples=args.num_samples)
    collection = runs.collect(args.runs, args.num_samples)
    table = rows.make_rows(collection, args.against)
    against = rows.find(table, args.against)
    lines = series.make_curves(table, args.curve_axis)
    compared = equal.compare(table, against) if collection.oracle else []
    controlled = equal.compare_with_controls(table) if collection.oracle else []
    found = data.as_json(collection, table, against, compared, controlled)
    report = json.dumps(found, indent=2, allow_nan=False)
    written = text.markdown(collection, table, against, args.against, compared, controlled)
    files = {
        "report.md": written.encode(),
        "report.json": f"{report}\n".encode(),
        "learning_curves.png": curves.draw(lines, rows.oracle_entropy(table)),
        "frontier.png": frontier.draw(table, rows.oracle_entropy(table)),
    }
    try:
        args.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--output {args.output}: {error.strerror}") from error
    for name, content in files.items():
        outputs.write_file("--output", args.output / name, content)
    print(text.results(table))
    for name, why in collection.incomplete:
        print(f"incomplete, and in no number: {name} ({why})")
    for name in collection.missing_logs:
        print(f"missing log, no learning curve of it: {name}")
    print(f"written to {args.output}: {', '.join(files)}")
