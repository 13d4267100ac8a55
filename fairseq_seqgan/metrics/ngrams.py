"""Counts of the n-grams of many sequences at once, clipped by their counts in a reference set.

Shapes: S sequences, N tokens in all, M occurrences of n-grams, G different n-grams of one order in
the references.

Each n-gram of the references has a number: its index in the sorted table of the n-grams of its
order. The numbers are built up order by order. The key of an n-gram is
(number of its first n - 1 tokens) * (number of different tokens) + (index of its last token).
Example: the references hold the tokens a, b, c with indices 0, 1, 2, and "a b" is bigram number 4.
The key of "a b c" is then 4 * 3 + 2 = 14, and its number is the index of 14 among the sorted keys
of all trigrams. Different n-grams have different keys; nothing is hashed. An n-gram that the
references do not hold has no number, and no longer n-gram that begins with it is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

_CHUNK_TOKENS = 2**20  # tokens that are matched at a time: the arrays stay small whatever S is


class RaggedTokens(NamedTuple):
    """Sequences of token ids, one after the other."""

    tokens: np.ndarray  # (N,) int64
    lengths: np.ndarray  # (S,) int64, adding up to N

    @classmethod
    def from_padded(cls, tokens: np.ndarray, mask: np.ndarray) -> RaggedTokens:
        """Return the rows of *tokens* (S, T) without the places where *mask* (S, T) is False."""
        return cls(tokens[mask].astype(np.int64), mask.sum(axis=1, dtype=np.int64))

    def chunks(self) -> Iterator[RaggedTokens]:
        """Yield runs of whole sequences of about ``_CHUNK_TOKENS`` tokens."""
        ends = np.cumsum(self.lengths)
        first = done = 0
        while first < len(self.lengths):
            last = max(first + 1, int(np.searchsorted(ends, done + _CHUNK_TOKENS, side="right")))
            yield RaggedTokens(self.tokens[done : ends[last - 1]], self.lengths[first:last])
            first, done = last, int(ends[last - 1])


class Matches(NamedTuple):
    """What BLEU needs to know about each of S sequences."""

    correct: np.ndarray  # (S, n) int64: n-grams of order 1 ... n found, clipped
    total: np.ndarray  # (S, n) int64: n-grams of order 1 ... n there are
    lengths: np.ndarray  # (S,) int64: tokens
    closest: np.ndarray  # (S,) int64: the reference length closest to it, the shorter of two


class _Order(NamedTuple):
    """The references' n-grams of one order."""

    keys: np.ndarray  # (G,) int64, rising
    most: np.ndarray  # (G,): the most often one reference has it
    holder: np.ndarray  # (G,): a reference that has it so often
    second: np.ndarray  # (G,): the most often any reference but the holder has it


class NgramOccurrences(NamedTuple):
    """The n-grams of one order, one entry for every time that one occurs."""

    start: np.ndarray  # (M,) int64: position of its first token among all N
    sequence: np.ndarray  # (M,) int64: which of the S sequences
    number: np.ndarray  # (M,) int64: of the n-gram


