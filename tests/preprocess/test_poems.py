"""preprocess/poems.py: which lines are quatrains, and the data made of them."""

import random
from pathlib import Path

import pytest
from fairseq_seqgan.preprocess.common import dataset
from fairseq_seqgan.preprocess.quatrains import NoQuatrainError, parse
from helpers.raw_data import (
    FILES,
    SPLITS,
    binarized,
    dropped,
    read,
    refuses_raw_file,
    script,
    stats,
)

from fairseq_seqgan.preprocess import poems
from fairseq_seqgan.support.errors import InputError

CHARACTERS = [chr(0x4E00 + i) for i in range(300)]
FIVE = "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。"
SEVEN = "朝辞白帝彩云间，千里江陵一日还。两岸猿声啼不住，轻舟已过万重山。"
BARE = {5: FIVE.replace("，", "").replace("。", ""), 7: SEVEN.replace("，", "").replace("。", "")}


def made(number, form=5, seed=1):
    """Return *number* different poems as lines of *form* characters."""
    generator = random.Random(seed)
    return [
        ["".join(generator.choices(CHARACTERS, k=form)) for _ in range(4)] for _ in range(number)
    ]


def spaced(poem):
    """Write a poem as shi.txt does: a space behind each character, the last one too."""
    marked = "".join(line + mark for line, mark in zip(poem, "，。，。", strict=True))
    return "".join(f"{character} " for character in marked)


def tabbed(poem):
    return "\t".join(" ".join(line) for line in poem)


@pytest.fixture
def no_fairseq(monkeypatch):
    """Leave out the one slow step, where the binarized files do not matter."""
    monkeypatch.setattr(dataset, "binarize", lambda *_: None)


@pytest.fixture
def source(tmp_path):
    """Return the path of a file with the given lines."""

    def write(lines):
        (tmp_path / "raw.txt").write_bytes("".join(f"{line}\n" for line in lines).encode())
        return tmp_path / "raw.txt"

    return write


def make(path, *options):
    """Make the data in a folder beside *path*, in this process, and return it."""
    dest = path.with_name("data")
    poems.main(["--source", str(path), "--dest", str(dest), *map(str, options)])
    return dest


def everything(folder):
    return [row for s in SPLITS for row in read(folder, s)]


# --- a line


@pytest.mark.parametrize("form", [5, 7])
@pytest.mark.parametrize(
    "write",
    [
        lambda text: text,
        lambda text: " ".join(text) + " ",
        lambda text: "\u3000".join(text),
        lambda text: text.replace("。", "！").replace("，", ","),
        lambda text: text.replace("，", "\t").replace("。", "\t").rstrip("\t"),
        lambda text: " ".join(text.replace("，", "\t").replace("。", "\t")),
        lambda text: text.replace("，", "，\t").replace("。", "。」\t"),
        lambda text: text.replace("，", "").replace("。", ""),
    ],
)
def test_spellings_of_a_quatrain(write, form):
    quatrain = parse(write(FIVE if form == 5 else SEVEN))
    assert "".join(quatrain.tokens()) == BARE[form]
    assert quatrain.form == form
    assert [len(line) for line in quatrain.lines] == [form] * 4


def test_punctuation_is_kept_where_there_is_any():
    assert "".join(parse(FIVE).tokens(keep_punctuation=True)) == FIVE
    assert len(parse(SEVEN).tokens(keep_punctuation=True)) == 32
    assert parse(BARE[5]).marks == ("", "", "", "")
    assert parse(BARE[5] + "。").marks == ("", "", "", "。")


def test_rare_token_of_many_letters_is_one_token():
    line = "春 <R> 不 觉 晓\t处处闻<R2>鸟\t夜来风雨声\t花落<rare>多少"
    assert parse(line).tokens() == [
        *("春", "<R>", "不", "觉", "晓", "处", "处", "闻", "<R2>", "鸟"),
        *("夜", "来", "风", "雨", "声", "花", "落", "<rare>", "多", "少"),
    ]


def test_rare_and_unusual_han_characters_are_characters():
    line = "〇𠀀㐀々龥\t" * 4
    assert parse(line).tokens() == list("〇𠀀㐀々龥") * 4


