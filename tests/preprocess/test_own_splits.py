"""``--valid`` and ``--test`` of the scripts for raw data: what is held out is the user's own."""

import random

import pytest
from fairseq_seqgan.preprocess.common import dataset
from helpers.raw_data import SPLITS, dropped, midi, read, save, scale, stats

from fairseq_seqgan.preprocess import nottingham, obama, poems
from fairseq_seqgan.support.errors import InputError


@pytest.fixture(autouse=True)
def no_fairseq(monkeypatch):
    """Leave out the one slow step; the binarized files do not matter here."""
    monkeypatch.setattr(dataset, "binarize", lambda *_: None)


def quatrains(number, seed):
    generator = random.Random(seed)
    return ["".join(generator.choices("春夏秋冬山水风花雪月", k=20)) for _ in range(number)]


def paragraphs(number, seed):
    generator = random.Random(seed)
    words = "We They You will can go stay home today".split()
    return [f"{' '.join(generator.choices(words, k=8))} {seed} {i}." for i in range(number)]


def write(folder, **contents):
    for name, content in contents.items():
        (folder / name).write_text("\n\n".join(content), encoding="utf-8")
    return [str(folder / name) for name in contents]


@pytest.mark.parametrize(("script", "made"), [(poems, quatrains), (obama, paragraphs)])
def test_what_stands_in_several_files_is_held_out(script, made, tmp_path):
    """A repetition stays in test, or else in valid."""
    train, valid, test = made(80, 1), made(10, 2), made(5, 3)
    files = write(
        tmp_path, a=[*train, valid[0], test[0], train[0]], b=[*valid, test[1]], c=[*test, test[1]]
    )
    options = ["--source", files[0], "--valid", files[1], "--test", files[2]]
    script.main([*options, "--dest", str(tmp_path / "d")])
    found = {s: read(tmp_path / "d", s) for s in SPLITS}
    assert {s: len(found[s]) for s in SPLITS} == {"train": 80, "valid": 10, "test": 5}
    joined = "".join("".join(row) for row in found["test"])
    assert joined == "".join("".join(line.replace(".", " .").split()) for line in test)
    repeated = next(v for k, v in stats(tmp_path / "d")["dropped"].items() if "repet" in k)
    assert repeated["count"] == 5 and repeated["first"].startswith("test, line ")
    assert stats(tmp_path / "d")["own_test"]["sha256"]
    assert "valid" not in stats(tmp_path / "d")["options"]


@pytest.mark.parametrize("script", [poems, obama, nottingham])
def test_both_or_none(script, tmp_path):
    files = write(tmp_path, a=quatrains(80, 1))
    with pytest.raises(InputError, match="--test is missing: give --valid and --test, or none"):
        script.main(["--source", *files, "--valid", *files, "--dest", str(tmp_path / "d")])


def tunes(folder, first, number):
    for i in range(number):
        save(midi(scale(first, i)), folder / f"{i}.mid")
    return str(folder)


def test_tunes(tmp_path):
    """Each split is a folder of its own, whatever its folders are called."""
    train = tunes(tmp_path / "a" / "test", 70, 40)
    valid, test = tunes(tmp_path / "b", 120, 3), tunes(tmp_path / "c", 130, 2)
    options = ["--source", train, "--valid", valid, "--test", test, "--dest", str(tmp_path / "d")]
    nottingham.main(options)
    found = {name: row["found"] for name, row in stats(tmp_path / "d")["read"].items()}
    assert [found[f"{s}: tunes"] for s in SPLITS] == [40, 3, 2]
    assert dropped(tmp_path / "d") == {}
    with pytest.raises(InputError, match="--split seed: not with --valid and --test"):
        nottingham.main([*options, "--split", "seed", "--overwrite"])
