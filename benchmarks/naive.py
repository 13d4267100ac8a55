"""The plain implementations that the benchmarks hold the plugin against.

They do the same work in the way in which it is usually written. None of them is used elsewhere.

Shapes: B sequences, T tokens, N rollouts, V symbols.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from fairseq.models import FairseqLanguageModel
from torch import Tensor, nn

EOS = 2  # fairseq's start symbol for decoding


@torch.no_grad()
def generate(model: FairseqLanguageModel, prefix: Tensor, length: int, banned: Tensor) -> Tensor:
    """Continue *prefix* (B, t) to (B, length): one generation, with ``torch.multinomial``."""
    decoder = model.decoder
    state: dict[str, Any] = {}
    tokens = torch.cat([prefix.new_full((len(prefix), 1), EOS), prefix], dim=1)
    for t in range(length):
        logits = decoder(tokens[:, : t + 1], incremental_state=state)[0][:, -1]
        if t + 1 < tokens.size(1):
            continue  # still inside the prefix
        logits[:, banned] = -torch.inf
        drawn = torch.multinomial(logits.softmax(dim=1), 1)
        tokens = torch.cat([tokens, drawn], dim=1)
    return tokens[:, 1:]


@torch.no_grad()
def action_values(
    model: FairseqLanguageModel,
    discriminator: nn.Module,
    tokens: Tensor,
    rollouts: int,
    banned: Tensor,
) -> Tensor:
    """Return Q (B, T) of *tokens* (B, T): N × (T - 1) separate generations, D called for each."""
    length = tokens.size(1)
    values = torch.zeros(tokens.shape)
    for _ in range(rollouts):
        for t in range(length - 1):
            completed = generate(model, tokens[:, : t + 1], length, banned)
            values[:, t] += discriminator(completed).softmax(dim=1)[:, 1]
    values /= rollouts
    values[:, -1] = discriminator(tokens).softmax(dim=1)[:, 1]
    return values


class PlainDiscriminator(nn.Module):
    """The CNN-highway network as it is usually written in PyTorch, with the paper's sizes."""

    def __init__(self, size: int, embed_dim: int, kernels: list[tuple[int, int]]) -> None:
        super().__init__()
        features = sum(count for _, count in kernels)
        self.embed = nn.Embedding(size, embed_dim)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(1, count, (width, embed_dim)) for width, count in kernels
        )
        self.highway = nn.Linear(features, 2 * features)
        self.dropout = nn.Dropout(0.25)
        self.output = nn.Linear(features, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits (B, 2) for *tokens* (B, T)."""
        image = self.embed(tokens).unsqueeze(1)
        maps = [F.relu(conv(image)).squeeze(3) for conv in self.convolutions]
        x = torch.cat([F.max_pool1d(m, m.size(2)).squeeze(2) for m in maps], dim=1)
        transform, gate = self.highway(x).chunk(2, dim=1)
        gate = torch.sigmoid(gate)
        return self.output(self.dropout(gate * F.relu(transform) + (1 - gate) * x))

    def penalty(self) -> Tensor:
        """Return the L2 penalty on the output layer."""
        return 0.1 * sum(p.square().sum() for p in self.output.parameters())
