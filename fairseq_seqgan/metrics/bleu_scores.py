"""The metrics of ``evaluate`` that are BLEU: of samples, of held-out data, and self-BLEU.

Forward BLEU scores every sample against all held-out sequences, backward BLEU every held-out
sequence against all samples. There, an unknown word matches nothing, not even another unknown word:
two unknown words are hardly ever the same word. Self-BLEU, where only held-out data can have any,
counts it as a word. How BLEU is computed is in ``bleu.py``.
"""

from __future__ import annotations

import argparse
from collections.abc import Hashable, Sequence
from typing import ClassVar, Self

import numpy as np

from ..support import option_values
from ..support.errors import InputError
from .base import Direction, Metric, MetricInputs, NumberedMetric, Score, Tokens, register_metric
from .bleu import Bleu, References, self_bleu

ORDERS = (2, 3, 4)  # of --bleu without a number
_LONGEST = 100  # n-grams; time grows with the order, and no text repeats such long ones


def choose(sequences: Sequence[Tokens], most: int, seed: int) -> list[Tokens]:
    """Return *most* of *sequences*, chosen with the seed, in their order; all if there are fewer.

    The same arguments give the same choice.
    """
    chosen = np.random.default_rng(seed).permutation(len(sequences))[:most]
    return [sequences[i] for i in sorted(chosen)]


class BleuMetric(NumberedMetric):
    """BLEU-n of one direction, and of one kind: of the corpus, or the mean of its sentences."""

    unit, direction = "0 … 1", Direction.HIGHER
    needs, table, rank = ("bleu",), "BLEU, 0 ... 1", 20
    decimals = 4
    backward: ClassVar[bool] = False
    kind: ClassVar[str] = "corpus"  # or "sentence"
    _how: ClassVar[str] = "n-grams are counted over all of them before they are divided"

    @property
    def title(self) -> str:
        """The title with n, such as ``backward BLEU-4, corpus``."""
        return f"{self.row_title}, {self.kind}"

    @property
    def row_title(self) -> str:
        """The title without the kind: both kinds stand in one row."""
        return f"{'backward ' if self.backward else ''}BLEU-{self.n}"

    @property
    def note(self) -> str:
        """What the report says of BLEU, once for all n."""
        if self.backward:
            return (
                f"Backward BLEU-n, {self.kind}: every held-out sequence against all samples, on a "
                f"scale of 0 … 1; {self._how}. Higher covers more of real data. It grows with the "
                "number of samples: compare only equal numbers."
            )
        return (
            f"BLEU-n, {self.kind}: every sample against all held-out sequences, on a scale of "
            f"0 … 1; {self._how}. Higher is more like real data; a system that draws a few good "
            "sequences over and over has a high one, too."
        )

    @property
    def signature_key(self) -> str:
        """Both kinds have one signature."""
        return f"{self.name.removesuffix(self.kind)}signature"

    @property
    def order(self) -> tuple:
        """First all forward ones, then by kind, then by n."""
        return (self.rank, self.backward, self.kind, self.n)

    def compute(self, inputs: MetricInputs) -> Score:
        """Return BLEU-n of this direction and kind."""
        found: Bleu = inputs.once(("bleu", self.backward, self.n), lambda: self._measure(inputs))
        over = f"{found.hypotheses:,} against {found.references:,}"
        return Score(getattr(found, self.kind), over=over, signature=found.signature())

    def _measure(self, inputs: MetricInputs) -> Bleu:
        if self.backward:
            return References(self.samples(inputs), self.n).score(_known(inputs.heldout, inputs))
        return self.references(inputs).score(_known(self.samples(inputs), inputs))

    def references(self, inputs: MetricInputs) -> References:
        """Return the held-out sequences as references of n-grams up to n."""
        return inputs.once(("references", self.n), lambda: References(inputs.heldout, self.n))

    @staticmethod
    def samples(inputs: MetricInputs) -> list[Tokens]:
        """Return the samples that ``--bleu-samples`` leaves."""
        most = inputs.options.bleu_samples or len(inputs.samples)
        return inputs.once("bleu samples", lambda: choose(inputs.samples, most, inputs.seed))

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add ``--bleu`` and ``--bleu-samples``."""
        parser.add_argument(
            "--bleu",
            type=int,
            nargs="*",
            metavar="ORDER",
            help="BLEU of these orders against the whole held-out split, and backward BLEU; "
            f"without a number: {' '.join(map(str, ORDERS))}",
        )
        parser.add_argument(
            "--bleu-samples",
            type=int,
            metavar="N",
            help="how many of the samples --bleu takes, in both directions; default: all",
        )

    @classmethod
    def check(cls, options: argparse.Namespace) -> None:
        """Check ``--bleu`` and ``--bleu-samples``."""
        if options.bleu:
            option_values.positive(bleu=min(options.bleu))
            option_values.at_most(_LONGEST, bleu=max(options.bleu))
        if options.bleu_samples is not None:
            option_values.positive(bleu_samples=options.bleu_samples)
            if options.bleu is None:
                raise InputError("--bleu-samples needs --bleu")

    @classmethod
    def select(cls, options: argparse.Namespace) -> list[Self]:
        """Return one metric for each order in ``--bleu``."""
        return [cls(n) for n in _orders(options)]


@register_metric("bleuN_corpus")
class CorpusBleu(BleuMetric):
    """BLEU of all samples as one text."""

    formula = (
        "corpus BLEU-n of all samples, each with the whole held-out split as its references; n is "
        "each number in `--bleu`"
    )


@register_metric("bleuN_sentence")
class SentenceBleu(BleuMetric):
    """The mean of the samples' own BLEU."""

    kind = "sentence"
    formula = "mean over the samples of the BLEU-n of one sample against the whole held-out split"
    _how = "the mean of each one's own"

    def compute(self, inputs: MetricInputs) -> Score:
        """Return the mean; of the largest n also the BLEU of every sample, (S,) float64."""
        score = super().compute(inputs)
        if self.n != _orders(inputs.options)[-1]:
            return score
        samples = _known(self.samples(inputs), inputs)
        each = self.references(inputs).sentence_scores(samples)
        return Score(score.value, over=score.over, signature=score.signature, per_sample=each)


