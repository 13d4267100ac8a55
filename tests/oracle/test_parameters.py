"""Files of oracle parameters: exact, byte-equal, and no code of theirs is ever run."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from fairseq_seqgan.oracle.lstm import ARRAY_NAMES, Oracle
from fairseq_seqgan.support.errors import InputError


def small(seed: int = 1) -> Oracle:
    return Oracle.random(11, 3, 5, seed)


def assert_equal(first: Oracle, second: Oracle) -> None:
    assert first.start_token == second.start_token
    ours, theirs = first.arrays(), second.arrays()
    assert list(ours) == list(theirs) == list(ARRAY_NAMES)
    for name in ARRAY_NAMES:
        np.testing.assert_array_equal(ours[name], theirs[name])


def test_authors_pickle_and_npz_are_the_same_oracle(authors_pickle, authors_npz):
    oracle = Oracle.load(authors_pickle)
    assert (oracle.vocab_size, oracle.embed_dim, oracle.hidden_size) == (5000, 32, 32)
    assert oracle.start_token == 0
    assert_equal(oracle, Oracle.load(authors_npz))


def test_saving_and_loading_is_exact_and_byte_equal(tmp_path):
    oracle = small()
    oracle.start_token = 4
    for name in ("first.npz", "second"):  # the name has no say
        oracle.save(tmp_path / name)
        assert_equal(Oracle.load(tmp_path / name), oracle)
    assert (tmp_path / "first.npz").read_bytes() == (tmp_path / "second").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.npz", "second"]


def test_saved_file_needs_no_pickle_and_names_the_arrays(tmp_path):
    small().save(tmp_path / "oracle.npz")
    with np.load(tmp_path / "oracle.npz", allow_pickle=False) as file:
        assert set(file.files) == {*ARRAY_NAMES, "start_token"}


def test_failed_save_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "oracle.npz"
    small(seed=1).save(path)

    def fail(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)  # the content is written beside by then
    with pytest.raises(InputError, match="No space left"):
        small(seed=2).save(path)
    assert_equal(Oracle.load(path), small(seed=1))
    assert [p.name for p in tmp_path.iterdir()] == ["oracle.npz"]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("dtype", ["<f4", ">f8"])
def test_pickles_of_every_protocol_are_read(tmp_path, protocol, dtype):
    oracle = small()
    arrays = [array.astype(dtype) for array in oracle.arrays().values()]
    arrays[0] = np.asfortranarray(arrays[0])
    (tmp_path / "p.pkl").write_bytes(pickle.dumps(arrays, protocol=protocol))
    assert_equal(Oracle.load(tmp_path / "p.pkl"), oracle)


def test_pickle_by_numpy_2_is_read(tmp_path):
    content = pickle.dumps(list(small().arrays().values()), protocol=2)
    content = content.replace(b"cnumpy._core.", b"cnumpy.core.")
    assert b"cnumpy.core.multiarray\n" in content
    (tmp_path / "p.pkl").write_bytes(content.replace(b"cnumpy.core.", b"cnumpy._core."))
    assert_equal(Oracle.load(tmp_path / "p.pkl"), small())


class Command:
    """Unpickled by an ordinary unpickler, it runs a command that creates a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch '{self.marker}'",)


def test_pickle_that_runs_a_command_is_refused_and_not_run(tmp_path):
    marker = tmp_path / "executed"
    arrays: list = list(small().arrays().values())
    path = tmp_path / "p.pkl"
    path.write_bytes(pickle.dumps([*arrays[:-1], Command(marker)]))
    with pytest.raises(InputError, match=r"p\.pkl.*refused.*system"):
        Oracle.load(path)
    assert not marker.exists()
    pickle.loads(path.read_bytes())  # the proof that the file would have done it
    assert marker.exists()


