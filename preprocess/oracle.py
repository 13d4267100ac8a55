"""Make the synthetic data of the SeqGAN paper (section "Synthetic Data Experiments").

Samples the training, validation and test sequences from the oracle: an LSTM with weights from
N(0, 1), or the authors' own (``--params``). ``fairseq-train DEST`` then reads the folder DEST:

    python preprocess/oracle.py --dest DEST --params target_params_py3.pkl

Tokens are the decimal words 0 .. V-1. The fairseq id of a word is token + 4: token 0 has the id 4.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

if not __package__:  # run as a file, which needs no install
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fairseq_seqgan.preprocess.common import arguments
from fairseq_seqgan.preprocess.common.binarize import binarize
from fairseq_seqgan.preprocess.common.folder import SPLITS, new_folder, write_stats

from fairseq_seqgan.oracle.lstm import Oracle
from fairseq_seqgan.support import option_values
from fairseq_seqgan.support.errors import InputError, flag
from fairseq_seqgan.support.rng import seeded_rng

ORACLE_FILE = "oracle.npz"
_PAPER_SIZES = {"vocab_size": 5000, "embed_dim": 32, "hidden_size": 32}


def get_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = arguments.get_parser(__doc__)
    parser.add_argument(
        "--params",
        type=Path,
        help="oracle to use instead of a random one: the authors' pickle or .npz, or the "
        f"{ORACLE_FILE} of an earlier run; it decides the sizes",
    )
    for name, size in _PAPER_SIZES.items():
        option = flag(name)
        parser.add_argument(option, type=int, metavar="N", help=f"of the oracle (default: {size})")
    for option, default, text in (
        ("--length", 20, "tokens in a sequence"),
        ("--num-train", 10000, "training sequences"),
        ("--num-valid", 1000, "validation sequences"),
        ("--num-test", 10000, "test sequences"),
    ):
        parser.add_argument(
            option, type=int, metavar="N", default=default, help=f"{text} (default: %(default)s)"
        )
    parser.add_argument(
        "--seed",
        type=option_values.seed,
        default=1,
        help="of the oracle and the data (default: %(default)s)",
    )
    return parser


def get_oracle(args: argparse.Namespace) -> Oracle:
    """Return the oracle that *args* ask for.

    Raises:
        InputError: the parameter file is unusable, or its sizes are not those asked for.
    """
    if args.params is None:
        sizes = {
            n: d if getattr(args, n) is None else getattr(args, n) for n, d in _PAPER_SIZES.items()
        }
        return Oracle.random(**sizes, seed=args.seed)
    oracle = Oracle.load(args.params)
    for name in _PAPER_SIZES:
        wanted, found = getattr(args, name), getattr(oracle, name)
        if wanted is not None and wanted != found:
            raise InputError(
                f"{args.params}: its {name} is {found}, contradicting {flag(name)} {wanted}"
            )
    return oracle


def write_text(path: Path, tokens: Tensor) -> None:
    """Write *tokens* (B, T) as decimal words, one sequence a line."""
    rows = (" ".join(map(str, row)) for row in tokens.tolist())
    path.write_text("".join(f"{row}\n" for row in rows), encoding="ascii")


def write_dictionary(path: Path, train: Tensor, vocab_size: int) -> None:
    """Write all V words in the order of their tokens, each with its count in *train* (B, T).

    Words that never occur are there too, with count 0: the ids must not depend on the data.
    """
    counts = torch.bincount(train.flatten(), minlength=vocab_size).tolist()
    lines = (f"{token} {count}\n" for token, count in enumerate(counts))
    path.write_text("".join(lines), encoding="ascii")


def describe(oracle: Oracle, tokens: Tensor, source: str) -> dict[str, float | int]:
    """Return the counts of a split (B, T) and its NLL under *oracle*, in nats per token.

    The standard error is that of the mean over sequences.

    Raises:
        InputError: the NLL is not finite: the parameters, from *source*, are too large for float32.
    """
    nll = oracle.nll(tokens).double()
    mean = nll.mean().item()
    if not math.isfinite(mean):
        raise InputError(
            f"{source}: the NLL of its samples is {mean}; the parameters are too large"
        )
    error = nll.std().item() / math.sqrt(len(nll)) if len(nll) > 1 else None
    return {
        "sequences": tokens.size(0),
        "tokens": tokens.numel(),
        "distinct_sequences": len(tokens.unique(dim=0)),
        "nll_oracle": round(mean, 5),
        "nll_oracle_standard_error": None if error is None else round(error, 5),
    }


def make_data(args: argparse.Namespace, oracle: Oracle, folder: Path) -> dict[str, dict]:
    """Write everything into *folder* and return the statistics of every split."""
    stats = {}
    for split in SPLITS:
        # A stream of its own for every split: with a shared one "test" would repeat the training
        # data, and a model that memorises would look perfect.
        generator = seeded_rng("oracle-data", args.seed, split)
        tokens = oracle.sample(getattr(args, f"num_{split}"), args.length, generator)
        stats[split] = {"generator_seed": generator.initial_seed()}
        stats[split] |= describe(oracle, tokens, str(args.params or "oracle"))
        write_text(folder / f"{split}.txt", tokens)
        if split == "train":
            write_dictionary(folder / "dict.txt", tokens, oracle.vocab_size)
    oracle.save(folder / ORACLE_FILE)
    sizes = {name: getattr(oracle, name) for name in (*_PAPER_SIZES, "start_token")}
    origin = "random" if args.params is None else "imported"
    summary = {"oracle": origin, **sizes, "length": args.length, "seed": args.seed, "splits": stats}
    binarize(folder, folder / "dict.txt", folder)
    write_stats(folder, summary)
    return stats


def main(argv: Sequence[str] | None = None) -> None:
    """Make the data that the command line *argv* asks for and print a summary.

    Raises:
        InputError: an option or file cannot be used; nothing has been written then.
    """
    args = get_parser().parse_args(argv)
    counts = ("length", *(f"num_{split}" for split in SPLITS), *_PAPER_SIZES)
    arguments.require_at_least(1, args, *counts)
    with new_folder(args.dest, args.overwrite, extra_files=(ORACLE_FILE,)) as folder:
        oracle = get_oracle(args)
        stats = make_data(args, oracle, folder)
    origin = f"from {args.params}" if args.params else f"random, seed {args.seed}"
    print(
        f"oracle: {origin}; {oracle.vocab_size} tokens, embedding {oracle.embed_dim}, "
        f"hidden {oracle.hidden_size}"
    )
    for split, numbers in stats.items():
        error = numbers["nll_oracle_standard_error"]
        margin = "" if error is None else f" +- {error:.3f}"
        print(
            f"{split}: {numbers['sequences']} sequences of {args.length} tokens, the oracle's own "
            f"NLL {numbers['nll_oracle']:.3f}{margin} nats per token"
        )
    print(f"written to {args.dest}")


if __name__ == "__main__":
    main()
