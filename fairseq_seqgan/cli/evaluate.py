"""``fairseq-seqgan evaluate``: samples against the oracle, held-out data and training data.

Shapes: B sequences, T tokens. Every NLL and entropy is in nats per token.

Two things are measured, and the output keeps them apart. NLL_oracle, BLEU, pitch errors,
duplicates, copies and self-BLEU are those of the samples in the file. The held-out NLL, the entropy
and the error of the next pitch are those of the model, as the policy that it is at
``--temperature``. The entropy is estimated from samples drawn
afresh, the mean of -log G(y_t | y_1 ... y_t-1): the file may come from another temperature, or from
a restricted draw (top-k, top-p, beam), and the NLL of its samples would then be no entropy of
anything.

How they are scored is in ``sample_scores.py`` and ``model_scores.py``, what the numbers are called
in ``evaluation.py``.
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import numpy as np
import torch

from ..oracle.lstm import Oracle, from_fairseq
from ..support import input_checks
from ..support.errors import InputError
from . import inputs, model_scores, outputs
from .evaluation import Evaluation
from .sample_scores import (
    choose,
    measure_bleu,
    measure_pitch,
    measure_self_bleu,
    measure_variety,
    read_keys,
)

_ORDERS = (2, 3, 4)  # of BLEU, where none is named


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options to *parser*."""
    hypotheses = parser.add_mutually_exclusive_group(required=True)
    hypotheses.add_argument(
        "--samples", type=Path, metavar="FILE",
        help="one sample a line, or what fairseq-generate printed",
    )  # fmt: skip
    hypotheses.add_argument(
        "--real-split", metavar="SPLIT",
        help="in place of samples: real data of another split, such as valid",
    )  # fmt: skip
    parser.add_argument(
        "--data", type=Path, required=True, metavar="FOLDER",
        help="binarized data: dict.txt, train and the held-out split",
    )  # fmt: skip
    parser.add_argument(
        "--oracle", type=Path, metavar="FILE", help="for NLL_oracle; its token i is the id i + 4"
    )
    parser.add_argument(
        "--model", type=Path, metavar="CHECKPOINT", help="for held-out NLL and entropy"
    )
    parser.add_argument(
        "--valid-subset", metavar="SPLIT", help="the held-out split; default: test, else valid"
    )
    parser.add_argument(
        "--fixed-length", type=int, metavar="T",
        help="every sequence has T tokens and no end symbol; 0: lengths vary; default: what the "
        "checkpoint was trained with, or, with --oracle, the length of the data",
    )  # fmt: skip
    parser.add_argument(
        "--temperature", type=float, default=1.0,
        help="of the model for its NLL and entropy, 1 unless given",
    )  # fmt: skip
    parser.add_argument(
        "--num-eval-samples", type=int, default=10_000, metavar="N",
        help="fresh samples for the entropy; default %(default)s",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=int, default=1,
        help="of these samples and of the subsets for BLEU and self-BLEU; default %(default)s",
    )  # fmt: skip
    parser.add_argument(
        "--ngram", type=int, default=4, metavar="N", help="of copied n-grams; default %(default)s"
    )
    parser.add_argument(
        "--self-bleu-order", type=int, default=4, metavar="N",
        help="longest n-grams of self-BLEU; default %(default)s",
    )  # fmt: skip
    parser.add_argument(
        "--self-bleu-samples", type=int, default=1000, metavar="N",
        help="size of the subset of the samples, and of the held-out split, whose self-BLEU is "
        "measured; default %(default)s",
    )  # fmt: skip
    parser.add_argument(
        "--bleu", type=int, nargs="*", metavar="ORDER",
        help="BLEU of these orders against the whole held-out split, and backward BLEU; without a "
        f"number: {' '.join(map(str, _ORDERS))}",
    )  # fmt: skip
    parser.add_argument(
        "--bleu-samples", type=int, metavar="N",
        help="how many of the samples --bleu takes, in both directions; default: all",
    )  # fmt: skip
    parser.add_argument(
        "--music", action="store_true",
        help="pitch errors: the tokens are keys of a piano, 1 to 88, and 0 for silence",
    )  # fmt: skip
    parser.add_argument(
        "--per-sample", type=Path, metavar="FILE.npz",
        help="also write a score of each sample: with --oracle the array nll_oracle, in nats per "
        "token, with --bleu bleuN_sentence of the largest order N",
    )  # fmt: skip
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE",
        help="also write JSON to FILE; without FILE, print it in place of the table",
    )  # fmt: skip


