"""preprocess/obama.py: cleaning transcripts, and the data made of them."""

import random
import time

import pytest
import sentencepiece
from fairseq_seqgan.preprocess.common import dataset
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

from fairseq_seqgan.preprocess import obama, speeches
from fairseq_seqgan.support.errors import InputError

WORDS = "we will build schools and roads for every child in this great country of ours".split()


@pytest.fixture
def no_fairseq(monkeypatch):
    """Leave out the one slow step, where the binarized files do not matter."""
    monkeypatch.setattr(dataset, "binarize", lambda *_: None)


def sentence(generator):
    return " ".join(generator.choices(WORDS, k=generator.randint(4, 9))).capitalize() + "."


def made(number, seed=1):
    """Return *number* different paragraphs of two sentences."""
    generator = random.Random(seed)
    return [f"{sentence(generator)} {sentence(generator)}" for _ in range(number)]


def make(folder, paragraphs, *options, name="data"):
    """Make the data in *folder*, in this process, and return its folder."""
    (folder / "raw.txt").write_text("\n\n".join(paragraphs) + "\n", encoding="utf-8")
    dest = folder / name
    obama.main(["--source", str(folder / "raw.txt"), "--dest", str(dest), *map(str, options)])
    return dest


def everything(folder):
    return [row for s in SPLITS for row in read(folder, s)]


# --- cleaning


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It’s “fine”  here,   ‘too’.", "It's \"fine\" here, 'too'."),
        ("It\x92s here\xa0now", "It's here now"),
        ("café", "café"),
        ("protÃ©gÃ©s", "protégés"),
        ("Wait… now", "Wait... now"),
        ("one – two—three -- four", "one -- two -- three -- four"),
        ("2009–2010", "2009-2010"),
        ('big¼just, "¼of many;² that."¹', 'big...just, "...of many;" that."\''),
        ("10¼ m² or ¼ cup", "10¼ m² or ¼ cup"),
        ("tom &amp; jerry", "tom & jerry"),
        ("a\tb\u3000c", "a b c"),
    ],
)
def test_characters(text, expected):
    assert speeches.normalise(text) == expected


def test_a_run_of_spaces_takes_no_time():
    """As long as a line may be; a search at each space took two minutes."""
    begin = time.monotonic()
    assert speeches.normalise(f"a{' ' * 99_998}b") == "a b"
    assert time.monotonic() - begin < 10


def test_paragraphs_and_speeches():
    lines = ["", " a ", "", "b", "", " ", "", "c", "", " ", "", "", "d", *[""] * 9]
    found = speeches.paragraphs(lines)
    assert [(p.line, p.speech, p.text) for p in found] == [
        (2, 0, "a"),
        (4, 0, "b"),
        (8, 0, "c"),
        (13, 1, "d"),
    ]


LABELS = ["THE PRESIDENT", "Q", "AUDIENCE MEMBER", "President Aquino", "Mr. Carney", "Question"]
NO_LABELS = ["But know this", "Second", "America", "Make no mistake", "Here are the Results"]


def test_speakers_are_told_from_rhetoric():
    texts = [f"{label}:  Yes." for label in (*LABELS, *NO_LABELS)]
    texts += ["Luther: No!"] * 5 + ["Third: jobs."] * 4
    assert speeches.speakers(texts) == {*LABELS, "Luther"}


def test_label_goes_and_what_was_said_stays():
    labels = {"THE PRESIDENT"}
    assert speeches.remove_label("THE PRESIDENT:  Thank you: all.", labels) == "Thank you: all."
    for text in ("So THE PRESIDENT: no", "THE PRESIDENTS: no", "America: yes", "THE PRESIDENT."):
        assert speeches.remove_label(text, labels) == text


@pytest.mark.parametrize(
    ("text", "expected", "number"),
    [
        ("Thank you. (Applause.) So", "Thank you. So", 1),
        ("(Laughter and applause.)", "", 1),
        ("Yes [inaudible] no [Cross talk] (APPLAUSE)", "Yes no", 3),
        ("[Teleprompters rise.] He are [sic] here", "He are here", 2),
        ("a 401(k), (excuse me) here (and the music plays)", None, 0),
        ("(I thought I'd get some applause on that one.)", None, 0),
        ("customer[s] of [the] bank", "customers of the bank", 0),
        ("an open (applause", None, 0),
        ("(Applaudable)", None, 0),
        ("Yes [(Applause.)] and (so [laughter] on) [we [did]]", "Yes and (so on) we did", 2),
        ("Yes. ([Applause.]) No. (((Laughter)))", "Yes. No.", 2),
    ],
)
def test_stage_directions(text, expected, number):
    assert speeches.remove_notes(text) == (text if expected is None else expected, number)


# --- the data


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """Data of 100 paragraphs, made by the real command, and what it printed."""
    folder = tmp_path_factory.mktemp("obama")
    lines = made(100)
    lines[0] = f"THE PRESIDENT:  {lines[0]} (Applause.)"
    lines += [lines[1], lines[2] + " [Laughter]", " ", "(Applause.)", "-- ..."]
    (folder / "raw.txt").write_bytes("\r\n\r\n".join(lines).encode())
    options = ["--source", "raw.txt", "--dest", "data"]
    return folder / "data", script("obama", folder / "logs", *options, cwd=folder).check()


