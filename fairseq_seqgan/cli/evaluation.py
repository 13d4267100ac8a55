"""What ``fairseq-seqgan evaluate`` found, as a table and as JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tabulate import tabulate

from ..metrics.bleu import Bleu
from ..metrics.likelihood import Likelihood

# JSON key: what the table calls it; all in nats per token.
LIKELIHOODS = {
    "nll_oracle": "NLL_oracle of the samples",
    "oracle_nll": "the oracle's own NLL",
    "nll": "held-out NLL of the model",
    "entropy": "entropy of the model",
}

# JSON key: what the table calls it; in squared keys (semitones).
PITCH = {
    "mse_nearest": "to the nearest held-out sequence",
    "mse_mean": "to the held-out sequences' mean of each step",
    "mse_one_step": "of the next pitch, drawn after real ones",
}


@dataclass
class Evaluation:
    """The numbers, and what they were measured on."""

    samples: Path | None  # None: the samples are real data
    samples_split: str | None  # the split that they are, if they are
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
    bleu: dict[str, Bleu] = field(default_factory=dict)  # bleu2 ..., backward_bleu2 ...
    pitch: dict[str, float | int] = field(default_factory=dict)  # keys of PITCH, squared keys
    per_sample: dict[str, np.ndarray] = field(default_factory=dict)  # a score of each sample

    def as_json(self) -> dict[str, str | float | int | None]:
        """Return a flat object: NLLs in nats per token, shares in 0 ... 1, None for undefined."""
        found: dict[str, str | float | int | None] = {
            **(
                {"samples_split": self.samples_split}
                if self.samples is None
                else {"samples_file": str(self.samples)}
            ),
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
        for name, bleu in self.bleu.items():
            found[f"{name}_corpus"], found[f"{name}_sentence"] = bleu.corpus, bleu.sentence
            found[f"{name}_signature"] = bleu.signature()
        found.update(self.pitch)
        return {k: None if _undefined(value) else value for k, value in found.items()}

    def as_text(self) -> str:
        """Return the tables of what was measured."""
        source = self.samples or f"split '{self.samples_split}'"
        tables = [f"{source}, against {self.data} (held-out split: {self.split})"]
        if self.likelihoods:
            tables.append(self._likelihood_table())
        if self.bleu:
            tables.append(self._bleu_table())
        if self.pitch:
            tables.append(self._pitch_table())
        return "\n\n".join([*tables, self._variety_table()])

    def _likelihood_table(self) -> str:
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
        return tabulate(rows, headers, floatfmt=("", ".4f", ".4f", ""))

    def _bleu_table(self) -> str:
        rows = []
        for name, bleu in self.bleu.items():
            title = name.replace("_", " ").replace("bleu", "BLEU-")
            over = f"{bleu.hypotheses:,} against {bleu.references:,}"
            rows.append([title, bleu.corpus, bleu.sentence, over])
        headers = ["BLEU, 0 ... 1", "corpus", "mean of sentences", "sequences"]
        return tabulate(rows, headers, floatfmt=("", ".4f", ".4f", ""))

    def _pitch_table(self) -> str:
        rows = [[PITCH[key], self.pitch[key]] for key in PITCH if key in self.pitch]
        if left_out := self.pitch["mse_left_out"]:
            rows.append(["samples left out: silent, or of another length", f"{left_out:,}"])
        return tabulate(rows, ["mean squared error, keys", "value"], floatfmt=("", ".3f"))

    def _variety_table(self) -> str:
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
        return tabulate(rows, headers, colalign=align, disable_numparse=True)


def _undefined(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _show(value: float) -> str:
    """Return a count as it is and a share in percent."""
    if isinstance(value, int):
        return f"{value:,}"
    return "-" if math.isnan(value) else f"{100 * value:.2f}%"
