"""Sentences to tokens: words, characters, or pieces that sentencepiece learns."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from fairseq_seqgan.preprocess.common.dataset import by_frequency

from fairseq_seqgan.support import option_values
from fairseq_seqgan.support.errors import InputError

SPACE = "▁"  # the token for a space, sentencepiece's own


class Tokenizer(Protocol):
    """What all tokenizers have in common."""

    words: list[str]  # the dictionary, in its order

    def encode(self, text: str) -> list[str]:
        """Return the tokens of *text*."""


class WordTokenizer:
    """English words, numbers and punctuation, as Moses separates them (``don't``: don 't).

    Args:
        train: the texts whose words become the dictionary.
        vocab_size: the most words in it, the most frequent ones; None: all.
    """

    def __init__(self, train: Sequence[str], vocab_size: int | None) -> None:
        from sacremoses import MosesTokenizer  # late: no other tokenizer needs it

        self._moses = MosesTokenizer(lang="en")
        # Each text of train is needed twice: for the dictionary and for the data.
        self._known = {text: self._tokenize(text) for text in train}
        counts = Counter(token for tokens in self._known.values() for token in tokens)
        self.words = by_frequency(counts)[:vocab_size]

    def encode(self, text: str) -> list[str]:
        """Return the words of *text*, also those that are not in the dictionary."""
        tokens = self._known.get(text)
        return self._tokenize(text) if tokens is None else tokens

    def _tokenize(self, text: str) -> list[str]:
        return self._moses.tokenize(text, escape=False)


class SplitTokenizer:
    """What stands between white space: the words of a text that is tokenized already.

    Args:
        train: the texts whose words become the dictionary.
        vocab_size: the most words in it, the most frequent ones; None: all.
    """

    def __init__(self, train: Sequence[str], vocab_size: int | None) -> None:
        counts = Counter(token for text in train for token in self.encode(text))
        self.words = by_frequency(counts)[:vocab_size]

    def encode(self, text: str) -> list[str]:
        """Return the words of *text*, also those that are not in the dictionary."""
        return text.split()


class CharacterTokenizer(SplitTokenizer):
    """Characters; a space is the token ▁, as in the pieces of sentencepiece."""

    def encode(self, text: str) -> list[str]:
        """Return the characters of *text*, also those that are not in the dictionary."""
        return list(SPACE.join(text.split()))


class PieceTokenizer:
    """Pieces of words, from a unigram model that sentencepiece trains.

    Args:
        train: the texts that the model is trained on.
        vocab_size: its pieces, including its own three symbols <unk>, <s> and </s>.
        seed: of sentencepiece's random numbers.
        exact: if the texts do not give that many pieces, it is an error; else there are fewer.

    Raises:
        InputError: *vocab_size* does not fit the texts, or *seed* is too large.
    """

    def __init__(
        self, train: Sequence[str], vocab_size: int, seed: int, exact: bool = True
    ) -> None:
        import sentencepiece  # late: no other tokenizer needs it

        option_values.at_most(option_values.MOST_SEED, seed=seed)
        model = io.BytesIO()
        sentencepiece.set_random_generator_seed(seed)
        try:
            # Texts and model go through memory, so that the model names no file of this machine;
            # one thread, because the sums depend on how the texts are shared out.
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(train),
                model_writer=model,
                vocab_size=vocab_size,
                hard_vocab_limit=exact,
                model_type="unigram",
                character_coverage=1.0,
                max_sentence_length=10**6,
                num_threads=1,
                minloglevel=2,
            )
        except (RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split()).rpartition("] ")[2]
            raise InputError(f"--vocab-size {vocab_size}: sentencepiece says: {reason}") from error
        self.model = model.getvalue()
        self._pieces = sentencepiece.SentencePieceProcessor(model_proto=self.model)
        ids = range(self._pieces.get_piece_size())
        ordinary = [
            i for i in ids if not (self._pieces.is_control(i) or self._pieces.is_unknown(i))
        ]
        self.words = [self._pieces.id_to_piece(i) for i in ordinary]

    def encode(self, text: str) -> list[str]:
        """Return the pieces of *text*; an unknown character is a piece of its own."""
        return self._pieces.encode(text, out_type=str)
