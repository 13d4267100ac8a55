"""preprocess/common/text.py: which text files are read, and what is said of the others."""

import gzip
import io
import zipfile

import pytest
from fairseq_seqgan.preprocess.common import text as module
from fairseq_seqgan.preprocess.common.text import read_text

from fairseq_seqgan.support.errors import InputError


@pytest.fixture
def reading(tmp_path):
    """Return what reading a file of the given bytes gives."""

    def read(content):
        (tmp_path / "raw.txt").write_bytes(content)
        return read_text(tmp_path / "raw.txt")

    return read


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a", "b")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "lines", "notes"),
    [
        (b"a b\n\n c \n", ["a b", "", " c "], 0),
        (b"a\nb", ["a", "b"], 0),
        (b"a\r\nb\r\n", ["a", "b"], 1),
        (b"a\rb\r", ["a", "b"], 1),
        (b"\xef\xbb\xbfa\n", ["a"], 1),
        (b"\xef\xbb\xbfa\r\nb", ["a", "b"], 2),
        # Unicode's own line separators, form feeds and the like end no line.
        ("a\u2028b\x0cc\x85d\n".encode(), ["a\u2028b\x0cc\x85d"], 0),
        ("<R> 春\n<body>\n".encode(), ["<R> 春", "<body>"], 0),
    ],
)
def test_lines(content, lines, notes, reading):
    text = reading(content)
    assert text.lines == lines
    assert len(text.notes) == notes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n \r\n\t\n", "only white space"),
        (b"\xef\xbb\xbf", "only white space"),
        ("好\n春眠\n".encode("gb18030"), r"line 1: not UTF-8 \(byte 0xba\)"),
        (b"good\nbad " + b"\xff\n", r"line 2: not UTF-8 \(byte 0xff\)"),
        ("春\n眠".encode()[:-1], "line 2: not UTF-8"),
        ("春眠".encode("utf-16"), "UTF-16"),
        ("a b".encode("utf-16-le"), "binary data or UTF-16"),
        (b"  \n<!DOCTYPE HTML>\n<title>", "an HTML page, not the data"),
        (b"\xef\xbb\xbf<html lang='en'>", "an HTML page"),
        (b"<!-- saved -->\n<html>", "an HTML page"),
        (zipped(), "a zip file"),
        (gzip.compress(b"abc", mtime=0), "a gzip file"),
        (b"%PDF-1.4\n", "a PDF file"),
        (b"a\n" + b"x" * 100_001, "line 2: 100,001 characters; a line may have 100,000"),
    ],
)
def test_refusals_name_the_file_in_one_line(content, message, reading):
    with pytest.raises(InputError, match=rf"raw\.txt.*{message}") as caught:
        reading(content)
    assert "\n" not in str(caught.value)


def test_longest_line_is_read(reading):
    assert len(reading(b"x" * 100_000).lines[0]) == 100_000


def test_file_beyond_the_limit_is_not_read(reading, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 2**20)
    assert len(reading(b"abcdefg\n" * 2**17).lines) == 2**17
    with pytest.raises(InputError, match="larger than 1 MiB"):
        reading(b"abcdefg\n" * 2**17 + b"a")


def test_what_is_no_file(tmp_path):
    with pytest.raises(InputError, match=r"nothing: cannot be read \(No such file"):
        read_text(tmp_path / "nothing")
    with pytest.raises(InputError, match="Is a directory"):
        read_text(tmp_path)


def test_many_comments_take_no_time(reading):
    """30 of them took a minute; 500 would have taken for ever."""
    content = b"<!---->" * 500 + b"\n"
    assert reading(content + b"hello").lines[-1] == "hello"
    with pytest.raises(InputError, match="an HTML page"):
        reading(content + b"<html>")
