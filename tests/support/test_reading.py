"""fairseq_seqgan/support/reading.py and npz.py: no pipe is waited for, nothing inflates."""

import io
import os
import pickle
import threading
import zipfile

import numpy as np
import pytest
from helpers.mutations import no_hang
from helpers.turing_data import command

from fairseq_seqgan.cli import main
from fairseq_seqgan.oracle import parameters
from fairseq_seqgan.oracle.lstm import Oracle
from fairseq_seqgan.support.errors import InputError
from fairseq_seqgan.support.npz import read_npz
from fairseq_seqgan.support.reading import MIB, read_bytes


@pytest.fixture
def pipe(tmp_path):
    """Return a named pipe to which nobody writes."""
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def test_a_named_pipe_is_refused(pipe):
    with no_hang(), pytest.raises(OSError, match="a pipe, not a file"):
        read_bytes(pipe, 10)


def commands(path):
    """Return the commands that read a file which a user names."""
    real = path.with_name("real.txt")
    real.write_text("1 2\n")
    yield ["show", "--samples", path, "--kind", "music", "--out", path.parent / "tunes"]
    yield ["turing-test", "build", "--real", path, "--system", f"a={real}", "--out", "page.html"]
    yield ["turing-test", "score", real, "--key", path]


def test_commands_refuse_a_named_pipe(pipe):
    for arguments in commands(pipe):
        with no_hang(), pytest.raises(InputError, match="a pipe, not a file"):
            main(list(map(str, arguments)))
    with no_hang(), pytest.raises(InputError, match="a pipe, not a file"):
        Oracle.load(pipe)


def test_an_open_pipe_is_read(tmp_path):
    """As ``show --samples <(fairseq-generate ...)`` gives it."""
    reader, writer = os.pipe()
    thread = threading.Thread(target=lambda: (os.write(writer, b"1 2\n"), os.close(writer)))
    thread.start()
    with no_hang():
        assert read_bytes(f"/dev/fd/{reader}", 10) == b"1 2\n"
    thread.join()
    os.close(reader)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("/dev/zero", "a device, not a file"),
        (".", "Is a directory"),
        ("no/such", "No such file"),
        ("a\0b", "not the name of a file"),
    ],
)
def test_what_is_no_file(name, expected):
    with no_hang(), pytest.raises(OSError, match=expected):
        read_bytes(name, 10)


def test_the_size_is_limited(tmp_path):
    (tmp_path / "a").write_bytes(bytes(11))
    assert len(read_bytes(tmp_path / "a", 11)) == 11
    with pytest.raises(OSError, match="larger than 0 MiB"):
        read_bytes(tmp_path / "a", 10)


# --- .npz


def npz(**arrays) -> bytes:
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return content.getvalue()


def member(shape: str) -> bytes:
    """Return an .npz whose array claims a *shape* and holds nothing."""
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    array = b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a.npy", array)
    return content.getvalue()


def test_arrays_are_read():
    found = read_npz(npz(a=np.arange(5), b=np.ones((2, 3))), 400)
    assert {name: array.shape for name, array in found.items()} == {"a": (5,), "b": (2, 3)}


@pytest.mark.parametrize("shape", ["(1000,)", "(1000000000,)", "(1000, 1000, 1000)"])
def test_a_header_is_enough_to_refuse(shape):
    """The size that a header states counts, before memory for it is taken."""
    with pytest.raises(ValueError, match="its arrays would take"):
        read_npz(member(shape), 1000)


def test_an_oracle_that_inflates(tmp_path, monkeypatch):
    """A few kilobytes that would take 16 MiB where 8 are the most: refused, and not unpacked."""
    path = tmp_path / "bomb.npz"
    path.write_bytes(npz(emb=np.zeros((16 * MIB // 4, 1), np.float32)))
    assert path.stat().st_size < MIB // 10
    monkeypatch.setattr(parameters, "MOST", 8 * MIB)
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("unpacked"))
    with pytest.raises(InputError, match=r"bomb\.npz.*its arrays would take 16 MiB; at most 8"):
        Oracle.load(path)


def test_a_pickle_that_inflates(tmp_path, monkeypatch):
    """One text that a pickle encodes again and again, as protocol 2 spells arrays."""
    text = pickle.dumps("x" * MIB, protocol=2)[2:-1]
    again = b"c_codecs\nencode\nh\x00X\x06\0\0\0latin1\x86R0"
    (tmp_path / "bomb.pkl").write_bytes(b"\x80\x02" + text + b"q\x00" + 20 * again + b".")
    monkeypatch.setattr(parameters._Unpickler, "_left", 8 * MIB)
    with pytest.raises(InputError, match="because of the text that it encodes"):
        Oracle.load(tmp_path / "bomb.pkl")


@pytest.mark.slow
def test_show_as_the_user_sees_it(pipe):
    result = command("show", "--samples", pipe, "--kind", "poem")
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1] == (f"error: {pipe}: cannot be read (a pipe, not a file)")
