"""The discriminator in the checkpoint of an adversarial training, ready to score sequences."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from fairseq.data import Dictionary
from fairseq.models import BaseFairseqModel
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import Tensor

from ..models.discriminator import Discriminator, discriminators
from ..models.ensemble import build_discriminator
from ..policy.generate_options import check_guide, checkpoint_path
from ..policy.guided import Guide
from ..support.errors import NOT_REGISTERED, InputError
from ..support.eval_mode import eval_mode
from .discriminator_weights import read_discriminator
from .seqgan import make_config

logger = logging.getLogger(__name__)


class SavedDiscriminator(NamedTuple):
    """D as a training has left it."""

    net: Discriminator
    slope: float | None  # of its log-odds, fitted on held-out data; None: no validation stored one

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
    stored = read_discriminator(path, dictionary)
    known = OmegaConf.structured(make_config())
    # A checkpoint of an older version does not have all options, one of a newer version has more.
    options = {name: value for name, value in stored.options.items() if name in known}
    task = SimpleNamespace(source_dictionary=dictionary)
    name = options.get("discriminator")
    if isinstance(name, str) and name not in discriminators():
        raise InputError(f"{path}: its --discriminator {name} {NOT_REGISTERED}")
    try:
        options = OmegaConf.merge(known, options)
        net = build_discriminator(str(options.discriminator), options, task)
    except OmegaConfBaseException as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: an option of its discriminator is damaged ({reason})") from error
    try:
        net.load_state_dict(stored.weights)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise InputError(
            f"{path}: its discriminator is of another vocabulary or of another size than its "
            f"options say ({reason[:160]})"
        ) from error
    return SavedDiscriminator(net.to(device).eval(), stored.slope)


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
    path = checkpoint_path(options)
    if not path:
        raise InputError("--guide needs --path, a checkpoint that holds a discriminator")
    found = load_discriminator(path, dictionary, next(model.parameters()).device)
    return guide_from(found, path, options.guide, options.guide_scale)


def guide_from(found: SavedDiscriminator, path: str, candidates: int, scale: float | None) -> Guide:
    """Return what chooses among *candidates* by the D that was *found* in the checkpoint *path*.

    Args:
        scale: a, the factor of D's log-odds; None: the slope that is stored with D.

    Raises:
        InputError: the checkpoint holds no slope although *scale* is None.
    """
    slope = found.slope if scale is None else scale
    if slope is None:
        raise InputError(
            f"{path}: no slope is stored with its discriminator, because no validation measured "
            "it; give --guide-scale (in Python, guide_scale)"
        )
    if slope == 0:
        logger.warning(
            "--guide %d with a slope of 0 is plain sampling; a checkpoint stores 0 if its D knew "
            "nothing of held-out data",
            candidates,
        )
    return Guide(found.log_odds, slope, candidates)