def test_writes_the_layout_and_tells_the_counts(real):
    data, result = real
    assert {path.name for path in data.iterdir()} == FILES
    numbers = stats(data)
    assert dropped(data) == {
        "paragraphs without words": 2,
        "repetitions of an earlier paragraph": 2,
    }
    assert numbers["removed"] == {"speaker labels": 1, "stage directions": 3}
    assert numbers["kept"] == 100
    assert numbers["read"]["lines that are not empty"]["found"] == 105
    assert numbers["read"]["of these only white space"]["found"] == 1
    assert numbers["notes"] == ["Windows or old Mac line ends converted"]
    assert "kept: 100 different paragraphs" in result.stdout
    assert "removed: 3 stage directions" in result.stdout


def test_every_paragraph_is_in_one_split_and_in_the_binarized_data(real):
    data = real[0]
    assert {s: len(read(data, s)) for s in SPLITS} == {"train": 85, "valid": 5, "test": 10}
    expected = [paragraph.replace(".", " .").split() for paragraph in made(100)]
    assert sorted(everything(data)) == sorted(expected)
    known = {token for row in read(data, "train") for token in row}
    for s in SPLITS:
        rows = [[t if t in known else "<unk>" for t in row] for row in read(data, s)]
        assert binarized(data, s) == rows


def test_words_as_moses_separates_them(tmp_path, no_fairseq):
    lines = [*made(99), "Don't say \"Mr. Smith's\" 1,000.5% -- we're <s> a well-known 401(k)!"]
    data = make(tmp_path, lines)
    row = next(row for row in everything(data) if "Don" in row)
    assert " ".join(row) == (
        "Don 't say \" Mr. Smith 's \" 1,000.5 % -- we 're < s > a well-known 401 ( k ) !"
    )


def test_sentences(tmp_path, no_fairseq):
    lines = [*made(60), "Thank you, Dr. King of the U.S. Senate. And thank you."]
    data = make(tmp_path, lines, "--unit", "sentence")
    rows = everything(data)
    assert len(rows) == 122 - dropped(data).get("repetitions of an earlier sentence", 0)
    assert "Thank you , Dr. King of the U.S. Senate .".split() in rows
    where = {tuple(row): s for s in SPLITS for row in read(data, s)}
    for line in lines[:60]:
        first, second = (part.split() for part in line.replace(".", " .|").split("|")[:2])
        assert where[tuple(first)] == where[tuple(second)], "a paragraph is not torn apart"


