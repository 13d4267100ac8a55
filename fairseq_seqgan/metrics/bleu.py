"""BLEU-n of many sentences against one whole set of references, and self-BLEU.

Conventions: each of S sentences is compared with **all** R references, not with references of its
own. n-grams of order 1 ... n have equal weights. Scores are in 0 ... 1, sacrebleu's divided by 100.
A sentence is any sequence of hashable tokens (ids or words) without padding and without an end
symbol; an empty sentence counts as a sentence, and its BLEU is 0.

The BLEU formula, its smoothing and its brevity penalty are sacrebleu's
(``sacrebleu.metrics.BLEU.compute_bleu``). Only the counting is done here: sacrebleu would count the
n-grams of all references once more for every sentence, which takes hours where this takes seconds.
A sentence of fewer than n tokens has no n-gram, and by sacrebleu's formula its BLEU is 0, except
with smoothing ``add-k`` (``effective_order`` is off).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from sacrebleu.metrics import BLEU

from ..support.errors import InputError
from .ngrams import Matches, RaggedTokens, ReferenceNgrams

Tokens = Sequence[Hashable]
Sentences = Sequence[Tokens] | RaggedTokens

SMOOTHING = tuple(BLEU.SMOOTH_DEFAULTS)  # none, floor, add-k, exp


class Bleu(NamedTuple):
    """BLEU of a set of sentences, and how it was made."""

    corpus: float  # of all sentences as one text: n-grams are summed up, then divided
    sentence: float  # the mean of the sentences' own BLEU
    hypotheses: int  # how many sentences were scored
    references: int  # against how many references each
    order: int  # n
    smoothing: str  # as sacrebleu calls it
    tokenization: str  # how the text became tokens; "none": it was tokenized already

    def signature(self) -> str:
        """Return in one line how the scores were made, in the manner of sacrebleu."""
        return (
            f"BLEU-{self.order}|hyps:{self.hypotheses}|refs:{self.references}|eff:no|"
            f"tok:{self.tokenization}|smooth:{self.smoothing}|scale:0-1"
        )


class References:
    """A set of references whose n-grams are counted once, for any number of sentences.

    Args:
        references: sequences of tokens, or ids as :class:`RaggedTokens`.
        order: n, the longest n-grams.
        smoothing: what an order without a match counts: sacrebleu's ``none``, ``floor`` (0.1
            matches), ``add-k`` (k = 1) or ``exp`` (1/2 match, 1/4 for the next such order, ...).
        tokenization: what made the tokens; it only appears in the signature.

    Raises:
        InputError: there is no reference, or *order* or *smoothing* cannot be used.
    """

    def __init__(
        self,
        references: Sentences,
        order: int = 4,
        smoothing: str = "exp",
        tokenization: str = "none",
    ) -> None:
        if order < 1:
            raise InputError(f"BLEU-{order} was asked for: at least 1 is needed")
        if smoothing not in SMOOTHING:
            raise InputError(f"BLEU smoothing '{smoothing}': choose one of {', '.join(SMOOTHING)}")
        self.order, self.smoothing, self.tokenization = order, smoothing, tokenization
        self._vocabulary: dict[Hashable, int] = {}
        self._of_ids = isinstance(references, RaggedTokens)
        if isinstance(references, RaggedTokens):
            flat = references
        else:
            flat = self._number(references, grow=True)
        self.size = len(flat.lengths)
        if self.size == 0:
            raise InputError("BLEU needs references; there are none")
        self._ngrams = ReferenceNgrams(flat, order)

    def score(self, hypotheses: Sentences) -> Bleu:
        """Return corpus BLEU and mean sentence BLEU of *hypotheses* against all references.

        Raises:
            InputError: there are no sentences.
        """
        return self._summarize(self._ngrams.match(self._flat(hypotheses)), self.size)

    def sentence_scores(self, hypotheses: Sentences) -> np.ndarray:
        """Return the BLEU of each of S *hypotheses* against all references: (S,) float64."""
        return self._sentence_scores(self._ngrams.match(self._flat(hypotheses)))

    def score_each_other(self) -> Bleu:
        """Return the BLEU of every reference against all **other** references (self-BLEU).

        Exactly one copy is left out: a duplicate of the sentence stays among its references.

        Raises:
            InputError: there are fewer than two.
        """
        if self.size < 2:
            raise InputError(f"self-BLEU needs 2 sentences or more; there is {self.size}")
        return self._summarize(self._ngrams.match_each_other(), self.size - 1)

    def _summarize(self, found: Matches, references: int) -> Bleu:
        if len(found.lengths) == 0:
            raise InputError("BLEU needs sentences to score; there are none")
        return Bleu(
            self._bleu(np.column_stack(found).sum(axis=0)),
            float(self._sentence_scores(found).mean()),
            len(found.lengths),
            references,
            self.order,
            self.smoothing,
            self.tokenization,
        )

    def _sentence_scores(self, found: Matches) -> np.ndarray:
        """Return the BLEU of each sentence (S,); sentences with equal counts are computed once."""
        different, row = np.unique(np.column_stack(found), axis=0, return_inverse=True)
        return np.array([self._bleu(counts) for counts in different])[row.reshape(-1)]

    def _bleu(self, counts: np.ndarray) -> float:
        """Return BLEU from correct (n), total (n), length and reference length, one after another.

        sacrebleu's logarithms may end up one rounding error above 100.
        """
        n = self.order
        *grams, length, closest = counts.tolist()
        score = BLEU.compute_bleu(
            correct=grams[:n],
            total=grams[n:],
            sys_len=length,
            ref_len=closest,
            smooth_method=self.smoothing,
            max_ngram_order=n,
        )
        return min(1.0, score.score / 100)

    def _flat(self, sentences: Sentences) -> RaggedTokens:
        if isinstance(sentences, RaggedTokens) != self._of_ids:
            raise TypeError("sentences and references must both be RaggedTokens, or neither")
        return sentences if isinstance(sentences, RaggedTokens) else self._number(sentences)

    def _number(self, sentences: Sequence[Tokens], grow: bool = False) -> RaggedTokens:
        """Number the tokens; one that no reference has is -1."""
        known = self._vocabulary
        if grow:
            numbers = [known.setdefault(token, len(known)) for s in sentences for token in s]
        else:
            numbers = [known.get(token, -1) for s in sentences for token in s]
        lengths = [len(sentence) for sentence in sentences]
        return RaggedTokens(np.array(numbers, dtype=np.int64), np.array(lengths, dtype=np.int64))


def bleu(
    hypotheses: Sentences,
    references: Sentences,
    order: int = 4,
    smoothing: str = "exp",
    tokenization: str = "none",
) -> Bleu:
    """Return corpus BLEU and mean sentence BLEU of *hypotheses* against all *references*.

    Raises:
        InputError: as :class:`References`, or there are no hypotheses.
    """
    return References(references, order, smoothing, tokenization).score(hypotheses)


def self_bleu(
    sentences: Sentences, order: int = 4, smoothing: str = "exp", tokenization: str = "none"
) -> Bleu:
    """Return the BLEU of every sentence against all others: how alike they are (Zhu et al., 2018).

    1: each sentence's n-grams are all in others. Compare only sets of equal size: the more there
    are, the more each one finds. The usual number is ``sentence``, the mean of the sentences' BLEU.

    Raises:
        InputError: as :class:`References`, or there are fewer than two sentences.
    """
    return References(sentences, order, smoothing, tokenization).score_each_other()
