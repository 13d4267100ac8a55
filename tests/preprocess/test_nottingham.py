"""preprocess/nottingham.py: from MIDI files to data."""

import shutil
import zipfile

import pytest
from fairseq_seqgan.preprocess.common import dataset
from helpers.raw_data import (
    FILES,
    SPLITS,
    binarized,
    dropped,
    midi,
    read,
    save,
    scale,
    script,
    stats,
    tunes,
)

from fairseq_seqgan.preprocess import nottingham as command
from fairseq_seqgan.support.errors import InputError

SIZES = {"train": 40, "valid": 3, "test": 4}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of 47 tunes, 71 to 117 steps long, divided into train, valid and test."""
    return tunes(tmp_path_factory.mktemp("tunes") / "Music", SIZES)


@pytest.fixture
def source(folder, tmp_path):
    """A copy of it that a test may change."""
    return shutil.copytree(folder, tmp_path / "Music")


@pytest.fixture
def no_fairseq(monkeypatch):
    """Leave out the one slow step, where the binarized files do not matter."""
    monkeypatch.setattr(dataset, "binarize", lambda *_: None)


def make(source, *options):
    """Make the data in a folder beside *source*, in this process, and return it."""
    dest = source.with_name("data")
    command.main(["--source", str(source), "--dest", str(dest), *map(str, options)])
    return dest


def windows(tune_number, size=32):
    """Return the windows of a tune that :func:`tunes` made."""
    pitches = [str(pitch - 20) for _, _, pitch in scale(70 + tune_number, tune_number)]
    return [pitches[i : i + size] for i in range(0, len(pitches) - size + 1, size)]


def by_split():
    """Return the windows of every split in the order of the files' names."""
    numbers = {"train": range(1, 41), "valid": range(41, 44), "test": range(44, 48)}
    return {s: [w for n in sorted(numbers[s], key=str) for w in windows(n)] for s in SPLITS}


# --- the data


@pytest.fixture(scope="module")
def real(folder, tmp_path_factory):
    """Data made by the real command from a zip file, and what it printed."""
    work = tmp_path_factory.mktemp("nottingham")
    shutil.make_archive(work / "tunes", "zip", folder.parent, folder.name)
    options = ["--source", "tunes.zip", "--dest", "data"]
    return work / "data", script("nottingham", work / "logs", *options, cwd=work).check()


def test_writes_the_layout_and_tells_the_counts(real):
    data, result = real
    assert {path.name for path in data.iterdir()} == FILES
    numbers = stats(data)
    assert numbers["read"]["train: tunes"] == {"found": 40, "expected": None}
    assert numbers["read"]["train: steps"]["found"] == sum(range(71, 111))
    assert numbers["read"]["test: silent steps"]["found"] == 0
    assert numbers["kept"] == sum(map(len, by_split().values()))
    assert numbers["steps_behind_the_last_window_of_a_tune"]["valid"] == 47 - 32 + 48 - 32 + 49 - 32
    assert numbers["options"]["step_seconds"] == "2/5"
    assert f"train: {len(by_split()['train'])} sequences of 32 tokens" in result.stdout


def test_windows_are_in_the_splits_of_their_folders(real):
    for s in SPLITS:
        assert read(real[0], s) == by_split()[s]
        assert binarized(real[0], s) == by_split()[s]


def test_dictionary_is_the_piano(real):
    lines = (real[0] / "dict.txt").read_text().splitlines()
    assert [line.split()[0] for line in lines] == [str(key) for key in range(1, 89)]
    used = [row.count("20") for row in read(real[0], "train")]
    assert lines[19] == f"20 {sum(used)}"


def test_folder_and_zip_give_the_same(real, source, no_fairseq):
    data = make(source)
    for name in ("dict.txt", *(f"{s}.txt" for s in SPLITS)):
        assert (data / name).read_bytes() == (real[0] / name).read_bytes()
    assert stats(data)["tunes_sha256"] == stats(real[0])["tunes_sha256"]


def test_window_and_step_can_be_set(source, no_fairseq):
    data = make(source, "--window", 10, "--step-seconds", "0.2")
    doubled = [p for pair in windows(1, 71)[0] for p in (pair, pair)]
    assert read(data, "train")[0] == doubled[:10]
    assert {len(row) for s in SPLITS for row in read(data, s)} == {10}


def test_silence(source, no_fairseq):
    """A tune of 40 steps whose every other step is silent."""
    tune = [(768 * i + 384, 768 * i + 767, 60 + i) for i in range(20)]
    save(midi(tune), source / "valid" / "a.mid")
    for silence, expected in (
        ("hold", ["40", *(str(40 + i) for i in range(16) for _ in (0, 1))][:32]),
        ("rest", [word for i in range(16) for word in ("0", str(40 + i))]),
    ):
        data = make(source, "--silence", silence, "--overwrite")
        assert read(data, "valid")[0] == expected
        assert stats(data)["read"]["valid: silent steps"]["found"] == 20
        words = [line.split()[0] for line in (data / "dict.txt").read_text().splitlines()]
        assert words[87:] == (["88", "0"] if silence == "rest" else ["88"])
    data = make(source, "--silence", "drop", "--overwrite")
    assert read(data, "valid") == by_split()["valid"], "20 steps are left, which is no window"