def test_characters_that_are_written_in_two_ways_are_one():
    assert parse("\uf9dc" * 20).tokens() == ["\u9686"] * 20


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (FIVE.replace("眠", "□"), "a lacuna"),
        (FIVE.replace("眠", "ē"), "no Han character"),
        (FIVE.replace("眠", "a"), "no Han character"),
        (FIVE.replace("眠", "<"), "no Han character"),
        (FIVE.replace("眠", "\ufffd"), "no Han character"),
        (FIVE.replace("眠", "<unk>"), "<unk>, which means something else"),
        (FIVE.replace("眠", "<s>"), "<s>, which means something else"),
        (FIVE.replace("眠", ""), "lines of unequal length"),
        (FIVE.replace("眠", "，"), "without four lines"),
        (FIVE + "人人人人人。", "without four lines"),
        ("春眠不觉晓，处处闻啼鸟。", "without four lines"),
        ("春" * 21, "without four lines"),
        ("春眠不觉，处处闻啼。夜来风雨，花落知多。", "neither 5 nor 7"),
        ("，。", "without four lines"),
    ],
)
def test_what_is_no_quatrain(line, reason):
    with pytest.raises(NoQuatrainError, match=reason):
        parse(line)


# --- the data


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """Data of 100 poems, made by the real command, and what it printed."""
    folder = tmp_path_factory.mktemp("poems")
    lines = [spaced(poem) for poem in made(100)]
    lines += [lines[3], lines[4].replace("。", "！"), lines[5].replace(" ", ""), "", "□" * 20]
    lines += [spaced(poem) for poem in made(2, form=7)]
    content = "\ufeff" + "\r\n".join(lines)
    (folder / "raw.txt").write_bytes(content.encode())
    options = ["--source", "raw.txt", "--dest", "data"]
    return folder, script("poems", folder / "logs", *options, cwd=folder).check()


def test_writes_the_layout_and_tells_the_counts(real):
    folder, result = real
    assert {path.name for path in (folder / "data").iterdir()} == FILES
    assert dropped(folder / "data") == {
        "repetitions of an earlier quatrain": 3,
        "empty lines": 1,
        "lines with a lacuna (□) or another sign that is no Han character": 1,
        "quatrains of 7 characters a line": 2,
    }
    numbers = stats(folder / "data")
    assert numbers["kept"] == 100
    assert numbers["notes"] == ["byte order mark removed", "Windows or old Mac line ends converted"]
    assert numbers["read"]["lines"] == {"found": 107, "expected": None}
    assert str(folder) not in (folder / "data" / "stats.json").read_text(encoding="utf-8")
    assert "kept: 100 different quatrains" in result.stdout
    assert "train: 85 sequences of 20 tokens" in result.stdout
    assert "dropped: 3 repetitions of an earlier quatrain (first: line 101)" in result.stdout


def test_every_poem_is_in_one_split_and_in_the_binarized_data(real):
    data = real[0] / "data"
    assert {s: len(read(data, s)) for s in SPLITS} == {"train": 85, "valid": 5, "test": 10}
    assert sorted("".join(row) for row in everything(data)) == sorted(map("".join, made(100)))
    known = {token for row in read(data, "train") for token in row}
    for s in SPLITS:
        expected = [[t if t in known else "<unk>" for t in row] for row in read(data, s)]
        assert binarized(data, s) == expected


def test_punctuation_changes_neither_the_choice_nor_the_split(real, tmp_path):
    path = tmp_path / "raw.txt"
    path.write_bytes((real[0] / "raw.txt").read_bytes())
    data = make(path, "--keep-punctuation")
    for s in SPLITS:
        with_marks, without = read(data, s), read(real[0] / "data", s)
        assert {len(row) for row in with_marks} == {24}
        assert [[t for t in row if t not in "，。"] for row in with_marks] == without


def test_same_seed_same_bytes_other_seed_other_split(source, no_fairseq):
    path = source(map(spaced, made(100)))
    options = ("--overwrite", "--seed")
    contents = [
        {file.name: file.read_bytes() for file in make(path, *options, seed).iterdir()}
        for seed in (1, 1, 2)
    ]
    assert contents[0] == contents[1]
    assert contents[0]["test.txt"] != contents[2]["test.txt"]


