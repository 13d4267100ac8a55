"""preprocess/common: dividing, writing and describing a data set."""

import hashlib
import json

import pytest
from fairseq_seqgan.preprocess.common import dataset, libraries, split
from fairseq_seqgan.preprocess.common.dataset import write_dataset
from fairseq_seqgan.preprocess.common.report import Dropped, compare, print_comparison
from helpers.raw_data import FILES, SPLITS, binarized, read

from fairseq_seqgan.support.errors import InputError

NAMES = [f"item {i}" for i in range(200)]


def sequences(train=64, valid=2, test=3):
    """Return splits whose sequences are 1 to 3 words."""
    sizes = {"train": train, "valid": valid, "test": test}
    return {
        s: [["山", "b", "a"][: 1 + i % 3] + ["ä"] * (s == "test") for i in range(n)]
        for s, n in sizes.items()
    }


# --- dividing


def test_every_item_is_in_one_split_in_its_order():
    divided = split.divide(NAMES, 0.05, 0.1, seed=1)
    assert {s: len(divided[s]) for s in SPLITS} == {"train": 170, "valid": 10, "test": 20}
    assert sorted(i for s in SPLITS for i in divided[s]) == list(range(200))
    assert all(divided[s] == sorted(divided[s]) for s in SPLITS)


def test_split_depends_on_the_seed_and_the_names_only():
    first = split.divide(NAMES, 0.05, 0.1, seed=1)
    assert split.divide(NAMES, 0.05, 0.1, seed=2) != first
    turned = split.divide(NAMES[::-1], 0.05, 0.1, seed=1)
    for s in SPLITS:
        assert {NAMES[i] for i in first[s]} == {NAMES[::-1][i] for i in turned[s]}
    # These numbers must never change: somebody's test set would become training data.
    assert first["valid"] == EXPECTED_VALID


EXPECTED_VALID = [22, 25, 39, 71, 110, 123, 138, 161, 165, 168]


def test_groups_stay_together():
    groups = [f"speech {i // 7}" for i in range(300)]
    divided = split.divide(groups, 0.2, 0.3, seed=3)
    parts = [{groups[i] for i in divided[s]} for s in SPLITS]
    assert sum(map(len, parts)) == len(set(groups)) == 43
    assert [len(part) for part in parts] == [21, 9, 13]


def test_smallest_division():
    assert sorted(map(len, split.divide(["a", "b", "c"], 0.01, 0.01, 1).values())) == [1, 1, 1]
    with pytest.raises(InputError, match="2 different items cannot be divided"):
        split.divide(["a", "b", "a"], 0.1, 0.1, 1)


@pytest.mark.parametrize("shares", [(0, 0.1), (0.1, 0), (1, 0.1), (-1, 0.5), (float("nan"), 0.1)])
def test_shares_that_make_no_sense(shares):
    with pytest.raises(InputError, match="must be between 0 and 1"):
        split.divide(NAMES, *shares, seed=1)


def test_shares_that_leave_nothing():
    with pytest.raises(InputError, match="leave nothing to train on"):
        split.divide(NAMES, 0.5, 0.5, seed=1)


# --- writing


def test_writes_texts_dictionary_binarized_data_and_statistics(tmp_path):
    splits = sequences()
    numbers, words = write_dataset(tmp_path, splits, None, {"source": "春.txt"})
    assert {path.name for path in tmp_path.iterdir()} == FILES
    assert (tmp_path / "dict.txt").read_text(encoding="utf-8") == "山 64\nb 42\na 21\n"
    for s in SPLITS:
        assert read(tmp_path, s) == splits[s]
        known = [[w if w in "山ba" else "<unk>" for w in row] for row in splits[s]]
        assert binarized(tmp_path, s) == known
    assert words == 3
    assert numbers["test"] == {
        "sequences": 3,
        "tokens": 9,
        "shortest": 2,
        "longest": 4,
        "unknown_tokens": 3,
        "sequences_with_unknown_tokens": 3,
    }
    summary = json.loads((tmp_path / "stats.json").read_text(encoding="utf-8"))
    checksums = summary.pop("files")
    assert summary == {"source": "春.txt", "dictionary_words": 3, "splits": numbers}
    assert checksums == {
        name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        for name in FILES - {"stats.json"}
    }


@pytest.fixture
def no_fairseq(monkeypatch):
    monkeypatch.setattr(dataset, "binarize", lambda *_: None)


def test_given_dictionary_keeps_its_order_and_words_that_never_occur(tmp_path, no_fairseq):
    write_dataset(tmp_path, sequences(), ["z", "a", "b"], {})
    assert (tmp_path / "dict.txt").read_text() == "z 0\na 21\nb 42\n"


def test_fewer_sequences_than_a_batch(tmp_path, no_fairseq):
    write_dataset(tmp_path, sequences(train=64), None, {})
    with pytest.raises(InputError, match="only 63 training sequences are left; at least 64"):
        write_dataset(tmp_path, sequences(train=63), None, {})
    for s in ("valid", "test"):
        with pytest.raises(InputError, match=f"no sequence is left for {s}"):
            write_dataset(tmp_path, sequences(**{s: 0}), None, {})


@pytest.mark.parametrize("token", ["", "a b", "a\u3000b", "a\n", "\x85"])
def test_tokens_that_fairseq_would_read_otherwise(token, tmp_path, no_fairseq):
    splits = sequences() | {"valid": [["a", token]]}
    with pytest.raises(InputError, match=r"valid\.txt: a token is empty or holds white space"):
        write_dataset(tmp_path, splits, None, {})


@pytest.mark.parametrize("token", ["<s>", "<pad>", "</s>", "<unk>"])
def test_fairseqs_own_symbols_are_no_words(token, tmp_path, no_fairseq):
    splits = sequences() | {"test": [["a", token]]}
    with pytest.raises(InputError, match=rf"test\.txt: .*special symbol {token}"):
        write_dataset(tmp_path, splits, None, {})


# --- reporting


def test_reasons_are_counted_and_the_first_place_is_kept():
    dropped = Dropped()
    for reason, where in (("dull", "line 3"), ("long", "line 5"), ("dull", "line 9")):
        dropped.add(reason, where)
    assert dropped.total == 3
    assert dropped.summary() == {
        "dull": {"count": 2, "first": "line 3"},
        "long": {"count": 1, "first": "line 5"},
    }
    assert dropped.lines()[0] == "dropped: 2 dull (first: line 3)"


def test_differences_from_what_is_expected_are_marked(capsys):
    print_comparison(compare({"lines": 1000, "words": 7, "other": 5}, {"lines": 1000, "words": 8}))
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["lines", "1,000", "1,000"] in rows
    assert ["words", "7", "8", "differs"] in rows
    assert ["other", "5"] in rows


def test_missing_library_is_one_line_that_says_what_to_install():
    message = r"module 'no_such_library' is missing.*\[data\]"
    with pytest.raises(InputError, match=message), libraries():
        import no_such_library  # noqa: F401