def run(args: argparse.Namespace) -> None:
    """Measure what *args* ask for, and print it.

    Raises:
        InputError: a file or option cannot be used; the message names it.
    """
    input_checks.positive(
        num_eval_samples=args.num_eval_samples,
        temperature=args.temperature,
        ngram=args.ngram,
        self_bleu_order=args.self_bleu_order,
    )
    if args.self_bleu_samples < 2:
        raise InputError(f"--self-bleu-samples is {args.self_bleu_samples}: at least 2 are needed")
    if args.bleu is not None:
        args.bleu = sorted(set(args.bleu)) or list(_ORDERS)
        input_checks.positive(bleu=args.bleu[0])
    if args.bleu_samples is not None:
        input_checks.positive(bleu_samples=args.bleu_samples)
        if args.bleu is None:
            raise InputError("--bleu-samples needs --bleu")
    if args.per_sample and not (args.oracle or args.bleu):
        raise InputError("--per-sample needs --oracle or --bleu: one of them scores each sample")
    if args.fixed_length is not None and args.fixed_length < 0:
        raise InputError(f"--fixed-length is {args.fixed_length}: below 0")
    to_file = args.json not in (None, "-")
    if to_file:
        outputs.require_folder("--json", args.json)
    if args.per_sample:
        outputs.require_folder("--per-sample", args.per_sample)
    found = evaluate(args)
    text = json.dumps(found.as_json(), indent=2, allow_nan=False)
    if args.per_sample:
        content = io.BytesIO()
        np.savez(content, **found.per_sample)
        outputs.write_file("--per-sample", args.per_sample, content.getvalue())
    if to_file:
        outputs.write_file("--json", args.json, f"{text}\n".encode())
    print(text if args.json == "-" else found.as_text())


def evaluate(args: argparse.Namespace) -> Evaluation:
    """Read everything, check it, and measure what the inputs allow."""
    corpus = inputs.read_corpus(args.data, args.samples, args.valid_subset, args.real_split)
    samples = [sample.ids for sample in corpus.samples]
    found = Evaluation(
        samples=args.samples,
        samples_split=args.real_split,
        data=args.data,
        num_samples=len(samples),
        split=corpus.split,
        heldout_sequences=len(corpus.heldout),
        training_sequences=len(corpus.training),
        temperature=args.temperature,
        seed=args.seed,
        ngram=args.ngram,
    )
    keys, heldout_keys = read_keys(corpus) if args.music else ([], [])
    oracle = length = None
    if args.oracle:
        oracle = Oracle.load_for(args.oracle, len(corpus.dictionary))
        length = corpus.oracle_length()
        corpus.require_length(length)
    policy = model_scores.make_policy(args, corpus, length) if args.model else None
    if oracle is not None:
        log_probs = oracle.log_probs(from_fairseq(torch.tensor(samples)))
        found.per_sample["nll_oracle"] = -log_probs.double().mean(dim=1).numpy()
        found.likelihoods["nll_oracle"] = model_scores.whole(log_probs)
        heldout = oracle.log_probs(from_fairseq(torch.tensor(corpus.heldout)))
        found.likelihoods["oracle_nll"] = model_scores.whole(heldout)
    if policy is not None:
        found.fixed_length = policy.length if policy.fixed else 0
        found.likelihoods["nll"] = model_scores.heldout_nll(policy, corpus)
        found.likelihoods["entropy"] = model_scores.entropy(
            policy, args.num_eval_samples, args.seed
        )
    if args.bleu:
        chosen = choose(samples, args.bleu_samples or len(samples), args.seed)
        unknown = corpus.dictionary.unk()
        found.bleu, scores = measure_bleu(chosen, corpus.heldout, args.bleu, unknown)
        found.per_sample[f"bleu{args.bleu[-1]}_sentence"] = scores
    if args.music:
        found.pitch = measure_pitch(keys, heldout_keys)
        if policy is not None:
            error = model_scores.one_step_error(policy, corpus, heldout_keys, args.data)
            found.pitch["mse_one_step"] = error
    subset = args.self_bleu_order, args.self_bleu_samples, args.seed
    found.self_bleu = measure_self_bleu(samples, *subset)
    found.heldout_self_bleu = measure_self_bleu(corpus.heldout, *subset)
    found.variety = measure_variety(samples, corpus.training, args.ngram)
    found.heldout_variety = measure_variety(corpus.heldout, corpus.training, args.ngram)
    return found
