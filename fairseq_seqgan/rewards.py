"""Rewards: what a finished sequence is worth to the generator (the paper's section 2.2).

Every reward is called with tokens (R, T) int64, padded at the end, and returns float32 (R,).

``discriminator`` is the paper's, ``logit`` the same verdict as log-odds, and ``bleu`` the paper's
baseline PG-BLEU. ``constant`` and ``random`` are controls that know nothing of the data: a result
that they reach as well says nothing about D.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch
from fairseq.data import Dictionary
from torch import Tensor

from .errors import InputError
from .metrics.bleu import References
from .metrics.ngrams import Flat
from .models.cnn_highway import CNNHighway
from .policy import evaluating
from .rollout import Rollouts
from .sampling import make_generator

if TYPE_CHECKING:
    from .options import SeqGANConfig  # which takes the names of the rewards from here

DISCRIMINATOR_REWARDS = ("discriminator", "logit")  # they ask D
REWARDS = (*DISCRIMINATOR_REWARDS, "bleu", "constant", "random")
BASELINES = ("none", "mean")


class Reward(ABC):
    """A function from finished sequences to their rewards."""

    reads_tokens: bool  # False: the value does not depend on the tokens, so nobody need draw them

    @abstractmethod
    def __call__(self, tokens: Tensor, generator: torch.Generator) -> Tensor:
        """Return the rewards (R,) of *tokens* (R, T); random ones come from *generator*."""

    def of_completions(self, played: Rollouts, generator: torch.Generator) -> Tensor:
        """Return the rewards (P, N) of ``played.completions``."""
        completions = played.completions
        return self(completions.flatten(0, 1), generator).view(completions.shape[:2])


class DiscriminatorReward(Reward):
    """D(Y), the probability that Y is real, with D in eval mode (Eq. 4).

    With *log_odds*, log D(Y) - log(1 - D(Y)) in nats: for the best possible D it is the log-ratio
    of data to policy, whose policy gradient descends the reverse KL divergence.
    """

    reads_tokens = True

    def __init__(self, discriminator: CNNHighway, log_odds: bool = False) -> None:
        self.discriminator, self.log_odds = discriminator, log_odds

    def __call__(self, tokens: Tensor, generator: torch.Generator) -> Tensor:
        with evaluating(self.discriminator):
            return self.discriminator.score(tokens, log_odds=self.log_odds)

    def of_completions(self, played: Rollouts, generator: torch.Generator) -> Tensor:
        """Return the rewards (P, N) of ``played.completions``."""
        with evaluating(self.discriminator):
            return self.discriminator.score_completions(
                played.samples.tokens, *played[1:4], log_odds=self.log_odds
            )


class BleuReward(Reward):
    """PG-BLEU: the sentence BLEU of Y against a share of the training data, in [0, 1].

    Padding and the end symbol are no tokens. The references' n-grams are counted once.

    Args:
        positives: real sequences (n_pos, T), padded at the end.
        share: of the positives that are references, in (0, 1]; at least one is.
        order: n, the longest n-grams; orders 1 ... n have equal weights.
        smoothing: sacrebleu's name for what is done about an order without a match.
        seed: chooses the references.
        silent: the symbols that are no tokens.

    Raises:
        InputError: no reference has *order* tokens.
    """

    reads_tokens = True

    def __init__(
        self,
        positives: Tensor,
        *,
        share: float,
        order: int,
        smoothing: str,
        seed: int,
        silent: tuple[int, ...],
    ) -> None:
        self._silent = torch.tensor(silent)
        size = max(1, round(share * len(positives)))
        generator = make_generator("bleu references", seed)
        chosen = torch.randperm(len(positives), generator=generator)[:size]
        references = self._flat(positives[chosen])
        longest = int(references.lengths.max())
        if order > longest:
            raise InputError(
                f"--bleu-order {order}: the longest of {size} references has {longest} tokens, so "
                "every BLEU would be 0"
            )
        self.references = References(references, order, smoothing)

    def __call__(self, tokens: Tensor, generator: torch.Generator) -> Tensor:
        scores = self.references.sentence_scores(self._flat(tokens))
        return torch.from_numpy(scores).to(tokens.device, torch.float32)

    def _flat(self, tokens: Tensor) -> Flat:
        tokens = tokens.cpu()
        mask = ~torch.isin(tokens, self._silent.to(tokens.dtype))
        return Flat.from_padded(tokens.numpy(), mask.numpy())


class ConstantReward(Reward):
    """Control: 1 for every sequence."""

    reads_tokens = False

    def __call__(self, tokens: Tensor, generator: torch.Generator) -> Tensor:
        return torch.ones(len(tokens), device=tokens.device)


class RandomReward(Reward):
    """Control: a uniform random number in [0, 1) for every sequence, whatever it is."""

    reads_tokens = False

    def __call__(self, tokens: Tensor, generator: torch.Generator) -> Tensor:
        drawn = torch.rand(len(tokens), generator=generator, device=generator.device)
        return drawn.to(tokens.device)


def build_reward(
    args: SeqGANConfig, discriminator: CNNHighway, positives: Tensor, dictionary: Dictionary
) -> Reward:
    """Return the reward that ``--reward`` asks for; *positives* (n_pos, T) are the training data.

    Raises:
        InputError: there is no such reward.
    """
    name = str(args.reward)
    if name in DISCRIMINATOR_REWARDS:
        return DiscriminatorReward(discriminator, log_odds=name == "logit")
    if name == "bleu":
        return BleuReward(
            positives,
            share=args.bleu_references,
            order=args.bleu_order,
            smoothing=str(args.bleu_smoothing),
            seed=args.seed,
            silent=(dictionary.pad(), dictionary.eos()),
        )
    if name == "constant":
        return ConstantReward()
    if name == "random":
        return RandomReward()
    raise InputError(f"--reward '{name}': choose one of {', '.join(REWARDS)}")


def advantage(values: Tensor, mask: Tensor, baseline: str) -> Tensor:
    """Return the action values (B, T) less the baseline, 0 where *mask* is False.

    ``none`` is the paper's. ``mean`` subtracts, at every step t, the mean of Q(t) over the
    sequences that have a token there: it changes no expectation but for the factor 1 - 1/B, and
    takes away the part of the gradient that rewards any token for having been drawn.
    """
    if baseline == "none":
        return values * mask
    count = mask.sum(dim=0).clamp(min=1)
    mean = (values * mask).sum(dim=0) / count
    return (values - mean) * mask
