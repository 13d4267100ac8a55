"""The beginnings of real sequences that G continues in adversarial training.

Without prefixes G draws the sequence y_1 ... y_T. With prefixes of k tokens, y_1 ... y_k are those
of a real sequence, and G draws y_k+1 ... y_T. D sees whole sequences. The policy gradient is

    Σ_{t > k} Q(t) d/dθ log G(y_t | y_1 ... y_t-1)

Shapes: n sequences, T tokens, k tokens of a prefix.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from fairseq.dataclass import FairseqDataclass
from torch import Tensor

from ..support import distributed
from ..support.errors import InputError, flag


@dataclass
class PrefixConfig(FairseqDataclass):
    """Options of the prefixes."""

    prefix_size: int = field(
        default=0,
        metadata={
            "help": "how many first tokens of real sequences G continues; D judges the whole "
            "sequence. 0 (the paper): G draws whole sequences. fairseq-generate: how many words of "
            "each sentence of the split are continued"
        },
    )


def check_prefix_size(options: Any) -> None:
    """Check ``--prefix-size`` against the lengths that the task's *options* name.

    Raises:
        InputError: it is negative, or leaves G nothing to draw.
    """
    size = options.prefix_size
    if size < 0:
        raise InputError(f"--prefix-size is {size}: below 0")
    for name in ("fixed_length", "max_length"):
        length = getattr(options, name)
        if size and length and size >= length:
            raise InputError(
                f"--prefix-size {size} with {flag(name)} {length}: G could draw nothing"
            )


class Prefixes:
    """The first k tokens of real sequences.

    Args:
        size: k; 0: there are no prefixes.
        real: (n, T) sequences of more than k tokens.
    """

    def __init__(self, size: int, real: Tensor) -> None:
        self.size, self.tokens = size, real[:, :size]

    def draw(self, num: int, generator: torch.Generator) -> Tensor | None:
        """Return *num* prefixes (num, k) int64 in random order; None if there are none.

        No sequence gives its prefix more than once more often than another.
        """
        if not self.size:
            return None
        repeats = -(-num // len(self.tokens))
        order = [torch.randperm(len(self.tokens), generator=generator) for _ in range(repeats)]
        return self.tokens[torch.cat(order)[:num]].long()

    def draw_share(self, share: int, generator: torch.Generator) -> Tensor | None:
        """Return the *share* (share, k) of this process of what all draw together.

        *generator* is in the same state in all processes.
        """
        drawn = self.draw(share * distributed.size(), generator)
        return None if drawn is None else distributed.own_rows(drawn)

    def in_order(self, share: int) -> Tensor | None:
        """Return this process's *share* (share, k) of all prefixes in their order, repeated."""
        if not self.size:
            return None
        first = distributed.rank() * share
        return self.tokens[torch.arange(first, first + share) % len(self.tokens)].long()

    def cut(self, values: Tensor) -> Tensor:
        """Return *values* (B, T), 0 at the prefixes' tokens."""
        if not self.size:
            return values
        values = values.clone()
        values[:, : self.size] = 0
        return values
