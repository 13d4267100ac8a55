"""``fairseq-seqgan random``: random sentences, the baseline called Random in the paper's Table 1.

Words are drawn independently: with ``uniform`` all words of the dictionary are equally likely, with
``unigram`` each is as likely as it is frequent in the training data. Lengths are drawn from the
training sentences. The paper does not say which of the two its "Random" is; the value in its table
is that of ``unigram``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from fairseq.data import Dictionary
from torch import Tensor

from ..policy.policy import banned_symbols
from ..support import option_values
from ..support.errors import InputError
from ..support.rng import seeded_rng
from . import inputs, outputs

KINDS = ("uniform", "unigram")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options to *parser*."""
    parser.add_argument(
        "--data", type=Path, required=True, metavar="FOLDER", help="binarized data: dict.txt, train"
    )
    parser.add_argument(
        "--kind",
        choices=KINDS,
        required=True,
        help="all words equally likely, or each as likely as in training",
    )
    parser.add_argument(
        "--num-samples", type=int, default=10_000, metavar="N", help="default %(default)s"
    )
    parser.add_argument(
        "--seed", type=option_values.seed, default=1, help="of the draw; default %(default)s"
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help="one sample a line"
    )
    outputs.add_argument(parser)


def run(args: argparse.Namespace) -> None:
    """Write the samples that *args* ask for.

    Raises:
        InputError: the data or an option cannot be used; no file is written then.
    """
    option_values.positive(num_samples=args.num_samples)
    outputs.check_apart({"--output": args.output}, (), args.data)
    outputs.check("--output", args.output, args.overwrite)
    dictionary = inputs.read_dictionary(args.data)
    training = inputs.read_split(args.data, "train", dictionary)
    weights = word_weights(args.kind, training, dictionary)
    if not bool(weights.any()):
        raise InputError(f"{args.data}: the training data holds no word of the dictionary")
    lengths = torch.tensor([len(sentence) for sentence in training])
    generator = seeded_rng("random", args.kind, args.seed)
    samples = draw(weights, lengths, args.num_samples, generator)
    lines = (" ".join(dictionary[i] for i in sample.tolist()) + "\n" for sample in samples)
    outputs.write_file("--output", args.output, "".join(lines).encode(), args.overwrite)
    words = int((weights > 0).sum())
    print(f"{args.num_samples:,} samples, {args.kind} over {words:,} words: {args.output}")


def word_weights(kind: str, training: list[tuple[int, ...]], dictionary: Dictionary) -> Tensor:
    """Return the weight with which each symbol of the dictionary is drawn: (V,) float64.

    Special symbols, unknown words and the dictionary's filler words are never drawn.
    """
    if kind == "uniform":
        weights = torch.ones(len(dictionary), dtype=torch.float64)
    else:
        tokens = torch.tensor([token for sentence in training for token in sentence]).long()
        weights = torch.bincount(tokens, minlength=len(dictionary)).double()
    weights[banned_symbols(dictionary, fixed_length=True)] = 0.0
    return weights


def draw(
    weights: Tensor, lengths: Tensor, num: int, generator: torch.Generator
) -> tuple[Tensor, ...]:
    """Draw *num* sequences of tokens with *weights* (V,) and lengths drawn from *lengths* (S,)."""
    chosen = lengths[torch.randint(len(lengths), (num,), generator=generator)]
    total = int(chosen.sum())
    if total == 0:
        return (torch.empty(0, dtype=torch.long),) * num
    tokens = torch.multinomial(weights, total, replacement=True, generator=generator)
    return tokens.split(chosen.tolist())
