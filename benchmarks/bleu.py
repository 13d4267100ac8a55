"""How long BLEU against a whole reference set takes; run alone it prints the figures.

The definition as it is written hands sacrebleu all references for every sentence; that is timed on
a few sentences (:func:`plain_seconds_per_sentence`), because all of them would take hours.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from sacrebleu.metrics import BLEU

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fairseq_seqgan.metrics.bleu import References, bleu, self_bleu
from fairseq_seqgan.metrics.ngrams import RaggedTokens

SENTENCES, LENGTH, WORDS = 10_000, 20, 5000
COMPLETIONS = 64 * 16 * (LENGTH - 1)  # of a G step at the paper's sizes


def draw(num: int, seed: int) -> np.ndarray:
    """Return ids (num, LENGTH) whose frequencies fall as those of words do (Zipf)."""
    weights = 1 / np.arange(1, WORDS + 1)
    rng = np.random.default_rng(seed)
    return rng.choice(WORDS, size=(num, LENGTH), p=weights / weights.sum())


def bleu_seconds() -> float:
    """Corpus and mean sentence BLEU-4 of 10,000 sentences against 10,000 references."""
    hypotheses, references = (draw(SENTENCES, seed).tolist() for seed in (1, 2))
    begin = time.perf_counter()
    bleu(hypotheses, references)
    return time.perf_counter() - begin


def self_bleu_seconds() -> float:
    """Self-BLEU-4 of 10,000 sentences, each against the 9,999 others."""
    sentences = draw(SENTENCES, 1).tolist()
    begin = time.perf_counter()
    self_bleu(sentences)
    return time.perf_counter() - begin


def reward_seconds() -> float:
    """Sentence BLEU-3 of the completions of a G step against 4,000 references (PG-BLEU)."""
    completed, known = (draw(num, seed) for num, seed in ((COMPLETIONS, 1), (4000, 2)))
    references = References(RaggedTokens.from_padded(known, known >= 0), order=3)
    begin = time.perf_counter()
    references.sentence_scores(RaggedTokens.from_padded(completed, completed >= 0))
    return time.perf_counter() - begin


def plain_seconds_per_sentence(sentences: int = 2) -> float:
    """The definition: sacrebleu is handed all 10,000 references for every sentence."""
    hypotheses, references = (
        [" ".join(map(str, row)) for row in draw(num, seed)]
        for num, seed in ((sentences, 1), (SENTENCES, 2))
    )
    metric = BLEU(tokenize="none", force=True)
    begin = time.perf_counter()
    for hypothesis in hypotheses:
        metric.corpus_score([hypothesis], [[reference] for reference in references])
    return (time.perf_counter() - begin) / sentences


if __name__ == "__main__":
    for measure in (bleu_seconds, self_bleu_seconds, reward_seconds, plain_seconds_per_sentence):
        print(f"{measure():8.3f} s  {measure.__doc__}", flush=True)
