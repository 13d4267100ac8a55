"""preprocess/common/files.py: folders and zip files, among them malicious and broken ones."""

import itertools
import shutil
import struct
import zipfile

import pytest
from fairseq_seqgan.preprocess.common import files as module
from fairseq_seqgan.preprocess.common.files import UnreadableError, open_files

from fairseq_seqgan.support.errors import InputError

WANTED = (".mid",)


@pytest.fixture
def archive(tmp_path):
    """Return a zip file of the given entries."""

    def make(entries, compression=zipfile.ZIP_STORED):
        with zipfile.ZipFile(tmp_path / "a.zip", "w", compression) as file:
            for name, content in entries.items():
                file.writestr(name, content)
        return tmp_path / "a.zip"

    return make


def contents(path):
    with open_files(path, WANTED) as files:
        return {name: files.read(name) for name in files.names}


ENTRIES = {
    "Music/train/b.mid": b"B",
    "Music/a.MID": b"A",
    "Music/readme.txt": b"no",
    "Music/.hidden.mid": b"no",
    "__MACOSX/Music/._a.mid": b"no",
}


def test_folder_and_zip_give_the_same_files_in_order(archive, tmp_path):
    path = archive(ENTRIES)
    shutil.unpack_archive(path, tmp_path / "folder")
    expected = {"Music/a.MID": b"A", "Music/train/b.mid": b"B"}
    assert list(contents(path).items()) == list(expected.items())
    assert list(contents(tmp_path / "folder").items()) == list(expected.items())


@pytest.mark.parametrize("cut", [0.3, 0.9, -1])
def test_truncated_zip(cut, archive):
    path = archive({f"{i}.mid": b"x" * 100 for i in range(20)})
    data = path.read_bytes()
    path.write_bytes(data[: int(cut * len(data))] if cut > 0 else data[:-1])
    with pytest.raises(InputError, match=r"a\.zip: not a zip file, or a damaged one"):
        contents(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"<html>moved</html>", "an HTML page"),
        (b"MThd", "not a zip file"),
    ],
)
def test_what_is_no_zip(content, message, tmp_path):
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.zip: {message}"):
        contents(tmp_path / "a.zip")


@pytest.mark.parametrize(
    "name", ["../evil.mid", "a/../../evil.mid", "/etc/evil.mid", "..\\evil.mid", "C:\\evil.mid"]
)
def test_paths_that_leave_the_folder(name, archive):
    path = archive({"good.mid": b"x"})
    with zipfile.ZipFile(path, "a") as file:
        entry = zipfile.ZipInfo("placeholder")
        entry.filename = name  # as written; the constructor would tidy it
        file.writestr(entry, b"x")
    with pytest.raises(InputError, match=r"a\.zip: its entry .*evil\.mid' leaves the folder"):
        contents(path)


def test_links_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        entry = zipfile.ZipInfo("link.mid")
        entry.create_system = 3
        entry.external_attr = 0o120777 << 16
        file.writestr(entry, "/etc/passwd")
    with pytest.raises(InputError, match=r"its entry 'link\.mid' is a link"):
        contents(tmp_path / "a.zip")


def test_bomb_is_not_unpacked(archive):
    """600 MiB of zeros in 600 kB; a bomb of many files counts as one of few does."""
    path = archive({f"{i}.mid": bytes(60 * 2**20) for i in range(10)}, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2**20
    with pytest.raises(InputError, match=r"would unpack to 600 MiB; 512 MiB is the most"):
        contents(path)


def test_what_is_not_wanted_does_not_count(archive, monkeypatch):
    monkeypatch.setattr(module, "MAX_TOTAL", 1000)
    assert contents(archive({"a.mid": b"x", "film.avi": bytes(5000)})) == {"a.mid": b"x"}


def test_size_that_the_zip_lies_about_changes_nothing(archive):
    path = archive({"a.mid": bytes(40 * 2**20)}, zipfile.ZIP_DEFLATED)
    data = path.read_bytes()
    lie = data.replace(struct.pack("<L", 40 * 2**20), struct.pack("<L", 10))
    assert lie != data
    path.write_bytes(lie)
    with pytest.raises(UnreadableError, match="Bad CRC-32"):
        contents(path)


def test_single_file_beyond_the_limit(archive, tmp_path):
    message = "larger than 16 MiB"
    with pytest.raises(UnreadableError, match=message):
        contents(archive({"a.mid": bytes(17 * 2**20)}, zipfile.ZIP_DEFLATED))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.mid").write_bytes(bytes(17 * 2**20))
    with pytest.raises(UnreadableError, match=message):
        contents(tmp_path / "folder")


def test_damaged_entry_is_one_unreadable_file(archive):
    path = archive({"a.mid": b"abcdefgh", "b.mid": b"good"})
    path.write_bytes(path.read_bytes().replace(b"abcdefgh", b"abcdefgx"))
    with open_files(path, WANTED) as files:
        with pytest.raises(UnreadableError, match="cannot be unpacked: Bad CRC-32"):
            files.read("a.mid")
        assert files.read("b.mid") == b"good"


@pytest.mark.parametrize(
    "compression",
    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA],
)
@pytest.mark.filterwarnings("ignore:Extra data")
def test_any_damaged_byte_is_a_clear_error_or_none(compression, archive):
    path = archive({"ä.mid": b"abcabcabc" * 9}, compression)
    data = path.read_bytes()
    messages = []
    for place, change in itertools.product(range(len(data)), (1, 8, 0x80, 0xFF)):
        path.write_bytes(data[:place] + bytes([data[place] ^ change]) + data[place + 1 :])
        try:
            contents(path)
        except (InputError, UnreadableError) as error:
            messages.append(str(error))
    assert len(messages) > len(data)
    assert not any("\n" in message for message in messages)


def test_encrypted_entry_is_one_unreadable_file(archive):
    path = archive({"a.mid": b"abc"})
    data = bytearray(path.read_bytes())
    for magic, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(magic) + offset] |= 1
    path.write_bytes(bytes(data))
    with pytest.raises(UnreadableError, match="encrypted"):
        contents(path)


def test_too_many_files(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_FILES", 2)
    path = archive({f"{i}.mid": b"" for i in range(3)})
    shutil.unpack_archive(path, tmp_path / "folder")
    for source in (path, tmp_path / "folder"):
        with pytest.raises(InputError, match="holds 3 files; 2 is the most"):
            contents(source)
