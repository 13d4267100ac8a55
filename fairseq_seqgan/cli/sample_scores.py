"""What ``fairseq-seqgan evaluate`` measures of the samples: variety, BLEU, pitch errors."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from fairseq.data import Dictionary

from ..metrics import diversity, pitch
from ..metrics.bleu import Bleu, References, self_bleu
from ..metrics.diversity import Tokens
from ..show.notes import piano_keys
from .inputs import Corpus

Keys = list[list[int]]  # of tunes: 1 to 88, 0 for silence


def measure_variety(
    sequences: Sequence[Tokens], training: Sequence[Tokens], ngram: int
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


def measure_self_bleu(sequences: Sequence[Tokens], order: int, most: int, seed: int) -> Bleu | None:
    """Return the self-BLEU of *most* of *sequences*, chosen with the seed; None of a single one."""
    if len(sequences) < 2:
        return None
    return self_bleu(choose(sequences, most, seed), order)


def choose(sequences: Sequence[Tokens], most: int, seed: int) -> list[Tokens]:
    """Return *most* of *sequences*, chosen with the seed, in their order; all if there are less."""
    chosen = np.random.default_rng(seed).permutation(len(sequences))[:most]
    return [sequences[i] for i in sorted(chosen)]


def measure_bleu(
    samples: Sequence[Tokens], heldout: Sequence[Tokens], orders: list[int], unknown: int
) -> tuple[dict[str, Bleu], np.ndarray]:
    """Return BLEU of *orders* against all held-out sequences, backward BLEU, and each sample's.

    Backward BLEU has the held-out sequences as hypotheses and the samples as references. The token
    *unknown* matches nothing, not even itself: two unknown words are hardly ever the same word.

    Returns:
        What was found under the beginning of its keys in the JSON, and the BLEU of every sample,
        (S,) float64, of the last order.
    """
    known_samples = [_known(sample, unknown) for sample in samples]
    known_heldout = [_known(sequence, unknown) for sequence in heldout]
    against = {order: References(heldout, order) for order in orders}
    found = {f"bleu{order}": against[order].score(known_samples) for order in orders}
    for order in orders:
        found[f"backward_bleu{order}"] = References(samples, order).score(known_heldout)
    return found, against[orders[-1]].sentence_scores(known_samples)


def _known(sequence: Tokens, unknown: int) -> list[Hashable]:
    return [None if token == unknown else token for token in sequence]


def measure_pitch(samples: Keys, heldout: Keys) -> dict[str, float | int]:
    """Return the pitch errors of *samples* under the keys of the JSON, in squared keys.

    The mean over the samples that can be compared, NaN if none can; the number of the others.
    """
    found: dict[str, float | int] = {}
    for key, measure in (("mse_nearest", pitch.nearest), ("mse_mean", pitch.to_mean)):
        errors = measure(samples, heldout)
        compared = errors[~np.isnan(errors)]
        found[key] = float(compared.mean()) if len(compared) else float("nan")
    return found | {"mse_left_out": len(errors) - len(compared)}


def read_keys(corpus: Corpus) -> tuple[Keys, Keys]:
    """Return the keys of the samples and of the held-out sequences.

    Raises:
        InputError: a token is no pitch; the message names it and its place.
    """
    words, split = corpus.dictionary, corpus.split
    samples = [_keys(ids, words, corpus.where(line)) for ids, line in corpus.samples]
    heldout = [
        _keys(ids, words, f"split '{split}', sequence {number}")
        for number, ids in enumerate(corpus.heldout, start=1)
    ]
    return samples, heldout


def _keys(ids: tuple[int, ...], dictionary: Dictionary, where: str) -> list[int]:
    return piano_keys([dictionary[index] for index in ids], where)


def pitches(dictionary: Dictionary, never: set[int], where: str) -> np.ndarray:
    """Return every symbol's key (V,) float64: 0 for silence, NaN for those *never* drawn.

    Raises:
        InputError: any other word is no pitch; the message names it and *where*.
    """
    found = np.full(len(dictionary), np.nan)
    for index in set(range(len(dictionary))) - never:
        found[index] = piano_keys([dictionary[index]], where)[0]
    return found