@pytest.mark.parametrize(
    "value", [eval, print, np.load, np.core.multiarray.fromstring, pickle.loads, Path("x")]
)
def test_every_other_global_is_refused(tmp_path, value):
    (tmp_path / "p.pkl").write_bytes(pickle.dumps([value]))
    with pytest.raises(InputError, match="refused"):
        Oracle.load(tmp_path / "p.pkl")


def test_npz_with_pickled_objects_is_refused_and_not_run(tmp_path):
    arrays = small().arrays()
    arrays["bout"] = np.array([Command(tmp_path / "executed")], dtype=object)
    np.savez(tmp_path / "p.npz", **arrays)
    with pytest.raises(InputError, match=r"p\.npz.*npz.*not an array of numbers"):
        Oracle.load(tmp_path / "p.npz")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("kind", ["npz", "pickle"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_truncated_files_are_named(tmp_path, kind, share):
    path = tmp_path / "cut.file"
    if kind == "npz":
        small().save(path)
    else:
        path.write_bytes(pickle.dumps(list(small().arrays().values())))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"cut\.file: not a readable") as caught:
        Oracle.load(path)
    assert "\n" not in str(caught.value)


def test_damaged_npz_is_named(tmp_path):
    small().save(tmp_path / "bad.npz")
    content = bytearray((tmp_path / "bad.npz").read_bytes())
    content[300] ^= 1  # inside the numbers of the first array: only the checksum can tell
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.npz.*CRC"):
        Oracle.load(tmp_path / "bad.npz")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"weights": 1}, "does not hold a list of arrays"),
        ([1.0] * 15, "does not hold a list of arrays"),
        ([np.zeros((2, 2), "f4")] * 14, "holds 14 arrays, not 15"),
        ([np.zeros((2, 2), "i4")] * 15, "not of floats"),
        ([np.array([None])] * 15, "not of floats"),
        ([np.zeros((2, 2), "f4")] * 15, r"array bi has shape \(2, 2\)"),
    ],
)
def test_pickles_of_something_else_are_refused(tmp_path, values, message):
    (tmp_path / "p.pkl").write_bytes(pickle.dumps(values))
    with pytest.raises(InputError, match=message):
        Oracle.load(tmp_path / "p.pkl")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Uf": None}, "array Uf is missing"),
        ({"more": np.zeros(3)}, "array more is not one of"),
        ({"emb": np.zeros(11)}, r"array emb has shape \(11,\)"),
        ({"Wi": np.zeros((3, 0))}, r"array Wi has shape \(3, 0\)"),
        ({"Uc": np.zeros((5, 4))}, r"array Uc has shape \(5, 4\), not \(5, 5\)"),
        ({"Wout": np.zeros((11, 5))}, r"array Wout has shape \(11, 5\), not \(5, 11\)"),
        ({"bo": np.zeros(5, dtype=int)}, "array bo has type int64, not float"),
        ({"bo": np.array([0, 0, np.nan, 0, 0])}, "array bo holds NaN"),
        ({"bo": np.array([0, 0, 1e300, 0, 0])}, "array bo holds NaN or infinite"),
        ({"start_token": np.array(11)}, r"start token 11 is not in 0\.\.10"),
        ({"start_token": np.array([0, 1])}, "start_token is not one integer"),
        ({"start_token": np.array(0.5)}, "start_token is not one integer"),
    ],
)
def test_wrong_arrays_are_named(tmp_path, change, message):
    arrays = {n: a for n, a in {**small().arrays(), **change}.items() if a is not None}
    np.savez(tmp_path / "wrong.npz", **arrays)
    with pytest.raises(InputError, match=rf"wrong\.npz: .*{message}"):
        Oracle.load(tmp_path / "wrong.npz")


def test_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.npz: No such file"):
        Oracle.load(tmp_path / "none.npz")
    with pytest.raises(InputError, match="Is a directory"):
        Oracle.load(tmp_path)
    with pytest.raises(InputError, match="No such file"):
        small().save(tmp_path / "no folder" / "oracle.npz")
