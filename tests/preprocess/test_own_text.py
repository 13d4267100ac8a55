"""``fairseq-seqgan prepare``: own text, divided or in three files, in four kinds of tokens."""

import json
import os
import random

import pytest
from fairseq_seqgan.preprocess.common import dataset
from helpers.raw_data import FILES, SPLITS, binarized, dropped, read, stats

from fairseq_seqgan import cli
from fairseq_seqgan.show.text import sentences
from fairseq_seqgan.support.binarized_data import PIECES_MODEL
from fairseq_seqgan.support.errors import InputError


def lines(number, seed=1):
    """Return *number* different sentences."""
    generator = random.Random(seed)
    words = "We They You will can go stay home today".split()
    found = {
        " ".join(generator.choices(words, k=generator.randint(3, 7))) + "." for _ in range(999)
    }
    return sorted(found)[:number]


def write(path, content):
    path.write_text("".join(f"{line}\n" for line in content), encoding="utf-8")
    return path


@pytest.fixture
def prepare(tmp_path, monkeypatch):
    """Run the command in this process, without the slow step: binarizing in another process."""
    monkeypatch.setattr(dataset, "binarize", lambda *_: None)

    def run(content, *options, dest="data"):
        train = write(tmp_path / "train.raw", content)
        words = ["prepare", "--train", train, "--dest", tmp_path / dest, *options]
        cli.main([str(word) for word in words])
        return tmp_path / dest

    return run


def everything(folder):
    return [" ".join(row) for s in SPLITS for row in read(folder, s)]


def test_without_other_files_the_text_is_divided(prepare):
    """By the seed; all lines are there, and equal ones stay in one split."""
    content = [*lines(100), *lines(100)[:30]]
    data = prepare(content, "--tokenizer", "space", "--valid-share", 0.2)
    assert sorted(everything(data)) == sorted(content)
    parts = [{" ".join(row) for row in read(data, s)} for s in SPLITS]
    assert [len(part) for part in parts] == [70, 20, 10]
    assert not set.intersection(*parts) and sum(map(len, parts)) == 100
    same = prepare(content, "--tokenizer", "space", "--valid-share", 0.2, dest="same")
    other = prepare(
        content, "--tokenizer", "space", "--valid-share", 0.2, "--seed", 2, dest="other"
    )
    assert read(data, "test") == read(same, "test") != read(other, "test")


def test_own_splits_stay_as_they_are(prepare, tmp_path, capsys):
    valid = write(tmp_path / "valid.raw", ["We stay home.", "", "They  go."])
    test = write(tmp_path / "test.raw", lines(3))
    data = prepare(lines(90), "--tokenizer", "space", "--valid", valid, "--test", test)
    assert read(data, "valid") == [["We", "stay", "home."], ["They", "go."]]
    assert [" ".join(row) for row in read(data, "test")] == lines(3)
    assert [" ".join(row) for row in read(data, "train")] == lines(90)
    assert dropped(data) == {"empty lines": 1}
    assert stats(data)["dropped"]["empty lines"]["first"] == "valid, line 2"
    assert stats(data)["own_valid"]["source"] == "valid.raw"
    assert "note: 3 sequences of test also stand in train" in capsys.readouterr().out


def test_same_input_same_bytes(prepare):
    """Nothing of the command that calls it is in the folder, such as an address in memory."""
    options = ("--tokenizer", "word")
    first, second = (prepare(lines(300), *options, dest=dest) for dest in ("one", "two"))
    assert (first / "stats.json").read_bytes() == (second / "stats.json").read_bytes()
    assert not {"command", "run"} & stats(first)["options"].keys()


def test_words(prepare):
    content = [*lines(80), 'He said: "don\'t".'] * 2
    text = everything(prepare(content))
    assert 'He said : " don \'t " .' in text
    lower = everything(prepare(content, "--lowercase", dest="lower"))
    assert 'he said : " don \'t " .' in lower


def test_characters_are_one_token_each_and_show_puts_them_together(prepare):
    content = lines(80)
    data = prepare(content, "--tokenizer", "char")
    rows = [row for s in SPLITS for row in read(data, s)]
    assert {len(token) for row in rows for token in row} == {1}
    assert sorted(sentences(rows)) == content
    assert "▁" in (data / "dict.txt").read_text(encoding="utf-8")


