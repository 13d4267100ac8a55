"""Reward ``bleu``: the paper's baseline PG-BLEU.

Shapes: R sequences, T tokens.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from torch import Tensor

from ..metrics.bleu import SMOOTHING, References
from ..metrics.ngrams import RaggedTokens
from ..support.errors import InputError
from ..support.option_values import positive
from ..support.rng import seeded_rng
from .base import Reward, RewardInputs, register_reward


@dataclass
class BleuRewardConfig(FairseqDataclass):
    """Options of ``--reward bleu``."""

    bleu_order: int = field(
        default=3,
        metadata={"help": "--reward bleu: n, the longest n-grams; all orders have equal weights"},
    )
    bleu_smoothing: ChoiceEnum(list(SMOOTHING)) = field(
        default="exp",
        metadata={
            "help": "--reward bleu: sacrebleu's name of the smoothing for orders without a match; "
            "with 'none', a sequence with such an order has reward 0"
        },
    )
    bleu_references: float = field(
        default=0.4,
        metadata={
            "help": "--reward bleu: share of the training data, chosen by seed, that are references"
        },
    )


@register_reward("bleu", dataclass=BleuRewardConfig)
class BleuReward(Reward):
    """PG-BLEU: the sentence BLEU of Y against a share of the training data, in [0, 1].

    Padding and the end symbol do not count as tokens. The references' n-grams are counted once.

    Args:
        positives: real sequences (n_pos, T), padded at the end.
        share: the share of the positives that are references, in (0, 1]; at least one is.
        order: n, the longest n-grams; orders 1 ... n have equal weights.
        smoothing: sacrebleu's name of the smoothing for orders without a match.
        seed: seeds the choice of the references.
        silent: the symbols that do not count as tokens.

    Raises:
        InputError: no reference has *order* tokens.
    """

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
        generator = seeded_rng("bleu references", seed)
        chosen = torch.randperm(len(positives), generator=generator)[:size]
        references = self._flat(positives[chosen])
        longest = int(references.lengths.max())
        if order > longest:
            raise InputError(
                f"--bleu-order {order}: the longest of {size} references has {longest} tokens, so "
                "every BLEU would be 0"
            )
        self.references = References(references, order, smoothing)

    @classmethod
    def check(cls, options: Any) -> None:
        """Check ``--bleu-order`` and ``--bleu-references``.

        Raises:
            InputError: one is out of range.
        """
        positive(bleu_order=options.bleu_order)
        if not 0 < options.bleu_references <= 1:
            raise InputError(
                f"--bleu-references is {options.bleu_references}: it must be in (0, 1]"
            )

    @classmethod
    def build(cls, options: Any, inputs: RewardInputs) -> "BleuReward":
        """Count the n-grams of a share of the positives.

        Raises:
            InputError: no reference has ``--bleu-order`` tokens.
        """
        return cls(
            inputs.positives,
            share=options.bleu_references,
            order=options.bleu_order,
            smoothing=str(options.bleu_smoothing),
            seed=inputs.seed,
            silent=(inputs.dictionary.pad(), inputs.dictionary.eos()),
        )

    def __call__(self, tokens: Tensor, generator: torch.Generator) -> Tensor:
        scores = self.references.sentence_scores(self._flat(tokens))
        return torch.from_numpy(scores).to(tokens.device, torch.float32)

    def _flat(self, tokens: Tensor) -> RaggedTokens:
        tokens = tokens.cpu()
        mask = ~torch.isin(tokens, self._silent.to(tokens.dtype))
        return RaggedTokens.from_padded(tokens.numpy(), mask.numpy())
