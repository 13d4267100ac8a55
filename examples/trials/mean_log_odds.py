"""What are discriminators of several trainings worth, alone and two at a time?

    python examples/trials/mean_log_odds.py G.pt DATA D1.pt D2.pt ...

prints the gain of each D, and of the mean log-odds of each two that follow one another, as a
correction of the language model G.pt, on DATA's valid split, in nats per sequence, ± its standard
error. Each half of the split gets the slope that was fitted on the other half.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from fairseq_seqgan.cli.discriminator_scores import rows, score
from fairseq_seqgan.cli.inputs import read_dictionary, read_split
from fairseq_seqgan.cli.user_module import add_argument, import_from
from fairseq_seqgan.criterions.saved_discriminator import load_discriminator
from fairseq_seqgan.metrics.gain import crossfitted_gain
from fairseq_seqgan.policy.policy import Policy
from fairseq_seqgan.policy.rollouts import sample
from fairseq_seqgan.policy.saved_model import load_language_model
from fairseq_seqgan.support.rng import seeded_rng

SEED = 1


def gain(real: np.ndarray, fake: np.ndarray) -> str:
    """Return the gain of log-odds of *real* (H,) and *fake* (M,) sequences, as text."""
    found = crossfitted_gain(real, fake)
    return f"{found.gain:.3f} ± {found.stderr:.3f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("generator", type=Path, help="a checkpoint of the language model G")
    parser.add_argument("data", type=Path, help="its data folder")
    parser.add_argument("discriminators", type=Path, nargs="+", help="checkpoints that hold a D")
    parser.add_argument("--samples", type=int, default=20_000, help="of G")
    parser.add_argument(
        "--pairs", action=argparse.BooleanOptionalAction, default=True, help="also two at a time"
    )
    add_argument(parser)
    import_from(sys.argv[1:])
    args = parser.parse_args()
    dictionary = read_dictionary(args.data)
    model, options = load_language_model(args.generator, args.data, dictionary)
    policy = Policy(
        model.eval(),
        dictionary,
        fixed_length=options.get("fixed_length") or 0,
        max_length=options.get("max_length") or 0,
    )
    heldout = rows(read_split(args.data, "valid", dictionary), policy, "the valid split")
    drawn = sample(policy, args.samples, seeded_rng("mean log-odds", SEED)).tokens
    found = []
    for path in args.discriminators:
        discriminator = load_discriminator(str(path), dictionary)
        found.append([score(discriminator, tokens) for tokens in (heldout, drawn)])
    names = [path.parent.name for path in args.discriminators]
    lines = [[name, gain(*scores)] for name, scores in zip(names, found, strict=True)]
    for at in range(0, len(found) - 1, 2) if args.pairs else ():
        both = [np.mean(sides, axis=0) for sides in zip(*found[at : at + 2], strict=True)]
        lines.append([f"mean of {names[at]} and {names[at + 1]}", gain(*both)])
    headers = ["D", "gain (nats per sequence)"]
    print(tabulate(lines, headers, tablefmt="pipe", disable_numparse=True))
    print(f"\n{len(heldout):,} sequences of the valid split, {args.samples:,} samples, seed {SEED}")


if __name__ == "__main__":
    main()