def test_poems_of_seven_characters(source, no_fairseq):
    path = source([*map(tabbed, made(100, form=7)), spaced(made(1)[0])])
    data = make(path, "--characters", 7)
    assert {len(row) for row in everything(data)} == {28}
    assert dropped(data) == {"quatrains of 5 characters a line": 1}


def test_tabs_and_rare_tokens(source, no_fairseq):
    lines = [tabbed(poem).replace(poem[0][0], "<R>", 1) for poem in made(100)]
    data = make(source(lines))
    assert all(row[0] == "<R>" and len(row) == 20 for row in everything(data))


# --- mistakes


def test_poems_of_the_other_form_are_told(source):
    with pytest.raises(InputError, match=r"no quatrain of 7 .*100 quatrains of 5 characters a"):
        make(source(map(spaced, made(100))), "--characters", 7)


def test_punctuation_that_is_not_there_cannot_be_kept(source):
    with pytest.raises(InputError, match="100 quatrains without punctuation behind every line"):
        make(source(map(tabbed, made(100))), "--keep-punctuation")


def test_fewer_poems_than_a_batch(source):
    path = source(map(spaced, made(70)))
    with pytest.raises(InputError, match="only 59 training sequences are left; at least 64"):
        make(path)
    assert [p.name for p in path.parent.iterdir()] == ["raw.txt"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "raw.txt: is empty"),
        (spaced(made(1)[0]).encode("gb18030"), "raw.txt, line 1: not UTF-8"),
        (b"<!doctype html><title>404", "raw.txt: an HTML page"),
        (b"To be, or not to be\n" * 100, "raw.txt: no quatrain of 5 characters a line in it"),
        (None, "raw.txt: no such file or folder"),
    ],
)
def test_bad_file_is_one_line_and_leaves_nothing(content, message, tmp_path):
    refuses_raw_file("poems", content, message, tmp_path)


def test_wrong_checksum_of_a_file(source):
    path = source(map(spaced, made(100)))
    with pytest.raises(InputError, match=r"raw\.txt: its sha256 is [0-9a-f]{64}, not 0000"):
        make(path, "--sha256", "0" * 64)


def test_existing_destination_is_refused_before_anything_is_read(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match="is not empty; give --overwrite"):
        make(tmp_path / "missing.txt")
    with pytest.raises(InputError, match=r"not replaced, because thesis\.tex"):
        make(tmp_path / "missing.txt", "--overwrite")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--dest", "d", "--characters", "6"],
        ["--dest", "d", "--sha256", "abc"],
        ["--dest", "d", "--seed", "x"],
    ],
)
def test_mistakes_that_argparse_finds_exit_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        poems.main(arguments)
    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_only_web_addresses_are_downloaded(tmp_path):
    with pytest.raises(InputError, match="only http and https addresses"):
        poems.main(["--source", "ftp://example.invalid/x", "--dest", str(tmp_path / "d")])


def test_help_says_where_the_public_file_is(capsys):
    with pytest.raises(SystemExit):
        poems.main(["--help"])
    text = "".join(capsys.readouterr().out.split())
    assert f"thepublicaddress{poems.PUBLIC.url}" in text


# --- the real data


@pytest.mark.slow
def test_counts_of_the_known_file(quatrains, tmp_path):
    options = ["--source", quatrains, "--dest", "d"]
    result = script("poems", tmp_path / "logs", *options, cwd=tmp_path).check()
    numbers = stats(tmp_path / "d")
    assert all(row["found"] == row["expected"] for row in numbers["read"].values())
    assert [row["found"] for row in numbers["read"].values()] == [16394, 15993, 4767, 16374, 0]
    assert list(dropped(tmp_path / "d").values()) == [20, 401]
    assert numbers["kept"] == 15973 == sum(n["sequences"] for n in numbers["splits"].values())
    assert "differs" not in result.stdout
    texts = ["".join(row) for row in everything(tmp_path / "d")]
    assert len(set(texts)) == 15973 and {len(text) for text in texts} == {20}


def test_the_known_file_is_that_of_the_public_address(quatrains: Path):
    assert quatrains.stat().st_size == poems.PUBLIC.expected.size
