"""Checks of a user's input before training starts; each mistake becomes one clear line."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fairseq.data import Dictionary
from omegaconf import DictConfig

from . import compat_models, compat_rates, compat_stopping, distributed, training_options
from .binarized_data import require_unchanged
from .checkpoint_files import read_checkpoint
from .errors import InputError, flag
from .restart import find_restart, replace_damaged_last
from .stored_options import stored_options
from .vocabulary import require_same_words

logger = logging.getLogger(__name__)


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


def command(root: DictConfig, dictionary: Dictionary) -> dict[str, Any] | None:
    """Check the checkpoint that a command reads, and the options of a training outside the task.

    Args:
        root: the whole configuration of the command.

    Returns:
        The contents of the checkpoint that a training begins with; None: there is none.

    Raises:
        InputError: a checkpoint cannot be used, or an option does not fit adversarial training.
    """
    training_options.check(root)
    paths = root.common_eval.get("path") if root.get("common_eval") else None
    if paths:
        for path in paths.split(":"):
            checkpoint(path, dictionary)
    elif root.get("criterion"):
        return training_setup(root, dictionary)
    return None


def training_setup(root: DictConfig, dictionary: Dictionary) -> dict[str, Any] | None:
    """Check the options of a training that do not belong to the task; return its checkpoint.

    What fairseq does depends on that checkpoint, so the workarounds that need it begin here:
    another one in place of a damaged last one, the schedule of the rate, no epoch after the last
    update, and an adaptive softmax as the checkpoint has it.

    Raises:
        InputError: the checkpoint to start from cannot be used, or an option does not fit
            adversarial training.
    """
    if root.checkpoint.write_checkpoints_asynchronously:
        raise InputError(
            "--write-checkpoints-asynchronously: not with this task; fairseq would then write "
            "checkpoints in place, and no checkpoint_last.pt to resume from"
        )
    replace_damaged_last(root.checkpoint)
    restart = find_restart(root.checkpoint)
    state = None if restart.path is None else checkpoint(str(restart.path), dictionary)
    compat_rates.keep_plateaus(root, state if restart.optimizer else None)
    if root.criterion._name != "seqgan" and restart.optimizer and state is not None:
        compat_stopping.end_if_finished(root, state)
    if root.criterion._name != "seqgan":
        return state
    if state is not None:
        compat_models.build_adaptive_softmax(root.get("model"), state["model"])
    elif distributed.rank() == 0:
        logger.warning(
            "G begins with random weights: there is no checkpoint to begin with. The paper trains "
            "it by maximum likelihood first; then say --finetune-from-model LM.pt"
        )
    _adversarial_training(root)
    _arithmetic(root)
    return state


def _adversarial_training(root: DictConfig) -> None:
    """Check the options of fairseq's that adversarial training cannot be had with.

    Raises:
        InputError: names the option.
    """
    dataset = root.dataset
    if dataset.train_subset in dataset.valid_subset.split(",") and not dataset.disable_validation:
        raise InputError(
            f"--valid-subset {dataset.valid_subset}: adversarial training needs held-out data, and "
            f"'{dataset.train_subset}' is the training split itself"
        )
    if not (dataset.batch_size or dataset.max_tokens):
        raise InputError("--batch-size: at least 1 sequence is needed in a G step")
    if str(root.task.pretrain_d_keep) == "best" and (root.common.fp16 or root.common.bf16):
        raise InputError(
            "--pretrain-d-keep best: not with fp16 or bf16, whose optimizer has weights of its own"
        )
    if len(root.optimization.update_freq) > 1:
        raise InputError("--update-freq: adversarial training takes one value for all epochs")
    sharded = root.distributed_training
    if str(sharded.zero_sharding) != "none" or str(sharded.ddp_backend) == "fully_sharded":
        raise InputError(
            "--zero-sharding and --ddp-backend fully_sharded: not in adversarial training, whose "
            "checkpoints hold the optimizer's state of both nets as a whole"
        )


def _arithmetic(root: DictConfig) -> None:
    """Check the options of arithmetic in less than 32 bits.

    Raises:
        InputError: names the option.
    """
    common = root.common
    for name in ("memory_efficient_fp16", "memory_efficient_bf16"):
        if common[name]:
            option, plain = flag(name), name.removeprefix("memory_efficient_")
            raise InputError(f"{option}: not with --optimizer seqgan_adam; --{plain} works")
    if common.fp16 and not common.fp16_no_flatten_grads:  # with bf16 fairseq flattens nothing
        raise InputError(
            "--fp16 needs --fp16-no-flatten-grads: flattened, the two nets' parameters could not "
            "be told apart"
        )
    if common.fp16 or common.bf16:
        _half_precision(root)


def _half_precision(root: DictConfig) -> None:
    """Refuse the options that would do something else with ``--fp16`` and ``--bf16``.

    fairseq's optimizers clip the gradient of either net by ``--clip-norm``, and let ours clip it
    before it is divided by the number of sequences.
    """
    for option, value in (
        ("--clip-norm", root.optimization.clip_norm),
        ("--discriminator-clip-norm", root.optimizer.get("discriminator_clip_norm")),
        ("--rollout-ema-decay", root.task.rollout_ema_decay),  # an average would round to no change
    ):
        if value:
            raise InputError(
                f"{option} {value}: not with --fp16 and --bf16 in adversarial training"
            )


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
