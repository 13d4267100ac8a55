"""The discriminator in the checkpoint of an adversarial training, ready to score sequences."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from fairseq.data import Dictionary
from fairseq.models import BaseFairseqModel
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import Tensor

from ..models.discriminator import Discriminator
from ..models.ensemble import build_discriminator
from ..policy.fairseq_generate import check_guide
from ..policy.guided import Guide
from ..support import compat
from ..support.errors import InputError
from ..support.eval_mode import eval_mode
from ..support.input_checks import read_checkpoint
from .seqgan import make_config

_PREFIX = "discriminator."


class SavedDiscriminator(NamedTuple):
    """D as a training has left it."""

    net: Discriminator
    slope: (
        float | None
    )  # of its log-odds, fitted on held-out data; None: it is not in the checkpoint

    @torch.no_grad()
    def log_odds(self, tokens: Tensor) -> Tensor:
        """Return d(x) = log D(x) - log(1 - D(x)) (R,) in nats of *tokens* (R, T), padded."""
        device = next(self.net.parameters()).device
        with eval_mode(self.net):
            return self.net.score(tokens.long().to(device), log_odds=True).cpu()


def load_discriminator(
    path: str, dictionary: Dictionary, device: torch.device | str = "cpu"
) -> SavedDiscriminator:
    """Return the discriminator in the checkpoint *path*, for sequences of *dictionary*.

    Raises:
        InputError: there is none in it, or it is of another vocabulary or of an unknown kind.
    """
    state = read_checkpoint(path)
    weights = state.get("criterion") if isinstance(state, dict) else None
    if not isinstance(weights, dict) or not any(str(n).startswith(_PREFIX) for n in weights):
        raise InputError(f"{path}: holds no discriminator; adversarial training stores one")
    known = OmegaConf.structured(make_config())
    # A checkpoint of an older version does not have all options, one of a newer version has more.
    stored = {n: value for n, value in _criterion_options(state).items() if n in known}
    task = SimpleNamespace(source_dictionary=dictionary)
    try:
        options = OmegaConf.merge(known, stored)
        net = build_discriminator(str(options.discriminator), options, task)
    except OmegaConfBaseException as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: an option of its discriminator is damaged ({reason})") from error
    own = {n.removeprefix(_PREFIX): w for n, w in weights.items() if str(n).startswith(_PREFIX)}
    try:
        net.load_state_dict(own)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise InputError(
            f"{path}: its discriminator is of another vocabulary or of another size than its "
            f"options say ({reason[:160]})"
        ) from error
    return SavedDiscriminator(net.to(device).eval(), _slope(state))


def _criterion_options(state: dict[str, Any]) -> dict[str, Any]:
    """Return the options of the criterion that the checkpoint was trained with; {} if unknown."""
    cfg = state.get("cfg")
    options = cfg.get("criterion") if isinstance(cfg, dict) or OmegaConf.is_config(cfg) else None
    if OmegaConf.is_config(options):
        options = OmegaConf.to_container(options, resolve=True)
    return options if isinstance(options, dict) else {}


def _slope(state: dict[str, Any]) -> float | None:
    """Return the slope that the task has stored."""
    extra = state.get("extra_state")
    task = extra.get("SeqGANTask") if isinstance(extra, dict) else None
    slope = task.get("slope") if isinstance(task, dict) else None
    return float(slope) if isinstance(slope, float | int) else None


def load_guide(options: Any, dictionary: Dictionary, model: BaseFairseqModel) -> Guide | None:
    """Return what chooses among the candidates of ``--guide``; None: it is not asked for.

    Args:
        options: the task's, in a command that reads a checkpoint (``--path``).
        dictionary: of the data.
        model: the generator; D is put on its device.

    Raises:
        InputError: an option is out of range, or the checkpoint holds no D or no slope.
    """
    check_guide(options)
    if options.guide == 1:
        return None
    path = compat.root_config(options).common_eval.path
    found = load_discriminator(path, dictionary, next(model.parameters()).device)
    slope = found.slope if options.guide_scale is None else options.guide_scale
    if slope is None:
        raise InputError(
            f"{path}: no slope is stored with its discriminator, because no validation measured "
            "it; give --guide-scale"
        )
    return Guide(found.log_odds, slope, options.guide)
