"""Discriminator ``rcnn``: a recurrent convolutional network (Lai, Xu, Liu and Zhao, AAAI 2015).

The paper names it as an alternative to the CNN. Each token is represented by its embedding and by
the states of a bidirectional GRU, which reads the tokens before it and after it. The maximum over
time of a nonlinear projection of these representations is classified:

    x_t = [GRU_left(y_1 ... y_t); embedding(y_t); GRU_right(y_t ... y_T)]
    f = max_t tanh(W x_t + b)
    D(Y) = softmax(V f + c)[REAL]

Shapes: R sequences, T tokens, E embedding size, H units in each direction, F features.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from fairseq.models import register_model
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ..support.errors import InputError, flag
from .discriminator import Discriminator, DiscriminatorConfig, check_shared_options, l2_penalty


@dataclass
class RCNNConfig(DiscriminatorConfig):
    """Options of the recurrent D, beside those that every D has."""

    d_hidden_size: int = field(
        default=128, metadata={"help": "--discriminator rcnn: units of the GRU in each direction"}
    )
    d_features: int = field(
        default=256, metadata={"help": "--discriminator rcnn: features whose maximum is classified"}
    )


@register_model("rcnn", dataclass=RCNNConfig)
class RCNN(Discriminator):
    """D as a bidirectional GRU with a maximum over time; sequences of any length.

    Args:
        size: V, the number of symbols in the dictionary.
        pad: the padding symbol; it reaches neither the GRU nor the maximum.
        embed_dim: E.
        hidden_size: H.
        features: F.
        dropout: applied to the features before the output layer, in train mode.
        l2: weight of :meth:`penalty`.
    """

    def __init__(
        self,
        size: int,
        pad: int,
        embed_dim: int,
        hidden_size: int,
        features: int,
        dropout: float,
        l2: float,
    ) -> None:
        super().__init__()
        self.pad, self.l2 = pad, l2
        self.embed = nn.Embedding(size, embed_dim)
        self.context = nn.GRU(embed_dim, hidden_size, batch_first=True, bidirectional=True)
        self.project = nn.Linear(embed_dim + 2 * hidden_size, features)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(features, 2)

    @classmethod
    def build_model(cls, cfg: RCNNConfig, task: Any) -> "RCNN":
        """Build D for the dictionary of *task*.

        Raises:
            InputError: an option is out of range.
        """
        check_shared_options(cfg)
        for name in ("d_hidden_size", "d_features"):
            if getattr(cfg, name) < 1:
                raise InputError(f"{flag(name)} is {getattr(cfg, name)}: at least 1 is needed")
        dictionary = task.source_dictionary
        return cls(
            len(dictionary),
            dictionary.pad(),
            cfg.d_embed_dim,
            cfg.d_hidden_size,
            cfg.d_features,
            cfg.d_dropout,
            cfg.d_l2,
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits (R, 2) of FAKE and REAL for *tokens* (R, T), padded at the end."""
        real = tokens != self.pad
        lengths = real.sum(dim=1).clamp(min=1)
        embedded = self.embed(tokens)
        packed = pack_padded_sequence(
            embedded, lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        context, _ = pad_packed_sequence(
            self.context(packed)[0], batch_first=True, total_length=tokens.size(1)
        )
        features = torch.tanh(self.project(torch.cat([embedded, context], dim=2)))
        inside = torch.arange(tokens.size(1), device=tokens.device) < lengths.unsqueeze(1)
        features = features.masked_fill(~inside.unsqueeze(2), -torch.inf).amax(dim=1)
        return self.output(self.dropout(features))

    def penalty(self) -> Tensor:
        """Return the L2 penalty on the output layer, d_l2 × ½(|W|² + |b|²)."""
        return l2_penalty(self.output, self.l2)