def test_speeches_stay_together(tmp_path, no_fairseq):
    lines = made(100)
    for i in range(0, 100, 10):
        lines[i] = "\n\n\n" + lines[i]  # with the empty line before it: 4 or more
    data = make(tmp_path, lines, "--split-by", "speech", "--test-share", 0.2)
    number = {line.strip().replace(".", " ."): i // 10 for i, line in enumerate(lines)}
    parts = [{number[" ".join(row)] for row in read(data, s)} for s in SPLITS]
    assert [len(part) for part in parts] == [7, 1, 2]
    assert set.union(*parts) == set(range(10))


def test_longest_is_longest_without_the_end_symbol(tmp_path, no_fairseq):
    whole = make(tmp_path, made(150))
    short = make(tmp_path, made(150), "--max-length", 15, name="short")
    for s in SPLITS:
        assert read(short, s) == [row for row in read(whole, s) if len(row) <= 15]
    assert max(map(len, everything(short))) == 15
    assert dropped(short) == {
        "sequences longer than 15 tokens": sum(len(row) > 15 for row in everything(whole))
    }


def test_lower_case_comes_after_the_sentences_are_told_apart(tmp_path, no_fairseq):
    data = make(tmp_path, made(100), "--lowercase", "--unit", "sentence")
    rows = everything(data)
    assert all(word == word.lower() for row in rows for word in row)
    assert all(row.count(".") == 1 for row in rows)


def test_rare_words_are_unknown_with_a_small_vocabulary(tmp_path):
    data = make(tmp_path, made(100), "--vocab-size", 5)
    words = [line.split()[0] for line in (data / "dict.txt").read_text().splitlines()]
    assert len(words) == 5 and words[0] == "."
    rows = [[w if w in words else "<unk>" for w in row] for row in read(data, "train")]
    assert binarized(data, "train") == rows
    unknown = sum(row.count("<unk>") for row in rows)
    assert stats(data)["splits"]["train"]["unknown_tokens"] == unknown > 0


# --- sentencepiece


PIECES = ("--tokenizer", "sentencepiece", "--vocab-size", 60)


@pytest.fixture(scope="module")
def pieces(tmp_path_factory):
    return make(tmp_path_factory.mktemp("pieces"), made(100), *PIECES)


def test_pieces_come_from_the_model_that_is_written(pieces):
    model = sentencepiece.SentencePieceProcessor(model_file=str(pieces / "sentencepiece.model"))
    assert {path.name for path in pieces.iterdir()} == {*FILES, "sentencepiece.model"}
    assert model.get_piece_size() == 60
    assert sorted(map(model.decode, everything(pieces))) == sorted(made(100))
    words = [line.rsplit(" ", 1)[0] for line in (pieces / "dict.txt").read_text().splitlines()]
    assert words == [model.id_to_piece(i) for i in range(3, 60)]
    for s in SPLITS:
        assert binarized(pieces, s) == read(pieces, s)


@pytest.mark.parametrize("wanted", ["train", "test"])
def test_model_sees_the_training_texts_only(wanted, tmp_path, no_fairseq):
    """A letter that a single paragraph has is a piece if that one is a training text."""
    lines = made(100)
    for number in range(50):  # which split it comes to depends on its text
        lines[0] = f"{made(1)[0]} {'ẞ' * (number + 1)}"
        data = make(tmp_path, lines, *PIECES, "--overwrite")
        split = next(s for s in SPLITS if any("ẞ" in "".join(row) for row in read(data, s)))
        if split == wanted:
            break
    else:
        pytest.fail(f"the paragraph never came to {wanted}")
    assert ("ẞ" in (data / "dict.txt").read_text(encoding="utf-8")) == (wanted == "train")
    assert bool(stats(data)["splits"][wanted]["unknown_tokens"]) == (wanted == "test")


def test_same_seed_same_bytes_and_no_trace_of_this_machine(pieces, tmp_path):
    again = make(tmp_path, made(100), *PIECES)
    for path in pieces.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes(), path.name
        for folder in (pieces, again):
            assert str(folder.parent).encode() not in path.read_bytes()


@pytest.mark.parametrize("size", [5, 5000])
def test_vocabulary_that_does_not_fit_the_texts(size, tmp_path):
    with pytest.raises(
        InputError, match=rf"--vocab-size {size}: sentencepiece says: Vocabulary"
    ) as e:
        make(tmp_path, made(100), "--tokenizer", "sentencepiece", "--vocab-size", size)
    assert "\n" not in str(e.value)
    assert [path.name for path in tmp_path.iterdir()] == ["raw.txt"]


def test_model_file_may_be_overwritten(tmp_path, no_fairseq):
    make(tmp_path, made(100), *PIECES)
    data = make(tmp_path, made(100), "--overwrite")
    assert not (data / "sentencepiece.model").exists()


# --- mistakes


@pytest.mark.parametrize("option", ["--vocab-size", "--max-length"])
def test_numbers_below_one(option, tmp_path):
    with pytest.raises(InputError, match=f"{option} must be at least 1, not 0"):
        make(tmp_path, made(100), option, 0)


def test_fewer_paragraphs_than_a_batch(tmp_path):
    with pytest.raises(InputError, match="only 59 training sequences are left; at least 64"):
        make(tmp_path, made(70))
    with pytest.raises(InputError, match="1 different items cannot be divided"):
        make(tmp_path, made(1))


def test_limit_that_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match="only 0 training sequences are left"):
        make(tmp_path, made(100), "--max-length", 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "raw.txt: is empty"),
        ("Prot\xe9g\xe9s of ours\n".encode("latin-1"), "raw.txt, line 1: not UTF-8"),
        (b"<!DOCTYPE html>\n<p>", "raw.txt: an HTML page"),
        (
            b"yes\n" + b"no " * 40_000,
            "raw.txt, line 2: 120,000 characters; a line may have 100,000",
        ),
        (None, "raw.txt: no such file or folder"),
    ],
)
def test_bad_file_is_one_line_and_leaves_nothing(content, message, tmp_path):
    refuses_raw_file("obama", content, message, tmp_path)


# --- the real data


@pytest.mark.slow
def test_counts_of_the_known_file(obama, tmp_path):
    options = ["--source", obama, "--dest", "d"]
    result = script("obama", tmp_path / "logs", *options, cwd=tmp_path).check()
    assert "differs" not in result.stdout
    numbers = stats(tmp_path / "d")
    found = [row["found"] for row in numbers["read"].values()]
    assert found == [11_092, 616, 10_476, 10_331, 265]
    assert sum(numbers["removed"].values()) > 300
    assert numbers["kept"] + sum(dropped(tmp_path / "d").values()) == 10_476
    text = "\n".join(" ".join(row) for row in everything(tmp_path / "d"))
    for trace in ("\x92", "’", "“", "¼", "[", "( Applause", "THE PRESIDENT", "President Obama :"):
        assert trace not in text, trace


@pytest.mark.slow
def test_sentencepiece_on_the_known_file(obama, tmp_path):
    options = ["--source", obama, "--dest", "d", "--unit", "sentence", "--max-length", 40]
    options += ["--tokenizer", "sentencepiece", "--vocab-size", 4000]
    script("obama", tmp_path / "logs", *options, cwd=tmp_path).check()
    numbers = stats(tmp_path / "d")
    assert numbers["dictionary_words"] == 3997
    assert numbers["splits"]["test"]["longest"] <= 40
    assert numbers["splits"]["train"]["unknown_tokens"] == 0
    assert numbers["kept"] > 30_000