def test_pieces_of_words(prepare):
    """The model is written beside the data, with as many pieces as the text has, if need be."""
    data = prepare(lines(90), "--tokenizer", "sentencepiece")
    assert {path.name for path in data.iterdir()} == {
        *(name for name in FILES if not name.endswith((".bin", ".idx"))),
        PIECES_MODEL,
    }
    rows = [row for s in SPLITS for row in read(data, s)]
    assert sorted(sentences(rows)) == lines(90)
    small = prepare(lines(90), "--tokenizer", "sentencepiece", "--vocab-size", 30, dest="small")
    assert stats(small)["dictionary_words"] == 27
    with pytest.raises(InputError, match="--vocab-size 5000: sentencepiece says"):
        prepare(lines(90), "--tokenizer", "sentencepiece", "--vocab-size", 5000, dest="large")


def test_vocabulary_and_length_are_limited(prepare):
    data = prepare(lines(90), "--tokenizer", "space", "--vocab-size", 4, "--max-length", 4)
    assert stats(data)["dictionary_words"] == 4
    assert max(len(line.split()) for line in everything(data)) == 4
    assert dropped(data)["sequences longer than 4 tokens"] > 10


def test_name_that_is_not_utf8(prepare, tmp_path):
    """It is told as JSON writes it, also in stats.json."""
    name = os.fsdecode(b"caf\xe9.txt")
    heldout = write(tmp_path / name, lines(9, seed=2))
    data = prepare(lines(90), "--valid", heldout, "--test", heldout)
    assert "caf\\udce9.txt" in (data / "stats.json").read_text()
    assert name in json.dumps(stats(data), ensure_ascii=False)


def test_a_pipe_is_not_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe: neither a file nor a folder"):
        cli.main(["prepare", "--train", str(tmp_path / "pipe"), "--dest", str(tmp_path / "data")])


@pytest.mark.parametrize(("number", "noted"), [(3, True), (30, True), (99, False)])
def test_small_text_works_and_is_called_small(number, noted, prepare, capsys):
    data = prepare(lines(number))
    train = len(read(data, "train"))
    said = f"note: {train} training sequences, fewer than a batch of 64" in capsys.readouterr().out
    assert said == noted
    assert all(read(data, s) for s in SPLITS)


def test_says_how_long_the_longest_is(prepare, capsys):
    data = prepare(lines(90), "--tokenizer", "space")
    longest = max(len(line.split()) for line in everything(data))
    assert f"--tokens-per-sample {longest + 1} or more" in capsys.readouterr().out


MISTAKES = [
    ([], ["--valid", "v"], "--test is missing: give --valid and --test, or none"),
    ([], ["--test", "v"], "--valid is missing: give --valid and --test, or none"),
    (lines(80), ["--valid", "v", "--test", "v"], "v: no such file or folder"),
    (lines(2), [], "train.raw: 2 different items cannot be divided"),
    ([], [], "train.raw: is empty"),
    (
        [*lines(80), "a <unk>"],
        ["--tokenizer", "space"],
        "train.raw, line 81: holds fairseq's special symbol <unk>",
    ),
    (lines(80), ["--max-length", 0], "--max-length must be at least 1"),
    (
        lines(80),
        ["--tokenizer", "sentencepiece", "--seed", 2**32],
        "--seed is 4294967296: it must be at most",
    ),
    (lines(80), ["--max-length", 1], "--max-length 1: leaves no sequence for train"),
]


@pytest.mark.parametrize(("content", "options", "message"), MISTAKES)
def test_mistakes_are_one_line_and_leave_nothing(content, options, message, prepare, tmp_path):
    with pytest.raises(InputError, match=message) as error:
        prepare(content, *options)
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["train.raw"]


def test_nothing_is_overwritten_unless_asked(prepare, tmp_path):
    data = prepare(lines(80))
    before = (data / "train.txt").read_bytes()
    with pytest.raises(InputError, match="is not empty; give --overwrite"):
        prepare(lines(90))
    assert (data / "train.txt").read_bytes() == before
    prepare(lines(90), "--overwrite")
    assert (data / "train.txt").read_bytes() != before


def test_special_symbols_are_those_of_fairseq():
    from fairseq.data import Dictionary

    assert frozenset(Dictionary().symbols) == dataset.SPECIAL_SYMBOLS


def test_binarized_data_are_the_texts(tmp_path):
    """The one test with fairseq-preprocess."""
    train = write(tmp_path / "raw", lines(80))
    words = ["prepare", "--train", train, "--dest", tmp_path / "d", "--tokenizer", "char"]
    cli.main([str(word) for word in words])
    assert {path.name for path in (tmp_path / "d").iterdir()} == FILES
    for split in SPLITS:
        assert binarized(tmp_path / "d", split) == read(tmp_path / "d", split)
