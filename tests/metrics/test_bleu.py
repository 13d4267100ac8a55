"""BLEU against sacrebleu: the same numbers, a thousand times as fast."""

import random
import time

import numpy as np
import pytest
from sacrebleu.metrics import BLEU

from fairseq_seqgan.metrics import ngrams
from fairseq_seqgan.metrics.bleu import SMOOTHING, Bleu, References, bleu, self_bleu
from fairseq_seqgan.metrics.ngrams import RaggedTokens
from fairseq_seqgan.support.errors import InputError


def words(*lines):
    return [line.split() for line in lines]


def slow(hypotheses, references, order, smoothing):
    """The definition: sacrebleu is handed all references for every sentence.

    Returns corpus BLEU and the sentences' BLEU, in 0 ... 1. Words are joined by spaces, and
    sacrebleu told that there is nothing to tokenize.
    """
    metric = BLEU(tokenize="none", smooth_method=smoothing, max_ngram_order=order, force=True)
    hypotheses, references = (
        [" ".join(map(str, s)) for s in part] for part in (hypotheses, references)
    )

    def score(part):
        return metric.corpus_score(part, [[r] * len(part) for r in references]).score / 100

    return score(hypotheses), [score([hypothesis]) for hypothesis in hypotheses]


# hypothesis, references
CASES = [
    pytest.param("a b c d e", ["a b c d e"], id="identical"),
    pytest.param("", ["a b c"], id="empty"),
    pytest.param("a b", ["a b c d", "x"], id="shorter than n"),
    pytest.param("p q r s t", ["a b c d e"], id="no overlap"),
    pytest.param("a", ["a"], id="one word"),
    pytest.param("a b c d e f", ["a b c x", "d e f", "c d"], id="several references"),
    pytest.param("a a a a a a", ["a a b", "b a a a"], id="clipped by the best reference"),
    pytest.param("a b a b a b", ["a b", "a b a b"], id="clipped bigrams"),
    pytest.param("a b c d", ["a b c", "a b c d e"], id="tie: the shorter reference counts"),
    pytest.param("a b c d", ["a b c d e", "a b c"], id="tie, in the other order"),
    pytest.param("a b c d", ["a b", "a b c d e f g h"], id="closest is shorter"),
    pytest.param("a b c d", ["a", "a b c d e f"], id="closest is longer"),
    pytest.param("a b c d", ["", "a b c d e f g h i"], id="an empty reference"),
    pytest.param("a b c d", [""], id="nothing but an empty reference"),
    pytest.param("b c", ["a b", "c d"], id="not across references"),
    pytest.param("a x b", ["a b"], id="bigram over an unknown word"),
]


class TestAgainstSacrebleu:
    @pytest.mark.parametrize("smoothing", SMOOTHING)
    @pytest.mark.parametrize("order", [1, 2, 4])
    @pytest.mark.parametrize(("hypothesis", "references"), CASES)
    def test_table(self, hypothesis, references, order, smoothing):
        hypotheses, references = words(hypothesis), words(*references)
        corpus, [sentence] = slow(hypotheses, references, order, smoothing)
        got = bleu(hypotheses, references, order, smoothing)
        assert got.corpus == got.sentence
        assert got.corpus == pytest.approx(corpus, abs=1e-15)
        assert got.sentence == pytest.approx(sentence, abs=1e-15)

    def test_known_values(self):
        """What the table must not get wrong in the same way as sacrebleu does."""
        same = words("a b c d e", "f g h i")
        for smoothing in SMOOTHING:
            assert bleu(same, same, 4, smoothing)[:2] == (1.0, 1.0)
            assert bleu(words("p q r s"), same, 4, smoothing)[:2] == (0.0, 0.0)
            assert bleu(words(""), same, 4, smoothing)[:2] == (0.0, 0.0)
        assert bleu(words("a b c"), same, 4, "exp").sentence == 0.0
        # 3 of 4 words, 1 of 3 pairs.
        got = bleu(words("a b x d"), same, 2, "none")
        assert got.sentence == pytest.approx((3 / 4 * 1 / 3) ** 0.5)

    @pytest.mark.parametrize("smoothing", SMOOTHING)
    @pytest.mark.parametrize("chunk", [1, 7, 2**20])
    def test_whole_reference_set_equals_the_slow_definition(self, smoothing, chunk, monkeypatch):
        """Random sentences with many repeats, of all lengths, in chunks of any size."""
        monkeypatch.setattr(ngrams, "_CHUNK_TOKENS", chunk)
        rng = random.Random(1)
        for order in (1, 3, 4):
            hypotheses, references = (
                [rng.choices(letters, k=rng.randrange(12)) for _ in range(size)]
                for size, letters in ((100, "aaabbcdx"), (30, "aaabbcd"))
            )
            corpus, sentences = slow(hypotheses, references, order, smoothing)
            got = bleu(hypotheses, references, order, smoothing)
            assert got.corpus == pytest.approx(corpus, abs=1e-15)
            assert got.sentence == pytest.approx(np.mean(sentences), abs=1e-15)
            scores = References(references, order, smoothing).sentence_scores(hypotheses)
            assert scores == pytest.approx(sentences, abs=1e-15)
            assert len(set(sentences)) > 10