class ReferenceNgrams:
    """The n-grams of order 1 ... *n* of a set of references, and the references' lengths.

    BLEU clips the count of an n-gram at the largest count in any one reference. That count is kept
    for every n-gram, with the reference that has it and the largest count in any other reference:
    the latter serves where one reference is left out, as in self-BLEU.
    """

    def __init__(self, references: RaggedTokens, n: int) -> None:
        self.n = n
        self._references = references
        self._words = np.unique(references.tokens)
        self._lengths, self._of_length = np.unique(references.lengths, return_counts=True)
        self._orders: list[_Order] = []
        places, codes = token_starts(references), self._codes(references.tokens)
        ends = np.cumsum(references.lengths)
        for order in range(1, n + 1):
            places, keys = self._grow(places, codes, ends, order)
            known, number = np.unique(keys, return_inverse=True)
            places = places._replace(number=number.reshape(-1))
            self._orders.append(_Order(known, *_two_best(places, len(known))))

    def match(self, hypotheses: RaggedTokens) -> Matches:
        """Count the n-grams of *hypotheses* that all references hold."""
        parts = [self._match(chunk) for chunk in hypotheses.chunks()]
        return _join(parts, self.n, self._closest(hypotheses.lengths))

    def match_each_other(self) -> Matches:
        """Count every reference's n-grams that the others hold; a second copy of it is another."""
        parts, first = [], 0
        for chunk in self._references.chunks():
            parts.append(self._match(chunk, first))
            first += len(chunk.lengths)
        return _join(parts, self.n, self._closest(self._references.lengths, leave_out=True))

    def _match(self, sequences: RaggedTokens, leave_out: int | None = None) -> Matches:
        """Match one chunk; with *leave_out*, sequence s without reference *leave_out* + s."""
        size = len(sequences.lengths)
        correct = np.zeros((size, self.n), dtype=np.int64)
        places, codes = token_starts(sequences), self._codes(sequences.tokens)
        ends = np.cumsum(sequences.lengths)
        for order, known in enumerate(self._orders, start=1):
            places, keys = self._grow(places, codes, ends, order)
            if len(keys) == 0 or len(known.keys) == 0:
                break
            number = np.minimum(np.searchsorted(known.keys, keys), len(known.keys) - 1)
            found = np.flatnonzero(known.keys[number] == keys)
            places = NgramOccurrences(places.start[found], places.sequence[found], number[found])
            limit = known.most[places.number]
            if leave_out is not None:
                own = known.holder[places.number] == places.sequence + leave_out
                limit = np.where(own, known.second[places.number], limit)
            correct[:, order - 1] = _clipped(places, limit, len(known.keys), size)
        total = sequences.lengths[:, None] - np.arange(self.n)
        return Matches(correct, np.maximum(total, 0), sequences.lengths, sequences.lengths)

    def _codes(self, tokens: np.ndarray) -> np.ndarray:
        """Return *tokens* (N,) as places among the references' words, -1 for any other."""
        if len(self._words) == 0:
            return np.full(len(tokens), -1)
        code = np.minimum(np.searchsorted(self._words, tokens), len(self._words) - 1)
        return np.where(self._words[code] == tokens, code, -1)

    def _grow(
        self, places: NgramOccurrences, codes: np.ndarray, ends: np.ndarray, order: int
    ) -> tuple[NgramOccurrences, np.ndarray]:
        """Append its next token to every n-gram of *order* - 1; return the results and their keys.

        Dropped are n-grams that end with their sequence, and those whose next token no reference
        has.
        """
        last = places.start + order - 1
        extended = np.flatnonzero(last < ends[places.sequence])
        code = codes[last[extended]]
        extended, code = extended[code >= 0], code[code >= 0]
        places = NgramOccurrences(*(field[extended] for field in places))
        return places, places.number * len(self._words) + code

    def _closest(self, lengths: np.ndarray, leave_out: bool = False) -> np.ndarray:
        """Return for each of *lengths* (S,) the closest reference length, the shorter of two.

        With *leave_out*, each is the length of a reference, and that reference does not count.
        """
        known = self._lengths
        right = np.searchsorted(known, lengths)  # the first that is not shorter
        left = right - 1
        if leave_out:  # its own length counts only if another reference has it too
            right = right + (self._of_length[right] == 1)
        below = np.where(left >= 0, lengths - known[left], np.iinfo(np.int64).max)
        inside = np.minimum(right, len(known) - 1)
        above = np.where(right < len(known), known[inside] - lengths, np.iinfo(np.int64).max)
        return np.where(below <= above, known[left], known[inside])


def token_starts(sequences: RaggedTokens) -> NgramOccurrences:
    """Return an n-gram of no tokens at every token: the ones from which longer ones are built."""
    size = len(sequences.tokens)
    sequence = np.repeat(np.arange(len(sequences.lengths)), sequences.lengths)
    return NgramOccurrences(np.arange(size), sequence, np.zeros(size, dtype=np.int64))


def _two_best(places: NgramOccurrences, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the largest count of each of *size* n-grams, its sequence, and the second largest."""
    sequences = int(places.sequence.max(initial=0)) + 1
    pairs, count = np.unique(places.number * sequences + places.sequence, return_counts=True)
    number, sequence = pairs // sequences, pairs % sequences
    order = np.lexsort((-count, number))
    number, sequence, count = number[order], sequence[order], count[order]
    first = np.flatnonzero(np.diff(number, prepend=-1))
    following = np.minimum(first + 1, max(0, len(number) - 1))
    shared = number[following] == number[first]
    shared &= following > first
    second = np.where(shared, count[following], 0)
    return count[first], sequence[first], second


def _clipped(places: NgramOccurrences, limit: np.ndarray, numbers: int, size: int) -> np.ndarray:
    """Return how many n-grams each of *size* sequences has, each counted up to its *limit* (M,).

    An n-gram that occurs c times counts min(c, limit) times: those are the occurrences that have
    fewer than *limit* before them.
    """
    key = places.sequence * numbers + places.number
    order = np.argsort(key, kind="stable")
    key = key[order]
    position = np.arange(len(key))
    begins = np.ones(len(key), dtype=bool)
    begins[1:] = key[1:] != key[:-1]
    before = position - np.maximum.accumulate(np.where(begins, position, 0))
    counted = order[before < limit[order]]
    return np.bincount(places.sequence[counted], minlength=size)


def _join(parts: list[Matches], n: int, closest: np.ndarray) -> Matches:
    """Put chunks together, with the reference lengths of all."""
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        return Matches(np.zeros((0, n), np.int64), np.zeros((0, n), np.int64), none, none)
    joined = (np.concatenate(field) for field in zip(*parts, strict=True))
    return Matches(*joined)._replace(closest=closest)