def test_melody_track_can_be_chosen(source, no_fairseq):
    for path in sorted(source.rglob("*.mid")):
        number = int(path.stem.removeprefix("tune"))
        save(midi([(0, 999, 30)], scale(70 + number, number), form=1), path)
    data = make(source, "--melody-track", 2)
    assert read(data, "test") == by_split()["test"]


def test_tempo_is_honoured_unless_told_otherwise(source, no_fairseq):
    """At twice the speed every second pitch of the tune is sampled."""
    for path in sorted((source / "valid").glob("*.mid")):
        number = int(path.stem.removeprefix("tune"))
        save(midi(scale(70 + number, number), tempos=[(0, 250_000)]), path)
    fast = [w for n in (41, 42, 43) for w in [windows(n, 64)[0][::2]]]
    assert read(make(source), "valid") == fast
    assert read(make(source, "--ignore-tempo", "--overwrite"), "valid") == by_split()["valid"]


# --- dividing


def flat(source):
    """Move all tunes into one folder."""
    for path in sorted(source.rglob("*.mid")):
        path.rename(source / path.name)
    return source


def test_without_folders_whole_tunes_are_divided_by_seed(source, no_fairseq):
    flat(source)
    data = make(source)
    tune_of = {tuple(window): n for n in range(1, 48) for window in windows(n)}
    parts = {s: {tune_of[tuple(row)] for row in read(data, s)} for s in SPLITS}
    assert [len(parts[s]) for s in SPLITS] == [40, 2, 5]
    assert set.union(*parts.values()) == set(range(1, 48))
    other = make(source, "--seed", 2, "--overwrite")
    assert {tune_of[tuple(row)] for row in read(other, "test")} != parts["test"]


def test_repeated_melodies_are_dropped_before_dividing_by_seed(source, no_fairseq):
    flat(source)
    shutil.copy(source / "tune7.mid", source / "copy.mid")
    slow = [(2 * start, 2 * end + 1, pitch) for start, end, pitch in scale(78, 8)]
    save(midi(slow, tempos=[(0, 250_000)]), source / "same notes in other bytes.mid")
    data = make(source, "--split", "seed")
    assert dropped(data) == {"repetitions of an earlier tune": 2}
    rows = [tuple(row) for s in SPLITS for row in read(data, s)]
    assert len(rows) == len(set(rows)) == sum(map(len, by_split().values()))


def test_folders_keep_repetitions_unless_told_otherwise(source, no_fairseq):
    shutil.copy(source / "train" / "tune7.mid", source / "test" / "copy.mid")
    numbers = stats(make(source))
    assert numbers["dropped"] == {}
    assert numbers["windows_that_also_occur_in_train"] == {"valid": 0, "test": 2}
    data = make(source, "--deduplicate", "--overwrite")
    assert dropped(data) == {"repetitions of an earlier tune": 1}
    assert read(data, "test") == by_split()["test"]
    assert stats(data)["dropped"]["repetitions of an earlier tune"]["first"] == "test/copy.mid"


def test_folders_that_are_not_all_there(source, no_fairseq):
    shutil.rmtree(source / "valid")
    with pytest.raises(InputError, match="no tune lies in a folder valid; give --split seed"):
        make(source)
    data = make(source, "--split", "seed")
    assert all(read(data, s) for s in SPLITS)
    with pytest.raises(InputError, match="no tune lies in a folder train or valid or test"):
        make(flat(source), "--split", "folders", "--overwrite")


def test_tunes_outside_the_folders_are_counted(source, no_fairseq):
    shutil.copy(source / "train" / "tune1.mid", source / "stray.mid")
    data = make(source)
    assert dropped(data) == {"tunes outside the folders train, valid and test": 1}
    assert read(data, "train") == by_split()["train"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Nottingham/train/a.mid", "train"),
        ("x/Validation/deep/a.mid", "valid"),
        ("test/a.mid", "test"),
        ("train/test/a.mid", "test"),
        ("a/train.mid", None),
    ],
)
def test_split_of_a_path(name, expected):
    assert command.folder_split(name) == expected


# --- mistakes


def broken(source):
    """Add three files that are no good; return their names and what is wrong."""
    (source / "train" / "broken.mid").write_bytes(b"MThd but no more")
    (source / "train" / "empty.mid").write_bytes(b"")
    save(midi([]), source / "valid" / "silent.mid")
    return {
        "train/broken.mid": "not a MIDI file, or a broken one",
        "train/empty.mid": "not a MIDI file, or a broken one",
        "valid/silent.mid": "no melody: no notes",
    }


