"""Files of oracle parameters: the authors' pickle, the same as ``.npz``, and our own ``.npz``.

No code from a file is ever run: ``.npz`` is read with pickles forbidden, and a pickle is read by an
unpickler that accepts plain float arrays only.

Shapes: V symbols, E embedding and H hidden units.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..support import atomic_write
from ..support.errors import InputError
from ..support.npz import read_npz
from ..support.reading import MIB, read_bytes

MOST = 512 * MIB  # of a file, and of its arrays once they are unpacked; the paper's have 1.3 MiB
START_TOKEN = 0  # the authors' choice; also an ordinary token

# The order of the authors' file. Gates: input, forget, output, candidate (c); out: output layer.
GATES = "ifoc"
ARRAY_NAMES = ("emb", *(kind + gate for gate in GATES for kind in "WUb"), "Wout", "bout")


def read(path: str | Path) -> tuple[dict[str, np.ndarray], int]:
    """Return the arrays of a parameter file, unchecked, and its start token (0 if it names none).

    The content decides how it is read, not the file's extension.

    Raises:
        InputError: the file is missing, truncated or of another kind; the message names it.
    """
    try:
        content = read_bytes(path, MOST)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    kind, reader = ("npz", _read_npz) if content.startswith(b"PK") else ("pickle", _read_pickle)
    try:
        return reader(content)
    except Exception as error:  # damaged bytes can make either reader fail in any way
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: not a readable {kind} of an oracle: {reason}") from error


def write(path: str | Path, arrays: Mapping[str, np.ndarray], start_token: int) -> None:
    """Write a ``.npz`` file, whole or not at all; equal arrays give equal bytes.

    Raises:
        InputError: the file cannot be written.
    """
    content = io.BytesIO()
    np.savez(content, **arrays, start_token=np.array(start_token, "<i8"))
    atomic_write.write({Path(path): content.getvalue()})


def shapes(vocab: int, embed: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of every array, in the order of ``ARRAY_NAMES``, for the sizes V, E, H."""
    kinds = {"W": (embed, hidden), "U": (hidden, hidden), "b": (hidden,)}
    own = {"emb": (vocab, embed), "Wout": (hidden, vocab), "bout": (vocab,)}
    return {name: own.get(name) or kinds[name[0]] for name in ARRAY_NAMES}


def check(arrays: Mapping[str, np.ndarray], source: str) -> dict[str, np.ndarray]:
    """Return float32 copies of *arrays*; error messages begin with *source*.

    Raises:
        InputError: an array is missing, unexpected, of a wrong shape or type, or not finite.
    """
    for name in (*ARRAY_NAMES, *arrays):
        if name not in arrays:
            raise InputError(f"{source}: array {name} is missing")
        if name not in ARRAY_NAMES:
            raise InputError(f"{source}: array {name} is not one of {', '.join(ARRAY_NAMES)}")
    for name in ("emb", "Wi"):
        if arrays[name].ndim != 2 or arrays[name].size == 0:
            raise InputError(f"{source}: array {name} has shape {arrays[name].shape}, not (n, m)")
    result = {}
    vocab, embed = arrays["emb"].shape
    for name, shape in shapes(vocab, embed, arrays["Wi"].shape[1]).items():
        array = arrays[name]
        if array.shape != shape:
            raise InputError(f"{source}: array {name} has shape {array.shape}, not {shape}")
        if array.dtype.kind != "f":
            raise InputError(f"{source}: array {name} has type {array.dtype}, not float")
        with np.errstate(over="ignore"):
            result[name] = array.astype(np.float32)
        if not np.isfinite(result[name]).all():
            raise InputError(f"{source}: array {name} holds NaN or infinite numbers")
    return result


def _read_npz(content: bytes) -> tuple[dict[str, np.ndarray], int]:
    arrays = read_npz(content, MOST)
    start = arrays.pop("start_token", np.array(START_TOKEN))
    if start.shape != () or start.dtype.kind not in "iu":
        raise ValueError("start_token is not one integer")
    return arrays, int(start)


def _read_pickle(content: bytes) -> tuple[dict[str, np.ndarray], int]:
    # latin1: how Python 2 strings, the bytes of its arrays among them, are recovered.
    values = _Unpickler(io.BytesIO(content), encoding="latin1").load()
    if not isinstance(values, list | tuple) or not all(isinstance(v, _Array) for v in values):
        raise ValueError("it does not hold a list of arrays")
    if len(values) != len(ARRAY_NAMES):
        raise ValueError(f"it holds {len(values)} arrays, not {len(ARRAY_NAMES)}")
    arrays = {name: v.rebuild() for name, v in zip(ARRAY_NAMES, values, strict=True)}
    return arrays, START_TOKEN


class _Dtype:
    """Stands in for ``numpy.dtype`` while unpickling; it only remembers what it was told."""

    def __init__(self, code: str, *_: object) -> None:
        self.code = code

    def __setstate__(self, state: tuple) -> None:
        self.order = state[1]


class _Array:
    """Stands in for ``numpy.ndarray`` while unpickling.

    numpy's own classes trust a pickled state, down to raw memory taken for object pointers.
    """

    def __init__(self, *_: object) -> None:
        self.state: tuple = ()

    def __setstate__(self, state: tuple) -> None:
        self.state = state

    def rebuild(self) -> np.ndarray:
        _, shape, dtype, fortran, raw = self.state
        if not isinstance(dtype, _Dtype) or dtype.code not in ("f2", "f4", "f8"):
            raise ValueError("it holds an array that is not of floats")
        raw = raw.encode("latin1") if isinstance(raw, str) else raw
        flat = np.frombuffer(raw, np.dtype(f"{dtype.order}{dtype.code}"))
        return flat.reshape(shape, order="F" if fortran else "C")


class _BufferArray(_Array):
    """Stands in for numpy's function that rebuilds an array from pickle protocol 5."""

    def __init__(self, raw: bytes, dtype: _Dtype, shape: tuple, order: str) -> None:
        self.state = (1, shape, dtype, order == "F", raw)


class _Unpickler(pickle.Unpickler):
    """Reads lists of float arrays; refuses every global but those that stand for such arrays."""

    _left = MOST  # bytes that may still be made of texts, of which a pickle can name one many times

    def _encode(self, text: str, encoding: str) -> bytes:
        """Return the bytes that protocol 2 spells as latin1 text."""
        self._left -= len(text)
        if encoding != "latin1" or self._left < 0:
            raise pickle.UnpicklingError("refused, because of the text that it encodes")
        return text.encode(encoding)

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for a global that a pickle names."""
        module = module.replace("numpy._core", "numpy.core")  # numpy 2 moved it
        if (module, name) == ("_codecs", "encode"):
            return self._encode
        stand_in = _STAND_INS.get((module, name))
        if stand_in is None:
            raise pickle.UnpicklingError(f"refused, because it asks for {module}.{name}")
        return stand_in


_STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy.core.numeric", "_frombuffer"): _BufferArray,
}