class TestSelfBleu:
    @pytest.mark.parametrize("chunk", [1, 9, 2**20])
    def test_equals_the_slow_definition(self, chunk, monkeypatch):
        """Every sentence against the list without its own place: duplicates stay references."""
        monkeypatch.setattr(ngrams, "_CHUNK_TOKENS", chunk)
        rng = random.Random(2)
        for order, smoothing in ((2, "none"), (3, "exp"), (4, "floor")):
            sentences = [rng.choices("abcdef", k=rng.randrange(9)) for _ in range(30)]
            sentences += [sentences[3], sentences[4], sentences[4], ["z"] * 20]
            left_out = [
                slow([s], sentences[:i] + sentences[i + 1 :], order, smoothing)[1][0]
                for i, s in enumerate(sentences)
            ]
            got = self_bleu(sentences, order, smoothing)
            assert got.sentence == pytest.approx(np.mean(left_out), abs=1e-15)
            assert (got.hypotheses, got.references) == (34, 33)

    def test_leaves_the_sentence_itself_out(self):
        different = words("a b c d e", "f g h i j", "k l m n o")
        assert self_bleu(different)[:2] == (0.0, 0.0)
        assert bleu(different, different)[:2] == (1.0, 1.0)

    def test_leaves_exactly_one_copy_out(self):
        """A duplicate elsewhere is a reference like any other."""
        got = self_bleu(words("a b c d e", "a b c d e", "f g h i j"))
        assert got.sentence == pytest.approx(2 / 3)
        assert self_bleu(words(*["a b c d e"] * 5))[:2] == (1.0, 1.0)

    def test_second_best_count(self):
        """Without the sentence with three of them, two are the most that any other has."""
        got = self_bleu(words("a a a", "a a b", "c c a"), order=1, smoothing="none")
        assert got.sentence == pytest.approx((2 / 3 + 2 / 3 + 1 / 3) / 3)

    @pytest.mark.parametrize(
        ("lengths", "brevity"),
        [
            ([3, 3, 9], 1.0),  # another one as long
            ([3, 9], np.exp(1 - 9 / 3)),  # its own length does not count
            ([3, 1, 5], 1.0),  # a tie: the shorter one
            ([3, 4], np.exp(1 - 4 / 3)),
        ],
    )
    def test_closest_length_is_that_of_another(self, lengths, brevity):
        sentences = [["a"] * length for length in lengths]
        metric = References(sentences, order=1, smoothing="none")
        found = metric._ngrams.match_each_other()
        correct = min(3, max(lengths[1:])) / 3
        assert metric._sentence_scores(found)[0] == pytest.approx(correct * brevity)

    @pytest.mark.parametrize("sentences", [[], words("a b c")])
    def test_too_few(self, sentences):
        with pytest.raises(InputError, match="needs"):
            self_bleu(sentences)


class TestResult:
    def test_carries_how_it_was_made(self):
        got = bleu(words("a b"), words("a b", "c"), order=2, smoothing="floor", tokenization="13a")
        assert got == Bleu(1.0, 1.0, 1, 2, 2, "floor", "13a")
        assert got.signature() == "BLEU-2|hyps:1|refs:2|eff:no|tok:13a|smooth:floor|scale:0-1"

    def test_ids_words_and_padded_rows_are_one(self):
        rng = np.random.default_rng(3)
        hypotheses, references = (rng.integers(4, 9, (size, 7)) for size in (30, 20))
        masks = [np.arange(7) < rng.integers(0, 8, (size, 1)) for size in (30, 20)]
        lists = [
            [tuple(row[kept].tolist()) for row, kept in zip(rows, mask, strict=True)]
            for rows, mask in zip((hypotheses, references), masks, strict=True)
        ]
        named = [[tuple(f"word{i}" for i in row) for row in rows] for rows in lists]
        flat = [
            RaggedTokens.from_padded(*pair)
            for pair in zip((hypotheses, references), masks, strict=True)
        ]
        assert bleu(*lists, 3) == bleu(*named, 3) == bleu(*flat, 3)
        assert 0 < bleu(*lists, 3).sentence < 1

    def test_references_serve_again_and_again(self):
        references = References(words("a b c d"), order=2)
        first = references.score(words("a b", "x"))
        references.score(words("a b c d e f", "x x x"))
        assert references.score(words("a b", "x")) == first

    def test_no_sentences_to_score(self):
        references = References(words("a b c d"))
        assert references.sentence_scores([]).shape == (0,)
        with pytest.raises(InputError, match="needs sentences"):
            references.score([])

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"references": []}, "BLEU needs references"),
            ({"order": 0}, "BLEU-0"),
            ({"smoothing": "strong"}, "'strong': choose one of none, floor, add-k, exp"),
        ],
    )
    def test_bad_input(self, options, message):
        with pytest.raises(InputError, match=message):
            References(**{"references": words("a b"), **options})

    def test_words_are_not_ids(self):
        with pytest.raises(TypeError, match="both be RaggedTokens"):
            References(words("a b")).score(RaggedTokens(np.array([1]), np.array([1])))


def test_speed():
    """10,000 sentences of 20 words against as many, n = 4: seconds, not hours."""
    rng = random.Random(4)
    draw = lambda: [rng.choices(range(5000), k=20) for _ in range(10_000)]  # noqa: E731
    hypotheses, references = draw(), draw()
    start = time.process_time()
    assert 0 < bleu(hypotheses, references).sentence < 1
    assert 0 < self_bleu(hypotheses).sentence < 1
    assert time.process_time() - start < 10.0