@register_metric("backward_bleuN_corpus")
class BackwardCorpusBleu(BleuMetric):
    """BLEU of all held-out sequences as one text, against the samples."""

    backward = True
    formula = "corpus BLEU-n of all held-out sequences, each with all samples as its references"


@register_metric("backward_bleuN_sentence")
class BackwardSentenceBleu(BleuMetric):
    """The mean of the held-out sequences' own BLEU against the samples."""

    backward, kind = True, "sentence"
    formula = (
        "mean over the held-out sequences of the BLEU-n of one of them against all samples: how "
        "much of real data the samples cover"
    )
    _how = SentenceBleu._how


@register_metric("self_bleu")
class SelfBleu(Metric):
    """How alike sequences are: the BLEU of each against all others (Zhu et al., 2018)."""

    title, unit = "self-BLEU", "0 … 1"
    table, rank, note = "variety", 30, ""
    formula = (
        "mean over the samples of the BLEU-n of one sample against all other samples; of "
        "`--self-bleu-samples` (1,000) samples, chosen with `--seed`; n is `--self-bleu-order` (4)"
    )

    def __init__(self, n: int | None = None) -> None:
        self.n = n  # None: n is not known, only that it is self-BLEU

    @property
    def row_title(self) -> str:
        """The title with n."""
        return f"self-BLEU-{self.n}"

    def compute(self, inputs: MetricInputs) -> Score:
        """Return self-BLEU of the samples; NaN of a single one."""
        return self._measure(inputs.samples, inputs)

    def compute_heldout(self, inputs: MetricInputs) -> Score:
        """Return self-BLEU of as many held-out sequences."""
        return self._measure(inputs.heldout, inputs)

    def _measure(self, sequences: Sequence[Tokens], inputs: MetricInputs) -> Score:
        if len(sequences) < 2:
            return Score(float("nan"))
        chosen = choose(sequences, inputs.options.self_bleu_samples, inputs.seed)
        assert self.n is not None, "only what was read from a file has no n"
        found = self_bleu(chosen, self.n)
        return Score(
            found.sentence,
            signature=found.signature(),
            details={"self_bleu_samples": found.hypotheses},
            counts={f"sequences in {self.row_title}": found.hypotheses},
        )

    @classmethod
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add ``--self-bleu-order`` and ``--self-bleu-samples``."""
        parser.add_argument(
            "--self-bleu-order",
            type=int,
            default=4,
            metavar="N",
            help="longest n-grams of self-BLEU; default %(default)s",
        )
        parser.add_argument(
            "--self-bleu-samples",
            type=int,
            default=1000,
            metavar="N",
            help="size of the subset of the samples, and of the held-out split, whose self-BLEU "
            "is measured; default %(default)s",
        )

    @classmethod
    def check(cls, options: argparse.Namespace) -> None:
        """Check ``--self-bleu-order`` and ``--self-bleu-samples``."""
        option_values.positive(self_bleu_order=options.self_bleu_order)
        option_values.at_most(_LONGEST, self_bleu_order=options.self_bleu_order)
        most = options.self_bleu_samples
        if most < 2:
            raise InputError(f"--self-bleu-samples is {most}: at least 2 are needed")

    @classmethod
    def select(cls, options: argparse.Namespace) -> list[Self]:
        """Return the metric of ``--self-bleu-order``."""
        return [cls(options.self_bleu_order)]


def _orders(options: argparse.Namespace) -> list[int]:
    """Return the orders that ``--bleu`` names, rising; the usual ones where it names none."""
    return sorted(set(options.bleu)) or list(ORDERS)


def _known(sequences: Sequence[Tokens], inputs: MetricInputs) -> list[list[Hashable]]:
    """Return *sequences* with None, which no reference has, in place of unknown words."""
    unknown = inputs.dictionary.unk()
    return [[None if token == unknown else token for token in s] for s in sequences]
