"""``fairseq-seqgan export``: the generator alone, as a language model for any fairseq."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from .. import plugin  # noqa: F401  (checkpoints are read with its workarounds)
from ..policy.saved_model import load_language_model, trained_on
from ..support import (
    atomic_write,
    binarized_data,
    checkpoint_files,
    compat_models,
    input_checks,
)
from ..support.errors import InputError
from ..support.plain_checkpoint import FAIRSEQ_PIECES_MODEL, plain_language_model
from ..support.stored_options import stored_options
from . import outputs, user_module
from .inputs import read_dictionary

prepare = user_module.import_from

MODEL, DICTIONARY = "model.pt", "dict.txt"  # fairseq's from_pretrained looks for these names


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options to *parser*."""
    user_module.add_argument(parser)
    parser.add_argument(
        "checkpoint", type=Path, metavar="CHECKPOINT", help="of an adversarial or other training"
    )
    parser.add_argument(
        "out",
        type=Path,
        metavar="OUT",
        help=f"folder to make, with {MODEL} and {DICTIONARY}; a name that ends in .pt: the file "
        "alone",
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help=f"binarized data with the {DICTIONARY}; default: what the checkpoint was trained on",
    )


def run(args: argparse.Namespace) -> None:
    """Write the model that *args* ask for.

    Raises:
        InputError: the checkpoint cannot be used, or OUT exists: nothing is overwritten.
    """
    out: Path = args.out
    outputs.refuse_to_replace(out)
    data = args.data or Path(trained_on(args.checkpoint)[0])
    dictionary = read_dictionary(data)
    state = input_checks.checkpoint(str(args.checkpoint), dictionary)
    if options := stored_options(state, "model"):
        compat_models.require_language_model(options, f"{args.checkpoint}: its ")
    pieces = data / binarized_data.PIECES_MODEL
    whole = out.suffix != ".pt"
    model = plain_language_model(state, args.checkpoint, whole and pieces.is_file())
    if not whole:
        atomic_write.require_folder(out)
        checkpoint_files.save(model, str(out), resumes=False)
        size = out.stat().st_size
    else:
        try:
            with atomic_write.new_folder(out.resolve(), outputs.refuse_to_replace) as folder:
                checkpoint_files.save(model, str(folder / MODEL), resumes=False)
                shutil.copyfile(data / DICTIONARY, folder / DICTIONARY)
                if pieces.is_file():
                    shutil.copyfile(pieces, folder / FAIRSEQ_PIECES_MODEL)
                load_language_model(folder / MODEL, folder, dictionary)  # before it is there
                size = (folder / MODEL).stat().st_size
        except OSError as error:
            raise InputError(f"{error.filename or out}: {error.strerror}") from error
    before = args.checkpoint.stat().st_size
    print(f"{out}: a language model of {size:,} bytes, from a checkpoint of {before:,}")
