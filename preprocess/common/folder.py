"""The folder that a preprocess script makes: complete or not there at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fairseq_seqgan.support import atomic_write
from fairseq_seqgan.support.errors import InputError

SPLITS = ("train", "valid", "test")
_OWN_FILES = {
    "dict.txt",
    "stats.json",
    *(f"{split}.{ending}" for split in SPLITS for ending in ("txt", "bin", "idx")),
}


@contextmanager
def new_folder(
    dest: str | Path, overwrite: bool = False, extra_files: tuple[str, ...] = ()
) -> Iterator[Path]:
    """Yield a folder to write in, which becomes *dest* if the block ends without error.

    With *overwrite* an existing *dest* is replaced, but only if all that it holds are files of the
    layout (see ``binarize.py``) and *extra_files*: a mistyped path must not delete a user's folder.

    Raises:
        InputError: *dest* may not be replaced, or a file or folder cannot be written.
    """
    dest = Path(dest).resolve()
    try:
        _refuse_to_lose(dest, overwrite, _OWN_FILES.union(extra_files))
        with atomic_write.new_folder(dest) as folder:
            yield folder
    except OSError as error:
        raise InputError(f"{error.filename or dest}: {error.strerror or error}") from error


def _refuse_to_lose(dest: Path, overwrite: bool, own_files: set[str]) -> None:
    if not dest.exists():
        return
    if not dest.is_dir():
        raise InputError(f"{dest}: exists and is not a folder")
    names = sorted(path.name for path in dest.iterdir())
    if names and not overwrite:
        raise InputError(f"{dest}: is not empty; give --overwrite to replace it")
    for name in names:
        if name not in own_files or not (dest / name).is_file():
            raise InputError(f"{dest}: not replaced, because {name} in it is not of this script")