def test_bad_file_is_an_error_that_names_it(source):
    for name, reason in broken(source).items():
        with pytest.raises(InputError, match=rf"Music: {name}: {reason}.*; --skip-bad leaves out"):
            make(source)
        (source / name).unlink()
    assert not source.with_name("data").exists()


def test_bad_files_are_named_and_skipped(source, no_fairseq, capsys):
    names = broken(source)
    data = make(source, "--skip-bad")
    assert dropped(data) == {"files without a usable melody": 3}
    shown = capsys.readouterr().err
    for name, reason in names.items():
        assert f"skipped: {name}: {reason}" in shown
    assert read(data, "train") == by_split()["train"]


def test_a_name_with_escape_sequences_is_shown_and_not_obeyed(source, no_fairseq, capsys):
    (source / "train" / "\x1b[2Jx.mid").write_bytes(b"MThd but no more")
    make(source, "--skip-bad")
    shown = capsys.readouterr().err
    assert "x.mid: not a MIDI file" in shown and "\x1b" not in shown


def test_damaged_file_in_a_zip_can_be_skipped(source, tmp_path, no_fairseq):
    path = tmp_path / "tunes.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(source.rglob("*.mid")):
            archive.write(file, file.relative_to(source))
        archive.writestr("train/zzz.mid", b"not damaged yet")
    path.write_bytes(path.read_bytes().replace(b"not damaged yet", b"but now it is !"))
    with pytest.raises(
        InputError, match=r"tunes\.zip: train/zzz\.mid: cannot be unpacked: Bad CRC"
    ):
        make(path)
    assert read(make(path, "--skip-bad"), "train") == by_split()["train"]


def test_nothing_but_bad_files(tmp_path):
    (tmp_path / "Music").mkdir()
    for name in ("readme.txt", "broken.mid"):
        (tmp_path / "Music" / name).write_text("x")
        with pytest.raises(InputError, match="Music: no MIDI file with a melody in it"):
            make(tmp_path / "Music", "--skip-bad")


def test_too_few_windows(tmp_path):
    source = tunes(tmp_path / "Music", {"train": 20, "valid": 1, "test": 1})
    with pytest.raises(InputError, match="only 40 training sequences are left; at least 64"):
        make(source)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "tunes.zip: no such file or folder"),
        (b"", "tunes.zip: is empty"),
        (b"<html>", "tunes.zip: an HTML page"),
        (b"PK\3\4 and no more", "tunes.zip: not a zip file, or a damaged one"),
    ],
)
def test_bad_source_is_one_line_and_leaves_nothing(content, message, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    if content is not None:
        (work / "tunes.zip").write_bytes(content)
    options = ["--source", "tunes.zip", "--dest", "d"]
    result = script("nottingham", tmp_path / "logs", *options, cwd=work)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1].startswith(f"error: {message}")
    assert "Traceback" not in result.stderr
    assert [path.name for path in work.iterdir() if path.name != "tunes.zip"] == []


@pytest.mark.parametrize(
    ("option", "value"), [("--step-seconds", "0"), ("--window", "0"), ("--melody-track", "-1")]
)
def test_numbers_that_are_too_small(option, value, source):
    with pytest.raises(InputError, match=f"{option} must be .*, not {value}"):
        make(source, option, value)


@pytest.mark.parametrize("value", ["1/0", "x", "nan"])
def test_step_that_is_no_number(value, source, capsys):
    with pytest.raises(SystemExit) as caught:
        make(source, "--step-seconds", value)
    assert caught.value.code == 2
    assert f"'{value}' is not a number" in capsys.readouterr().err


def test_existing_data_is_replaced_only_when_asked(source, no_fairseq):
    make(source)
    with pytest.raises(InputError, match="is not empty; give --overwrite"):
        make(source)
    make(source, "--overwrite")


# --- the real data


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "steps", "windows_of_train"),
    [([], 110_180, 3160), (["--ignore-tempo"], 110_280, 3163)],
)
def test_counts_of_the_known_tunes(option, steps, windows_of_train, nottingham, tmp_path):
    """One training tune is fast: it has 250 steps, and 350 if its tempo is ignored."""
    options = ["--source", nottingham, "--dest", "d", *option]
    result = script("nottingham", tmp_path / "logs", *options, cwd=tmp_path).check()
    assert "differs" not in result.stdout
    rows = stats(tmp_path / "d")["read"]
    assert all(row["found"] == row["expected"] for row in rows.values())
    found = {name: row["found"] for name, row in rows.items()}
    assert [found[f"{s}: tunes"] for s in SPLITS] == [694, 173, 170]
    assert [found[f"{s}: steps"] for s in SPLITS] == [steps, 28_364, 27_786]
    assert [found[f"{s}: silent steps"] for s in SPLITS] == [179, 39, 43]
    assert [len(read(tmp_path / "d", s)) for s in SPLITS] == [windows_of_train, 816, 796]
    pitches = {int(word) for s in SPLITS for row in read(tmp_path / "d", s) for word in row}
    assert (min(pitches), max(pitches)) == (35, 68)
