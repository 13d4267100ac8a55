"""``fairseq-seqgan run-folder``: a checkpoint and its samples as one row of a report.

It measures what ``evaluate`` measures and writes the folder that ``docs/run-folders.md`` describes.
What the row is called and what it is follows from the checkpoint, unless an option says otherwise.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from .. import plugin  # noqa: F401  (checkpoints are read with its workarounds)
from ..metrics import base
from ..metrics.bleu_scores import ORDERS
from ..policy.saved_model import trained_on
from ..reporting import run_folder, training_log
from ..support import atomic_write, option_values
from ..support.checkpoint_files import read_checkpoint
from ..support.errors import InputError
from ..support.reading import MIB, read_bytes
from ..support.stored_options import check_groups
from . import evaluate, outputs, user_module
from .inputs import default_split, read_dictionary

prepare = user_module.import_from

CONTROLS = ("constant", "random", "shuffled")  # rewards that say nothing about the sequence
_MOST = 512 * MIB  # of a log or an oracle


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options to *parser*."""
    user_module.add_argument(parser)
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="of the model")
    parser.add_argument(
        "--samples",
        type=Path,
        required=True,
        metavar="FILE",
        help="of the model: one a line, or what fairseq-generate printed",
    )
    parser.add_argument(
        "--dest", type=Path, required=True, metavar="FOLDER", help="to make, such as runs/seqgan"
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="binarized data; default: what the checkpoint was trained on",
    )
    parser.add_argument("--oracle", type=Path, metavar="FILE", help="that wrote the data")
    parser.add_argument(
        "--system",
        metavar="NAME",
        help="of the row; its seeds share it; default: the name of the folder",
    )
    parser.add_argument(
        "--label", metavar="TEXT", help="that the report shows; default: NAME and T"
    )
    parser.add_argument("--kind", choices=run_folder.KINDS, help="default: by the training")
    parser.add_argument(
        "--selection",
        choices=run_folder.SELECTIONS,
        help="which checkpoint of the training; default: by its name",
    )
    parser.add_argument(
        "--seed",
        type=option_values.seed,
        metavar="N",
        help="of the training; default: the one it had",
    )
    parser.add_argument(
        "--temperature",
        type=float,
        default=1.0,
        metavar="T",
        help="of the samples; default %(default)s",
    )
    parser.add_argument(
        "--num-eval-samples",
        type=int,
        default=1000,
        metavar="N",
        help="fresh samples for the entropy; default %(default)s",
    )
    parser.add_argument(
        "--log",
        type=Path,
        metavar="FILE",
        help="what fairseq-train --log-format json printed, for the learning curves",
    )
    parser.add_argument(
        "--start",
        default="mle",
        metavar="NAME",
        help="with --log: the system that adversarial training began with; default %(default)s",
    )


def run(args: argparse.Namespace) -> None:
    """Measure, and write the folder.

    Raises:
        InputError: a file or option cannot be used; nothing has been written then.
    """
    option_values.positive(num_eval_samples=args.num_eval_samples, temperature=args.temperature)
    option_values.encodable(dest=args.dest, system=args.system, label=args.label, start=args.start)
    _check_dest(args.dest)
    log = None if args.log is None else _read_log(args.log)
    state = read_checkpoint(args.checkpoint)
    check_groups(state, args.checkpoint)
    data = args.data or _whole_data(args.checkpoint)
    about = describe(args, state.get("cfg") or {}, data)
    found = measure(args, data, about["seed"])
    scores = io.BytesIO()
    np.savez(scores, **found.per_sample)
    metrics = json.dumps(found.as_json(), indent=2, allow_nan=False)
    try:
        with atomic_write.new_folder(args.dest.resolve(), outputs.refuse_to_replace) as folder:
            if log is not None:
                (folder / run_folder.LOG).write_bytes(log)
            (folder / run_folder.METRICS).write_text(f"{metrics}\n", encoding="utf-8")
            (folder / run_folder.SCORES).write_bytes(scores.getvalue())
            text = json.dumps(about, indent=2, ensure_ascii=False)
            (folder / run_folder.RUN).write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{error.filename or args.dest}: {error.strerror}") from error
    print(f"{args.dest}: {about['label']}, seed {about['seed']}, {about['selection']}")


