"""What a checkpoint of adversarial training holds of its discriminator."""

from __future__ import annotations

from typing import Any, NamedTuple

from fairseq.data import Dictionary
from torch import Tensor

from ..models.discriminator import Discriminator
from ..support.checkpoint_files import read_checkpoint
from ..support.errors import InputError, flag
from ..support.stored_options import stored_options, stored_task
from ..support.vocabulary import require_same_words

_PREFIX = "discriminator."
# Options that may differ between two trainings whose D has the same weights.
_NEVER_THE_REASON = {
    *("discriminator_from", "d_dropout", "d_token_dropout", "d_label_smoothing", "d_l2"),
    *("d_train_dtype", "d_score_dtype"),
}


class StoredDiscriminator(NamedTuple):
    """A discriminator as it is stored."""

    weights: dict[str, Tensor]  # its state_dict
    options: dict[str, Any]  # of the criterion that it was trained with; {} if unknown
    slope: float | None  # of its log-odds, fitted on held-out data; None: none is stored


def read_discriminator(path: str, dictionary: Dictionary) -> StoredDiscriminator:
    """Return what the checkpoint *path* holds of a discriminator for sequences of *dictionary*.

    Raises:
        InputError: it cannot be read, holds none, or was trained with other words.
    """
    state = read_checkpoint(path)
    found = state.get("criterion") if isinstance(state, dict) else None
    named = found.items() if isinstance(found, dict) else ()
    weights = {n.removeprefix(_PREFIX): w for n, w in named if str(n).startswith(_PREFIX)}
    if not weights:
        raise InputError(f"{path}: holds no discriminator; adversarial training stores one")
    require_same_words(path, state, dictionary)
    return StoredDiscriminator(weights, stored_options(state, "criterion"), _slope(state))


def take_over(
    net: Discriminator, path: str, dictionary: Dictionary, own_options: Any
) -> float | None:
    """Give *net* the weights of the discriminator in the checkpoint *path*; return its slope.

    Args:
        dictionary: of the sequences that *net* scores.
        own_options: of the criterion that *net* belongs to.

    Raises:
        InputError: there is none in it, or it is of another vocabulary or of another size; names
            the options that differ.
    """
    stored = read_discriminator(path, dictionary)
    try:
        net.load_state_dict(stored.weights)
    except RuntimeError as error:
        differ = [
            f"{flag(name)} {stored.options[name]} there and {value} here"
            for name, value in dict(own_options).items()
            if name in stored.options.keys() - _NEVER_THE_REASON
            and str(stored.options[name]) != str(value)
        ]
        reason = "; ".join(differ) or str(error).splitlines()[-1].strip()[:160]
        raise InputError(
            f"--discriminator-from {path}: its discriminator is another one ({reason})"
        ) from error
    return stored.slope


def _slope(state: dict[str, Any]) -> float | None:
    """Return the slope of the last validation; before one, that of the reward."""
    task = stored_task(state)
    slope = task.get("slope", task.get("reward_slope"))
    return float(slope) if isinstance(slope, float | int) else None
