"""The folder that a preprocess script makes: complete or not there at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fairseq_seqgan.support import atomic_write
from fairseq_seqgan.support.binarized_data import FILES, STATS, digest, stated_digests
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

    With *overwrite* an existing *dest* is replaced, but only if it holds nothing else than what a
    script has made: files of the layout (see ``binarize.py``) and *extra_files*, each with the
    SHA-256 that ``stats.json`` states. Neither a mistyped path nor a later edit is lost.

    Raises:
        InputError: *dest* may not be replaced, or a file or folder cannot be written.
    """
    dest = Path(dest).resolve()
    try:

        def check(folder: Path) -> None:
            _refuse_to_lose(folder, dest, overwrite, _OWN_FILES.union(extra_files))

        check(dest)
        with atomic_write.new_folder(dest, check) as folder:
            yield folder
    except OSError as error:
        raise InputError(f"{error.filename or dest}: {error.strerror or error}") from error


def write_stats(folder: Path, stats: dict[str, object]) -> None:
    """Write ``stats.json``: *stats*, and the SHA-256 of all files that *folder* holds by now."""
    names = sorted(path.name for path in folder.iterdir())
    stats = {**stats, FILES: {name: digest(folder / name) for name in names}}
    text = json.dumps(stats, indent=2, ensure_ascii=False)
    # A file name that is not UTF-8 is written as JSON writes it: \\udce9.
    (folder / STATS).write_bytes((text + "\n").encode("utf-8", "backslashreplace"))


def _refuse_to_lose(folder: Path, dest: Path, overwrite: bool, own_files: set[str]) -> None:
    """Check that *folder*, which stands at *dest* or did so, may be removed."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{dest}: exists and is not a folder")
    names = sorted(path.name for path in folder.iterdir())
    if names and not overwrite:
        raise InputError(f"{dest}: is not empty; give --overwrite to replace it")
    for name in names:
        path = folder / name
        if name not in own_files or path.is_symlink() or not path.is_file():
            raise InputError(f"{dest}: not replaced, because {name} in it is not of this script")
    made = stated_digests(folder)
    for name in names:
        as_made = bool(made) if name == STATS else made.get(name) == digest(folder / name)
        if not as_made:
            raise InputError(
                f"{dest}: not replaced, because {name} in it is not as this script wrote it; move "
                "the folder away, or name a new one"
            )
