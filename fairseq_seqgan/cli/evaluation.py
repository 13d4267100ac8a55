"""What ``fairseq-seqgan evaluate`` found, as a table and as JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tabulate import tabulate

from ..metrics import diversity
from ..metrics.bleu import Bleu, self_bleu
from ..metrics.diversity import Tokens
from ..metrics.likelihood import Likelihood

# JSON key: what the table calls it; all in nats per token.
LIKELIHOODS = {
    "nll_oracle": "NLL_oracle of the samples",
    "oracle_nll": "the oracle's own NLL",
    "nll": "held-out NLL of the model",
    "entropy": "entropy of the model",
}


@dataclass
class Evaluation:
    """The numbers, and what they were measured on."""

    samples: Path
    data: Path
    num_samples: int
    split: str  # the held-out split
    heldout_sequences: int
    training_sequences: int
    fixed_length: int = 0  # of the model; 0: lengths vary
    temperature: float = 1.0  # of the model
    seed: int = 1  # of the fresh samples for the entropy, and of the subset for self-BLEU
    ngram: int = 4
    likelihoods: dict[str, Likelihood] = field(default_factory=dict)  # keys of LIKELIHOODS
    variety: dict[str, float] = field(default_factory=dict)  # of the samples
    heldout_variety: dict[str, float] = field(default_factory=dict)  # the same of held-out data
    self_bleu: Bleu | None = None  # of a subset of the samples; None if there is only one
    heldout_self_bleu: Bleu | None = None  # of as many held-out sequences
    per_sample: np.ndarray | None = None  # NLL_oracle of each sample, nats per token

    def as_json(self) -> dict[str, str | float | int | None]:
        """Return a flat object: NLLs in nats per token, shares in 0 ... 1, None for undefined."""
        found: dict[str, str | float | int | None] = {
            "samples_file": str(self.samples),
            "samples": self.num_samples,
            "data": str(self.data),
            "heldout_split": self.split,
            "heldout_sequences": self.heldout_sequences,
            "training_sequences": self.training_sequences,
        }
        for key, value in self.likelihoods.items():
            found[key] = value.nll
            found[f"{key}_stderr"] = value.stderr
            if key == "entropy":
                found.update(entropy_samples=value.sequences, entropy_seed=self.seed)
        if "nll" in self.likelihoods:
            found.update(fixed_length=self.fixed_length, temperature=self.temperature)
        found.update(self.variety)
        found.update({f"heldout_{key}": value for key, value in self.heldout_variety.items()})
        for prefix, value in (("", self.self_bleu), ("heldout_", self.heldout_self_bleu)):
            found[f"{prefix}self_bleu"] = value and value.sentence
            if value is not None:
                found[f"{prefix}self_bleu_samples"] = value.hypotheses
                found[f"{prefix}self_bleu_signature"] = value.signature()
        return {k: None if _undefined(value) else value for k, value in found.items()}

    def as_text(self) -> str:
        """Return two tables, the likelihoods (if any) and the variety."""
        tables = [f"{self.samples}, against {self.data} (held-out split: {self.split})"]
        if self.likelihoods:
            over = {
                "nll_oracle": "samples",
                "oracle_nll": f"sequences of {self.split}",
                "nll": f"sequences of {self.split}",
                "entropy": "fresh samples of the model",
            }
            rows = [
                [LIKELIHOODS[key], value.nll, value.stderr, f"{value.sequences:,} {over[key]}"]
                for key, value in self.likelihoods.items()
            ]
            headers = ["nats per token", "mean", "± s.e.", "over"]
            tables.append(tabulate(rows, headers, floatfmt=("", ".4f", ".4f", "")))
        titles = {
            "distinct_tokens": "distinct tokens",
            "duplicates": "duplicates",
            "copied_samples": "copied whole from training data",
            f"copied_{self.ngram}grams": f"{self.ngram}-grams found in training data",
        }
        rows = [["sequences", _show(self.num_samples), _show(self.heldout_sequences)]]
        rows += [
            [title, _show(self.variety[key]), _show(self.heldout_variety[key])]
            for key, title in titles.items()
        ]
        bleus = (self.self_bleu, self.heldout_self_bleu)
        order = next((b.order for b in bleus if b), "")
        rows.append([f"self-BLEU-{order}", *(f"{b.sentence:.4f}" if b else "-" for b in bleus)])
        rows.append(
            [f"sequences in self-BLEU-{order}", *(f"{b.hypotheses:,}" if b else "-" for b in bleus)]
        )
        headers = ["variety", "samples", self.split]
        align = ("left", "right", "right")
        tables.append(tabulate(rows, headers, colalign=align, disable_numparse=True))
        return "\n\n".join(tables)


def measure_variety(
    sequences: list[Tokens], training: list[Tokens], ngram: int
) -> dict[str, float]:
    """Return the variety of *sequences* under the keys of the JSON; shares in 0 ... 1.

    Raises:
        InputError: there are no sequences, or *ngram* is below 1.
    """
    return {
        "distinct_tokens": diversity.distinct_tokens(sequences),
        "duplicates": diversity.duplicate_share(sequences),
        "copied_samples": diversity.copied_share(sequences, training),
        f"copied_{ngram}grams": diversity.copied_ngram_share(sequences, training, ngram),
    }


def measure_self_bleu(sequences: list[Tokens], order: int, most: int, seed: int) -> Bleu | None:
    """Return the self-BLEU of *most* of *sequences*, chosen with the seed; None of a single one."""
    if len(sequences) < 2:
        return None
    chosen = np.random.default_rng(seed).permutation(len(sequences))[:most]
    return self_bleu([sequences[i] for i in sorted(chosen)], order)


def _undefined(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _show(value: float) -> str:
    """Return a count as it is and a share in percent."""
    if isinstance(value, int):
        return f"{value:,}"
    return "-" if math.isnan(value) else f"{100 * value:.2f}%"