def measure(args: argparse.Namespace, data: Path, seed: int) -> evaluate.Evaluation:
    """Return what ``evaluate`` measures, with BLEU of a few orders or, with an oracle, NLL_oracle.

    Raises:
        InputError: a file or option cannot be used.
    """
    words: list[object] = ["--samples", args.samples, "--data", data, "--model", args.checkpoint]
    words += ["--temperature", args.temperature, "--seed", seed]
    words += ["--num-eval-samples", args.num_eval_samples]
    # Without an oracle, BLEU is the score of a sample.
    words += ["--oracle", args.oracle] if args.oracle else ["--bleu", *ORDERS]
    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    options = parser.parse_args([str(word) for word in words])
    return evaluate.evaluate(options, base.select(options))


def describe(args: argparse.Namespace, config: dict[str, Any], data: Path) -> dict[str, Any]:
    """Return ``run.json``.

    Args:
        config: the options that the checkpoint was trained with.
    """
    adversarial = (config.get("criterion") or {}).get("_name") == "seqgan"
    task = config.get("task") or {}
    kind = "baseline"
    if adversarial:
        kind = "control" if task.get("reward") in CONTROLS else "system"
    name = args.system or args.dest.resolve().name
    at = "" if args.temperature == 1.0 else f", T = {args.temperature:g}"
    seed = (config.get("common") or {}).get("seed", 1) if args.seed is None else args.seed
    if not isinstance(seed, int) or seed < 0:
        raise InputError(f"{args.checkpoint}: its seed is {str(seed)[:60]}; give another --seed")
    best = run_folder.BEST if "best" in args.checkpoint.name else run_folder.LAST
    about = {
        "format": run_folder.FORMAT,
        "system": name,
        "label": args.label or name + at,
        "kind": args.kind or kind,
        "selection": args.selection or best,
        "temperature": args.temperature,
        "seed": seed,
        "data": identity(data),
        "vocab_size": len(read_dictionary(data)) - 4,  # without fairseq's special symbols
        "date": datetime.now(UTC).date().isoformat(),
    }
    if args.oracle is not None:
        about["oracle"] = hashlib.sha256(_read(args.oracle, _MOST)).hexdigest()
    if args.log is not None:
        about["training"] = _training(args, config, adversarial)
    return {**about, "finished": True}


def _training(
    args: argparse.Namespace, config: dict[str, Any], adversarial: bool
) -> dict[str, Any]:
    """Return what the learning curves need to know."""
    if not adversarial:
        return {"phase": run_folder.PRETRAINING}
    task = config.get("task") or {}
    for name in ("g_steps", "pretrain_d_steps"):
        if not isinstance(task.get(name), int):
            raise InputError(f"{args.checkpoint}: its options lack '{name}', which --log needs")
    begin = str((config.get("checkpoint") or {}).get("finetune_from_model"))
    selection = run_folder.BEST if "best" in Path(begin).name else run_folder.LAST
    return {
        "phase": run_folder.FINE_TUNING,
        "start": {"system": args.start, "selection": selection},
        "g_steps": task["g_steps"],
        "pretrain_d_steps": task["pretrain_d_steps"],
    }


def _whole_data(checkpoint: Path) -> Path:
    """Return the folder that *checkpoint* was trained on.

    Raises:
        InputError: there were several: what was copied from the others would not be counted.
    """
    first, *others = trained_on(checkpoint)
    if others:
        raise InputError(
            f"{checkpoint}: was trained on {1 + len(others)} shards; give --data, a folder that "
            "holds all training sequences"
        )
    return Path(first)


def identity(data: Path) -> str:
    """Return a checksum of the dictionary, the training data and the held-out data."""
    digest = hashlib.sha256()
    for name in ("dict.txt", "train.bin", f"{default_split(data)}.bin"):
        path = data / name
        digest.update(_read(path, path.stat().st_size if path.is_file() else 0))
    return digest.hexdigest()


def _read(path: Path, most: int) -> bytes:
    try:
        return read_bytes(path, most)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def _read_log(path: Path) -> bytes:
    """Return the log *path*, in which a report finds validations."""
    content = _read(path, _MOST)
    if not training_log.in_order(content.decode("utf-8", errors="replace").splitlines()):
        raise InputError(
            f"--log {path}: logs no validation in JSON; train with --log-format json, or leave "
            "--log out"
        )
    return content


def _check_dest(dest: Path) -> None:
    """Check, before any work, that the folder *dest* can be made."""
    outputs.refuse_to_replace(dest)
    above = next(parent for parent in dest.absolute().parents if parent.exists())
    if not above.is_dir():
        raise InputError(f"--dest {dest}: {above} is no folder")
