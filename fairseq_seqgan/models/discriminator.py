"""The interface of a discriminator D, and the options that all discriminators share.

A new discriminator is one file: a subclass of :class:`Discriminator` with fairseq's
``@register_model("name", dataclass=...)``. ``--discriminator name`` then finds it, and the fields
of its dataclass become options (docs/extending.md).

Shapes: R sequences, B sequences of a G step, P prefixes, N rollouts of each, T tokens.
"""

import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from fairseq.dataclass import FairseqDataclass
from fairseq.models import MODEL_DATACLASS_REGISTRY, MODEL_REGISTRY, BaseFairseqModel
from torch import Tensor, nn

from ..support.errors import InputError

FAKE, REAL = 0, 1  # the two classes, and the columns of D's output


@dataclass
class DiscriminatorConfig(FairseqDataclass):
    """Options that every discriminator has. The defaults are the authors' settings."""

    d_embed_dim: int = field(default=64, metadata={"help": "size of D's embedding of a token"})
    d_dropout: float = field(
        default=0.25, metadata={"help": "dropout before D's output layer, while D is trained"}
    )
    d_l2: float = field(
        default=0.2,
        metadata={"help": "weight of 1/2 |w|^2 over D's output layer alone, added to D's loss"},
    )


def check_shared_options(cfg: DiscriminatorConfig) -> None:
    """Check the options that every discriminator has.

    Raises:
        InputError: names the option.
    """
    if not 0 <= cfg.d_dropout < 1:
        raise InputError(f"--d-dropout is {cfg.d_dropout}: it must be in [0, 1)")
    if not 0 <= cfg.d_l2 < math.inf:
        raise InputError(f"--d-l2 is {cfg.d_l2}: it must be 0 or more")
    if cfg.d_embed_dim < 1:
        raise InputError(f"--d-embed-dim is {cfg.d_embed_dim}: at least 1 is needed")


class Discriminator(BaseFairseqModel):
    """D, the probability that a finished sequence is real.

    A subclass implements ``build_model(cfg, task)``, as fairseq asks of every model, and
    :meth:`forward`. The other methods have defaults; override one where it can be computed faster
    or better.
    """

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits (R, 2) of FAKE and REAL for *tokens* (R, T), padded at the end."""
        raise NotImplementedError(f"{type(self).__name__} does not implement forward")

    def check_length(self, length: int) -> None:
        """Check that sequences of at most *length* tokens are long enough for D.

        Raises:
            InputError: names the option with which D could not read them.
        """

    def penalty(self) -> Tensor | float:
        """Return the penalty that is added to D's mean cross-entropy; 0 unless overridden."""
        return 0.0

    def loss(
        self, tokens: Tensor, labels: Tensor, label_smoothing: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """Return D's loss, a mean over sequences in nats, and its logits (R, 2).

        With x_r the sequences, y_r their *labels* (R,) and s = *label_smoothing*, it is

            -1/R Σ_r [(1 - s/2) log P(y_r | x_r) + s/2 log P(1 - y_r | x_r)] + penalty,

        which is Eq. 5 of the paper for s = 0 and as many real as generated sequences.
        """
        logits = self(tokens).float()
        loss = F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
        return loss + self.penalty(), logits

    @torch.no_grad()
    def score(self, tokens: Tensor, batch_size: int = 512, *, log_odds: bool = False) -> Tensor:
        """Return D(Y), the probability of REAL, for *tokens* (R, T), as float32 (R,).

        With *log_odds*, return log D(Y) - log(1 - D(Y)) in nats instead, which does not saturate.
        The caller chooses train or eval mode; rewards are scored in eval mode.
        """
        logits = [self(part) for part in tokens.split(batch_size)]
        return real_class_score(torch.cat(logits).float(), log_odds)

    @torch.no_grad()
    def score_completions(
        self,
        tokens: Tensor,
        completions: Tensor,
        sequence: Tensor,
        step: Tensor,
        *,
        log_odds: bool = False,
    ) -> Tensor:
        """Return what :meth:`score` returns for *completions* (P, N, T), as (P, N).

        Completion p begins with the first ``step[p] + 1`` tokens of row ``sequence[p]`` of *tokens*
        (B, T). A discriminator can use that to read each prefix once instead of N times.
        """
        prefixes, rollouts, _ = completions.shape
        if not prefixes:
            return torch.empty(prefixes, rollouts, device=completions.device)
        scores = self.score(completions.flatten(0, 1), log_odds=log_odds)
        return scores.view(prefixes, rollouts)


def real_class_score(logits: Tensor, log_odds: bool) -> Tensor:
    """Return the probability of REAL (R,), or its log-odds in nats, of *logits* (R, 2)."""
    return logits[:, REAL] - logits[:, FAKE] if log_odds else logits.softmax(dim=1)[:, REAL]


def l2_penalty(layer: nn.Linear, weight: float) -> Tensor:
    """Return *weight* × ½(|W|² + |b|²) of *layer*; ``--d-l2`` applies it to D's output layer."""
    squares = layer.weight.square().sum() + layer.bias.square().sum()
    return weight * 0.5 * squares


def discriminators() -> dict[str, type[DiscriminatorConfig]]:
    """Return the options of every registered discriminator, by name."""
    return {
        name: MODEL_DATACLASS_REGISTRY.get(name) or DiscriminatorConfig
        for name, cls in MODEL_REGISTRY.items()
        if issubclass(cls, Discriminator)
    }
