"""Reading a ``.npz`` file without unpacking more than memory holds."""

from __future__ import annotations

import io
import math
import zipfile

import numpy as np

from .reading import MIB


def read_npz(content: bytes, most: int) -> dict[str, np.ndarray]:
    """Return the arrays of the ``.npz`` file *content*, which take at most *most* bytes together.

    What they take is known from the headers: no array is unpacked before all have been looked at.

    Raises:
        ValueError: they take more, or one is not of numbers. Damaged bytes can raise any other
            exception of ``zipfile`` and numpy.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        # zipfile unpacks no more of a member than its directory states.
        total = sum(member.file_size for member in members)
        if total <= most:
            total = sum(max(each.file_size, _array_size(archive, each)) for each in members)
        if total > most:
            raise ValueError(
                f"its arrays would take {total // MIB:,} MiB; at most {most // MIB:,} are read"
            )
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _array_size(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """Return how many bytes the array in *member* takes, from its header."""
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read_header is None:
            raise ValueError(f"{member.filename} is of an unknown version")
        shape, _, dtype = read_header(file)
    if dtype.hasobject:
        raise ValueError(f"{member.filename} is not an array of numbers")
    return math.prod(shape) * dtype.itemsize
