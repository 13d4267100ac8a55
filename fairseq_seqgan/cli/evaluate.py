"""``fairseq-seqgan evaluate``: samples, and the model that they came from, in numbers.

The output keeps two things apart. NLL_oracle, BLEU, pitch errors, duplicates, copies and self-BLEU
measure the samples in the file. The held-out NLL, the entropy and the error of the next pitch
measure the model: the policy that it is at ``--temperature``. The entropy is the mean of
-log G(y_t | y_1 ... y_t-1), in nats per token, over samples that are drawn for it. The samples in
the file would not do: they may come from another temperature, or from a restricted draw (top-k,
top-p, beam search).

What is measured is in the folder ``metrics``, one class for each metric; ``metric_inputs.py`` hands
the metrics their data, ``evaluation.py`` prints what they found.
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import numpy as np

from .. import plugin  # noqa: F401  (checkpoints are read with its workarounds)
from ..metrics import base
from ..metrics.base import Metric
from ..support import option_values
from ..support.errors import InputError
from . import outputs, user_module
from .evaluation import Evaluation, Measured
from .metric_inputs import EvaluateInputs

prepare = user_module.import_from


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options to *parser*."""
    hypotheses = parser.add_mutually_exclusive_group(required=True)
    hypotheses.add_argument(
        "--samples",
        type=Path,
        metavar="FILE",
        help="one sample a line, or what fairseq-generate printed",
    )
    hypotheses.add_argument(
        "--real-split",
        metavar="SPLIT",
        help="in place of samples: real data of another split, such as valid",
    )
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="binarized data: dict.txt, train and the held-out split",
    )
    parser.add_argument(
        "--oracle", type=Path, metavar="FILE", help="for NLL_oracle; its token i is the id i + 4"
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="CHECKPOINT",
        help="for held-out NLL and entropy; default: that of --discriminator",
    )
    parser.add_argument(
        "--valid-subset", metavar="SPLIT", help="the held-out split; default: test, else valid"
    )
    parser.add_argument(
        "--fixed-length",
        type=int,
        metavar="T",
        help="every sequence has T tokens and no end symbol; 0: lengths vary; default: what the "
        "checkpoint was trained with, or, with --oracle, the length of the data",
    )
    parser.add_argument(
        "--temperature",
        type=float,
        default=1.0,
        help="of the model for its NLL and entropy, 1 unless given",
    )
    parser.add_argument(
        "--num-eval-samples",
        type=int,
        default=10_000,
        metavar="N",
        help="fresh samples for the entropy; default %(default)s",
    )
    parser.add_argument(
        "--seed",
        type=option_values.seed,
        default=1,
        help="of these samples and of the subsets for BLEU and self-BLEU; default %(default)s",
    )
    base.add_arguments(parser)
    user_module.add_argument(parser)
    parser.add_argument(
        "--per-sample",
        type=Path,
        metavar="FILE.npz",
        help="also write a score of each sample: with --oracle the array nll_oracle, in nats per "
        "token, with --bleu bleuN_sentence of the largest order N",
    )
    parser.add_argument(
        "--json",
        nargs="?",
        const="-",
        metavar="FILE",
        help="also write JSON to FILE; without FILE, print it in place of the table",
    )
    outputs.add_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Measure what *args* ask for, and print it.

    Raises:
        InputError: a file or option cannot be used; the message names it.
    """
    option_values.positive(num_eval_samples=args.num_eval_samples, temperature=args.temperature)
    args.model = args.model or args.discriminator  # the checkpoint holds G as well
    if args.judge and not args.model:
        raise InputError("--judge needs --model, which says how long sequences are")
    if args.temperature != 1 and not args.model:
        raise InputError("--temperature needs --model: it is the model's, the samples are drawn")
    metrics = base.select(args)
    if args.per_sample and args.oracle is None and args.bleu is None:
        raise InputError("--per-sample needs --oracle or --bleu: one of them scores each sample")
    if args.fixed_length is not None and args.fixed_length < 0:
        raise InputError(f"--fixed-length is {args.fixed_length}: below 0")
    json_file = None if args.json in (None, "-") else Path(args.json)
    read = (args.samples, args.oracle, args.model, args.judge, *(args.ensemble or ()))
    written = {"--json": json_file, "--per-sample": args.per_sample}
    outputs.check_apart(written, (*read, args.discriminator), args.data)
    for option, path in written.items():
        outputs.check(option, path, args.overwrite)
    found = evaluate(args, metrics)
    text = json.dumps(found.as_json(), indent=2, allow_nan=False)
    if args.per_sample:
        content = io.BytesIO()
        np.savez(content, **found.per_sample)
        outputs.write_file("--per-sample", args.per_sample, content.getvalue(), args.overwrite)
    if json_file:
        outputs.write_file("--json", json_file, f"{text}\n".encode(), args.overwrite)
    print(text if args.json == "-" else found.as_text())


def evaluate(args: argparse.Namespace, metrics: list[Metric]) -> Evaluation:
    """Read and check everything, then measure all *metrics*.

    Raises:
        InputError: a file or option cannot be used; the message names it.
    """
    inputs = EvaluateInputs(args)
    for metric in metrics:
        metric.validate(inputs)
    found = Evaluation(
        samples=args.samples,
        samples_split=args.real_split,
        data=args.data,
        num_samples=len(inputs.samples),
        split=inputs.split,
        heldout_sequences=len(inputs.heldout),
        training_sequences=len(inputs.training),
    )
    if inputs.policy is not None:
        length = inputs.policy.length if inputs.policy.fixed else 0
        found.policy = {"fixed_length": length, "temperature": args.temperature}
    for metric in metrics:
        score, heldout = metric.compute(inputs), metric.compute_heldout(inputs)
        found.measured.append(Measured(metric, score, heldout))
    return found
