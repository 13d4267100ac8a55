"""Checks of the files that a user names; each mistake becomes one clear line."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from fairseq.data import Dictionary

from .binarized_data import require_unchanged
from .checkpoint_files import read_checkpoint
from .errors import InputError
from .stored_options import stored_options
from .vocabulary import require_same_words


def data_folder(path: str | None) -> None:
    """Check that *path* is a folder of binarized data.

    Raises:
        InputError: it, or its dictionary, is missing or empty, or the dictionary is malformed
            or not the one that ``stats.json`` names.
    """
    if not path:
        raise InputError("no data folder was given")
    if ":" in path and Path(path).is_dir():
        raise InputError(
            f"{path}: fairseq takes what stands between colons for several folders; rename this one"
        )
    folder = Path(path.split(":")[0])
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of binarized data")
    dictionary = folder / "dict.txt"
    if not dictionary.is_file():
        raise InputError(f"{dictionary}: missing; is {folder} what fairseq-preprocess wrote?")
    if dictionary.stat().st_size == 0:
        raise InputError(f"{dictionary}: empty")
    try:
        Dictionary.load(str(dictionary))
    except Exception as e:  # fairseq raises bare exceptions too
        reason = str(e).replace(str(dictionary), "the file").splitlines()[0]
        raise InputError(f"{dictionary}: not a dictionary ({reason[:200]})") from e
    require_unchanged(dictionary)


def checkpoint(path: str, dictionary: Dictionary) -> dict[str, Any]:
    """Return the checkpoint *path*, which was trained with *dictionary*.

    Raises:
        InputError: it is missing, damaged, not a fairseq checkpoint, of another vocabulary, or
            trained with ``--add-bos-token``.
    """
    state = read_checkpoint(path)
    try:
        weights = dict(state["model"])
    except (LookupError, TypeError, ValueError) as e:
        raise InputError(f"{path}: not a fairseq checkpoint (it holds no model)") from e
    if stored_options(state, "task").get("add_bos_token"):
        raise InputError(
            f"{path}: trained with --add-bos-token, with which fairseq trains and samples "
            "differently (two start symbols, and one); train without it"
        )
    for name, weight in weights.items():
        if name.endswith("embed_tokens.weight") and len(weight) != len(dictionary):
            raise InputError(
                f"{path}: trained with a dictionary of {len(weight)} symbols, "
                f"the data has {len(dictionary)}"
            )
    require_same_words(path, state, dictionary)
    return state


def sequence_lengths(
    sizes: np.ndarray, split: str, tokens_per_sample: int, fixed_length: int
) -> None:
    """Check the lengths of a split's sequences, *sizes*, which count eos.

    Raises:
        InputError: there is no sequence; one is longer than ``--tokens-per-sample``, which fairseq
            would skip silently; or one has another length than ``--fixed-length``.
    """
    if len(sizes) == 0:
        raise InputError(f"split '{split}' is empty")
    longest = int(sizes.max())
    if longest > tokens_per_sample:
        raise InputError(
            f"--tokens-per-sample {tokens_per_sample} is too short: the longest sequence of split "
            f"'{split}' has {longest} tokens with its end; say --tokens-per-sample {longest}"
        )
    if fixed_length:
        wrong = np.flatnonzero(np.asarray(sizes) != fixed_length + 1)
        if len(wrong):
            others = f", and {len(wrong) - 1} more have another length" if len(wrong) > 1 else ""
            raise InputError(
                f"--fixed-length {fixed_length}: sequence {wrong[0] + 1} of split '{split}' has "
                f"{int(sizes[wrong[0]]) - 1} tokens{others}"
            )


def room_for_longest(sizes: np.ndarray, split: str, option: str, most: int | None) -> None:
    """Check that *option* leaves room for the longest sequence of a split, of *sizes*.

    Args:
        most: tokens, the value of *option*; None: no limit.

    Raises:
        InputError: fairseq would fail when it makes the batches.
    """
    longest = int(sizes.max()) if len(sizes) else 0
    if most is not None and longest > most:
        raise InputError(
            f"{option} {most}: the longest sequence of split '{split}' has {longest} tokens with "
            "its end"
        )


def known_symbols(sequences: torch.Tensor, dictionary: Dictionary, source: str) -> None:
    """Check that *sequences* contain no symbol beyond the end of *dictionary*.

    Raises:
        InputError: names their *source*.
    """
    largest = int(sequences.max())
    if largest >= len(dictionary):
        raise InputError(
            f"{source}: holds the symbol {largest}, but dict.txt beside it makes a dictionary of "
            f"{len(dictionary)} symbols"
        )
