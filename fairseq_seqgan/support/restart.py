"""Which checkpoint fairseq begins a training with, and what it takes over from it."""

from pathlib import Path
from typing import NamedTuple

from omegaconf import DictConfig

from .checkpoint_files import LAST, whole_last
from .errors import InputError, flag

DEFAULT = LAST  # of --restore-file
_RESETS = ("reset_optimizer", "reset_lr_scheduler", "reset_meters", "reset_dataloader")


class Restart(NamedTuple):
    """What ``fairseq.checkpoint_utils.load_checkpoint`` is about to do.

    fairseq stores the number of updates with the optimizer's state, and the epoch with the data
    iterator's. Each can be left behind without the other.
    """

    path: Path | None = None  # the checkpoint; None: there is none, the nets begin as they are
    optimizer: bool = False  # its optimizer and its number of updates are taken over
    iterator: bool = False  # its epoch and the task's own state are taken over


def find_restart(options: DictConfig) -> Restart:
    """Return what fairseq will do with its *options* of group ``checkpoint``.

    Raises:
        InputError: ``--restore-file`` or ``--continue-once`` does not exist; fairseq would begin
            with random nets. Or ``--finetune-from-model`` stands beside an option that contradicts
            it.
    """
    path = Path(options.restore_file)
    contradicts = [flag(name) for name in _RESETS if options.get(name)]
    if options.restore_file != DEFAULT:
        contradicts.append("--restore-file")
    if options.finetune_from_model and contradicts:
        raise InputError(
            f"{contradicts[0]} with --finetune-from-model: they say differently what the training "
            "begins with; leave one away"
        )
    if options.restore_file == DEFAULT:
        path = Path(options.save_dir, DEFAULT)
        if not path.is_file() and options.get("continue_once"):
            path = Path(options.continue_once)
            if not path.is_file():
                raise InputError(f"--continue-once {path}: no such checkpoint")
        elif not path.is_file() and options.finetune_from_model:
            return Restart(Path(options.finetune_from_model))
    elif not path.is_file():
        raise InputError(f"--restore-file {path}: no such checkpoint")
    if not path.is_file():
        return Restart()
    return Restart(path, not options.reset_optimizer, not options.reset_dataloader)


def replace_damaged_last(options: DictConfig) -> None:
    """Let fairseq resume from the newest whole checkpoint if the last one is damaged.

    It is as if ``--restore-file`` named that one, which *options*, of group ``checkpoint``, say
    afterwards.

    Raises:
        InputError: the last one is damaged, and no other is whole.
    """
    last = Path(options.save_dir, LAST)
    if options.restore_file == DEFAULT and last.is_file():
        whole = whole_last(last.parent)
        if whole != last:
            options.restore_file = str(whole)
            options.finetune_from_model = None  # fairseq takes one of the two
