"""Several discriminators as one, and the choice of ``--discriminator``.

Shapes: M members, R sequences, P prefixes, N rollouts of each, T tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from fairseq.models import MODEL_REGISTRY
from torch import Tensor, nn

from ..support.errors import InputError
from .discriminator import Discriminator, discriminators


class DiscriminatorEnsemble(Discriminator):
    """M discriminators that differ in their first weights and in their dropout.

    Its log-odds are the mean of the members' log-odds:

        d(x) = 1/M Σ_m [log D_m(x) - log(1 - D_m(x))],    D(x) = 1 / (1 + exp(-d(x))).

    Every member has a loss of its own, so each is trained as it would be alone; only
    ``--discriminator-clip-norm`` bounds the gradient of all of them together.
    """

    def __init__(self, members: list[Discriminator]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the mean of the members' logits (R, 2), whose log-odds are the mean log-odds."""
        return torch.stack([member(tokens).float() for member in self.members]).mean(dim=0)

    def loss(
        self, tokens: Tensor, labels: Tensor, label_smoothing: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """Return the sum of the members' losses, and the mean of their logits (R, 2)."""
        losses, logits = zip(
            *(member.loss(tokens, labels, label_smoothing) for member in self.members), strict=True
        )
        return torch.stack(losses).sum(), torch.stack(logits).mean(dim=0)

    def check_length(self, length: int) -> None:
        """Check that sequences of at most *length* tokens are long enough for every member."""
        self.members[0].check_length(length)

    def penalty(self) -> Tensor:
        """Return the sum of the members' penalties."""
        return torch.stack([torch.as_tensor(member.penalty()) for member in self.members]).sum()

    @torch.no_grad()
    def score(self, tokens: Tensor, batch_size: int = 512, *, log_odds: bool = False) -> Tensor:
        """Return D(Y) (R,) or its log-odds, as :meth:`Discriminator.score`."""
        return self._mean(lambda member: member.score(tokens, batch_size, log_odds=True), log_odds)

    @torch.no_grad()
    def score_completions(self, *rollouts: Tensor, log_odds: bool = False) -> Tensor:
        """Return D(Y) (P, N) or its log-odds, as :meth:`Discriminator.score_completions`."""
        return self._mean(
            lambda member: member.score_completions(*rollouts, log_odds=True), log_odds
        )

    def _mean(self, score: Callable[[Discriminator], Tensor], log_odds: bool) -> Tensor:
        """Return the mean of the log-odds that *score* gives for each member, or its probability.

        One member after the other, so that M nets take no more memory than one.
        """
        total = score(self.members[0])
        for member in self.members[1:]:
            total = total + score(member)
        mean = total / len(self.members)
        return mean if log_odds else mean.sigmoid()


def build_discriminator(name: str, cfg: Any, task: Any) -> Discriminator:
    """Build the discriminator that ``--discriminator`` names, or ``--d-ensemble`` of them.

    Raises:
        InputError: there is none of that name, or one of its options is out of range.
    """
    known = discriminators()
    if name not in known:
        raise InputError(f"--discriminator '{name}': choose one of {', '.join(sorted(known))}")
    if cfg.d_ensemble < 1:
        raise InputError(f"--d-ensemble is {cfg.d_ensemble}: at least 1 is needed")
    members = [MODEL_REGISTRY[name].build_model(cfg, task) for _ in range(cfg.d_ensemble)]
    return members[0] if len(members) == 1 else DiscriminatorEnsemble(members)
