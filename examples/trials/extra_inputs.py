"""Would D know more if it also read log G(x), or G's hidden states?

    python examples/trials/extra_inputs.py CHECKPOINT DATA

takes the D and the G of an adversarial training's CHECKPOINT. A logistic regression combines D's
log-odds d(x) with log G(x) and with the mean of G's hidden states over the sequence. Its log-odds
are worth a gain as D's own are (metrics/gain.py), in nats per sequence. It is fitted on one half of
the valid split and of fresh samples, its gain is measured on the other half, and the other way
round. The last column compares the same sequences, ± its standard error over them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tabulate import tabulate
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from fairseq_seqgan.cli.discriminator_scores import rows, score
from fairseq_seqgan.cli.inputs import read_dictionary, read_split
from fairseq_seqgan.criterions.saved_discriminator import SavedDiscriminator, load_discriminator
from fairseq_seqgan.metrics.gain import estimate_gain, fit_slope
from fairseq_seqgan.policy.policy import Policy
from fairseq_seqgan.policy.rollouts import sample
from fairseq_seqgan.policy.saved_model import load_language_model
from fairseq_seqgan.support.rng import seeded_rng

SAMPLES, SEED = 20_000, 1
INPUTS = {
    "d(x), as D is": ("d",),
    "log G(x)": ("log_prob",),
    "d(x), log G(x)": ("d", "log_prob"),
    "hidden states of G": ("states",),
    "d(x), log G(x), hidden states of G": ("d", "log_prob", "states"),
}


def read_out(
    policy: Policy, discriminator: SavedDiscriminator, tokens: Tensor
) -> dict[str, np.ndarray]:
    """Return d(x) (R, 1), log G(x) (R, 1) in nats and G's mean hidden states (R, C) of *tokens*."""
    log_probs, states = [], []
    with torch.no_grad():
        for part in tokens.split(1024):
            log_probs.append(policy.log_probs(part).double().sum(dim=1))
            first = part.new_full((len(part), 1), policy.start)
            read = torch.cat([first, part[:, :-1]], dim=1)
            found = policy.model.decoder.extract_features(read)[0]
            mask = (part != policy.pad).unsqueeze(2)
            states.append((found * mask).sum(dim=1) / mask.sum(dim=1))
    return {
        "d": score(discriminator, tokens)[:, None],
        "log_prob": torch.cat(log_probs).numpy()[:, None],
        "states": torch.cat(states).double().numpy(),
    }


def combine(real: np.ndarray, fake: np.ndarray) -> GridSearchCV:
    """Return a logistic regression that tells *real* from *fake* inputs, both sides alike."""
    regression = LogisticRegression(class_weight="balanced", max_iter=2000)
    strengths = {"logisticregression__C": np.logspace(-4, 2, 7)}
    search = GridSearchCV(
        make_pipeline(StandardScaler(), regression), strengths, scoring="neg_log_loss", cv=4
    )
    labels = np.repeat([1, 0], [len(real), len(fake)])
    return search.fit(np.concatenate([real, fake]), labels)


def half_gain(
    real: np.ndarray, fake: np.ndarray, half: int, combined: bool
) -> tuple[np.ndarray, float]:
    """Return a d(x) - log Z of the real sequences of *half*, and the gain's standard error.

    Args:
        combined: a regression makes one score of the inputs; else they are one already.
    """
    fit = [values[1 - half :: 2] for values in (real, fake)]
    own = [values[half::2] for values in (real, fake)]
    judge = combine(*fit).decision_function if combined else lambda values: values[:, 0]
    fit, (ours, theirs) = ([judge(values) for values in side] for side in (fit, own))
    found = estimate_gain(ours, theirs, fit_slope(*fit))
    return found.slope * ours - found.log_z, found.stderr


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path, help="of an adversarial training")
    parser.add_argument("data", type=Path, help="its data folder")
    args = parser.parse_args()
    dictionary = read_dictionary(args.data)
    model, options = load_language_model(args.checkpoint, args.data, dictionary)
    policy = Policy(
        model.eval(),
        dictionary,
        fixed_length=options.get("fixed_length") or 0,
        max_length=options.get("max_length") or 0,
    )
    discriminator = load_discriminator(str(args.checkpoint), dictionary)
    heldout = rows(read_split(args.data, "valid", dictionary), policy, "the valid split")
    drawn = sample(policy, SAMPLES, seeded_rng("extra inputs", SEED)).tokens
    real, fake = (read_out(policy, discriminator, tokens) for tokens in (heldout, drawn))
    lines, alone = [], None
    for title, names in INPUTS.items():
        ours, theirs = (
            np.concatenate([side[name] for name in names], axis=1) for side in (real, fake)
        )
        halves = [half_gain(ours, theirs, half, combined=names != ("d",)) for half in (0, 1)]
        each = np.concatenate([values for values, _ in halves])
        error = sum(stderr**2 for _, stderr in halves) ** 0.5 / 2
        alone = each if alone is None else alone
        more, spread = (each - alone).mean(), (each - alone).std(ddof=1) / len(each) ** 0.5
        difference = f"{more:+.3f} ± {spread:.3f}" if each is not alone else "–"
        lines.append([title, f"{each.mean():.3f} ± {error:.3f}", difference])
    headers = ["inputs", "gain (nats per sequence)", "more than D as it is"]
    print(tabulate(lines, headers, tablefmt="pipe", disable_numparse=True))
    print(f"\n{len(heldout):,} sequences of the valid split, {SAMPLES:,} samples, seed {SEED}")


if __name__ == "__main__":
    main()
