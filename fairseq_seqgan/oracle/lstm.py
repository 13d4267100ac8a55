"""The oracle of the SeqGAN paper (section "Synthetic Data Experiments"): a fixed random LSTM.

The "real" sequences are sampled from it and generated ones are scored by it, so here the true
distribution is known.

Shapes: B sequences of T tokens, V symbols, E embedding and H hidden units. The oracle's tokens are
0 .. V-1; it has no end-of-sentence. Log-probabilities and NLL are in nats per token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..policy import categorical
from ..support.errors import InputError
from ..support.rng import seeded_rng
from . import parameters
from .parameters import ARRAY_NAMES, GATES, START_TOKEN

OFFSET = 4  # fairseq's dictionary begins with bos 0, pad 1, eos 2, unk 3

# MKL multiplies fewer than 12 rows with other kernels, which round differently.
_MIN_ROWS = 16


def from_fairseq(ids: Tensor) -> Tensor:
    """Return the oracle tokens (any shape) of fairseq dictionary *ids*: token = id - 4.

    Raises:
        InputError: an id is one of fairseq's special symbols, which are not oracle tokens.
    """
    if ids.numel() and int(ids.min()) < OFFSET:
        raise InputError(f"the oracle has no token for fairseq's special symbol {int(ids.min())}")
    return ids - OFFSET


class Oracle(nn.Module):
    """An LSTM language model with fixed weights in the authors' layout: x @ W + h @ U + b.

    The state begins at h0 = c0 = 0, the first input is the start token, and there is no
    forget-gate offset. The weights are buffers, so a criterion or task that holds an oracle gets
    no parameters to train.

    Args:
        arrays: float arrays named by ``ARRAY_NAMES``: emb (V, E), W* (E, H), U* (H, H), b* (H,),
            Wout (H, V), bout (V,).
        start_token: the input of the first step.
        source: names *arrays* in error messages.

    Raises:
        InputError: an array is missing, unexpected, of a wrong shape or type, or not finite.
    """

    embedding: Tensor  # (V, E)
    input_weight: Tensor  # (E, 4H), gates i, f, o, c
    state_weight: Tensor  # (H, 4H)
    bias: Tensor  # (4H,)
    output_weight: Tensor  # (H, V)
    output_bias: Tensor  # (V,)

    def __init__(
        self,
        arrays: Mapping[str, np.ndarray],
        start_token: int = START_TOKEN,
        source: str = "oracle parameters",
    ) -> None:
        super().__init__()
        checked = parameters.check(arrays, source)
        tensors = {name: torch.from_numpy(array) for name, array in checked.items()}
        self.register_buffer("embedding", tensors["emb"])
        for kind, buffer in (("W", "input_weight"), ("U", "state_weight"), ("b", "bias")):
            self.register_buffer(buffer, torch.cat([tensors[kind + g] for g in GATES], dim=-1))
        self.register_buffer("output_weight", tensors["Wout"])
        self.register_buffer("output_bias", tensors["bout"])
        self.vocab_size, self.embed_dim = self.embedding.shape
        self.hidden_size = self.state_weight.size(0)
        self.start_token = start_token
        if not 0 <= start_token < self.vocab_size:
            raise InputError(
                f"{source}: start token {start_token} is not in 0..{self.vocab_size - 1}"
            )

    @classmethod
    def random(cls, vocab_size: int, embed_dim: int, hidden_size: int, seed: int) -> Oracle:
        """Return an oracle whose parameters, biases included, are drawn from N(0, 1).

        Raises:
            InputError: a size is smaller than 1.
        """
        sizes = {"vocab_size": vocab_size, "embed_dim": embed_dim, "hidden_size": hidden_size}
        for name, size in sizes.items():
            if size < 1:
                raise InputError(f"the oracle's {name} must be at least 1, not {size}")
        generator = seeded_rng("oracle", seed)
        shapes = parameters.shapes(vocab_size, embed_dim, hidden_size)
        return cls({n: torch.randn(s, generator=generator).numpy() for n, s in shapes.items()})

    @classmethod
    def load(cls, path: str | Path) -> Oracle:
        """Read what :meth:`save` wrote, or the authors' parameters as a pickle or as ``.npz``.

        The content of the file decides how it is read, not its extension. A pickle is read without
        importing or calling anything that it names.

        Raises:
            InputError: the file is missing, truncated or not an oracle; the message names it.
        """
        arrays, start_token = parameters.read(path)
        return cls(arrays, start_token, source=str(path))

    @classmethod
    def load_for(cls, path: str | Path, symbols: Sequence[str]) -> Oracle:
        """Read an oracle for the *symbols* of a dictionary, fairseq's four special ones included.

        Token i of the oracle is id i + 4 of the dictionary.

        Raises:
            InputError: it cannot be read, its vocabulary is not as large as the dictionary's, or
                the dictionary holds the oracle's tokens in another order.
        """
        oracle = cls.load(path)
        words = list(symbols[OFFSET:])
        if oracle.vocab_size != len(words):
            raise InputError(
                f"{path}: an oracle of {oracle.vocab_size} words, the data's dictionary has "
                f"{len(words)}"
            )
        numbers = [str(number) for number in range(len(words))]
        if words != numbers and sorted(words) == sorted(numbers):
            raise InputError(
                f"{path}: the data's dictionary holds the oracle's tokens in another order, by "
                "frequency perhaps; preprocess/oracle.py keeps theirs, or fairseq-preprocess with "
                "--srcdict"
            )
        return oracle

    def save(self, path: str | Path) -> None:
        """Write the parameters as ``.npz`` (no pickle); equal oracles give equal bytes.

        Raises:
            InputError: the file cannot be written.
        """
        parameters.write(path, self.arrays(), self.start_token)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the parameters as float32 arrays under the names of ``ARRAY_NAMES``."""
        stacked = {"W": self.input_weight, "U": self.state_weight, "b": self.bias}
        tensors = {"emb": self.embedding, "Wout": self.output_weight, "bout": self.output_bias}
        for kind, weight in stacked.items():
            gates = weight.split(self.hidden_size, dim=-1)
            tensors |= {kind + gate: part for gate, part in zip(GATES, gates, strict=True)}
        return {n: np.ascontiguousarray(tensors[n].cpu().numpy(), "<f4") for n in ARRAY_NAMES}

    @torch.no_grad()
    def sample(
        self, num: int, length: int, generator: torch.Generator, batch_size: int | None = None
    ) -> Tensor:
        """Draw *num* sequences of *length* tokens: (num, length) int64.

        All random numbers are drawn before the first token, so *batch_size* changes how much memory
        is used and not the sequences. The default, also the maximum, is as many rows as stay in
        cache.

        Raises:
            InputError: *num* is negative, or *length* or *batch_size* is smaller than 1.
        """
        rows = self._rows() if batch_size is None else min(batch_size, self._rows())
        if num < 0 or length < 1 or rows < 1:
            raise InputError(f"cannot sample {num} sequences of {length} tokens, {rows} at a time")
        device = self.embedding.device
        uniforms = torch.rand(num, length, generator=generator, device=generator.device).to(device)
        tokens = torch.empty(num, length, dtype=torch.long, device=device)
        # The last chunk is filled up with rows whose samples are not used.
        uniforms = nn.functional.pad(uniforms, (0, 0, 0, _MIN_ROWS))
        logits = torch.empty(max(rows, _MIN_ROWS), self.vocab_size, device=device)
        for first in range(0, num, rows):
            count = min(rows, num - first)
            chunk = uniforms[first : first + max(count, _MIN_ROWS)]
            tokens[first : first + count] = self._draw(chunk, logits)[:count]
        return tokens

    def _draw(self, uniforms: Tensor, logits: Tensor) -> Tensor:
        """Draw one sequence per row of *uniforms* (R, T) in the memory given: (R, T) tokens."""
        token, state = self._start(uniforms.size(0))
        drawn = []
        for column in uniforms.unbind(dim=1):
            state = self._step(token, state)
            token, _ = categorical.draw(self._project(state, logits), column)
            drawn.append(token)
        return torch.stack(drawn, dim=1)

    @torch.no_grad()
    def log_probs(self, tokens: Tensor) -> Tensor:
        """Return log p(y_t | y_1 .. y_{t-1}) of *tokens* (B, T): (B, T) float32, in nats.

        Raises:
            InputError: *tokens* is not a (B, T) tensor of integers in 0 .. V-1 with T >= 1.
        """
        tokens = self._checked_tokens(tokens)
        result = torch.empty(tokens.shape, device=tokens.device)
        rows = min(self._rows(), tokens.size(0))
        logits = torch.empty(rows, self.vocab_size, device=tokens.device)
        for first in range(0, tokens.size(0), max(1, rows)):
            chunk = slice(first, first + rows)
            previous, state = self._start(tokens[chunk].size(0))
            for t in range(tokens.size(1)):
                state = self._step(previous, state)
                scores = self._project(state, logits)
                # In place, in memory that is in the cache.
                log_probs = torch.log_softmax(scores, 1, out=scores)
                previous = tokens[chunk, t]
                result[chunk, t] = log_probs.gather(1, previous.unsqueeze(1)).squeeze(1)
        return result

    def nll(self, tokens: Tensor) -> Tensor:
        """Return each sequence's mean negative log-likelihood, nats per token: (B, T) -> (B,).

        The mean over sequences drawn from a generator is the paper's NLL_oracle (equation 9,
        divided by T).

        Raises:
            InputError: as :meth:`log_probs`.
        """
        return -self.log_probs(tokens).mean(dim=1)

    def _rows(self) -> int:
        return categorical.chunk_rows(max(self.vocab_size, 4 * self.hidden_size))

    def _start(self, rows: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        zeros = self.embedding.new_zeros(rows, self.hidden_size)
        token = torch.full((rows,), self.start_token, device=zeros.device)
        return token, (zeros, zeros)

    def _step(self, token: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Read one token (R,) into the state (h, c), each (R, H)."""
        hidden, cell = state
        gates = self.embedding[token] @ self.input_weight + hidden @ self.state_weight + self.bias
        sigmoids, candidate = gates.split([3 * self.hidden_size, self.hidden_size], dim=1)
        update, forget, output = sigmoids.sigmoid().chunk(3, dim=1)
        cell = forget * cell + update * candidate.tanh()
        return output * cell.tanh(), cell

    def _project(self, state: tuple[Tensor, Tensor], memory: Tensor) -> Tensor:
        """Write the logits of the next token (R, V) into the first R rows of *memory*."""
        hidden = state[0]
        out = memory[: hidden.size(0)]
        return torch.addmm(self.output_bias, hidden, self.output_weight, out=out)

    def _checked_tokens(self, tokens: Tensor) -> Tensor:
        integers = not (tokens.is_floating_point() or tokens.is_complex())
        if tokens.dim() != 2 or tokens.size(1) < 1 or not integers or tokens.dtype == torch.bool:
            raise InputError(
                f"the oracle scores integers of shape (B, T), T >= 1, not {tokens.dtype} of shape "
                f"{tuple(tokens.shape)}"
            )
        if tokens.numel():
            low, high = int(tokens.min()), int(tokens.max())
            if low < 0 or high >= self.vocab_size:
                wrong = low if low < 0 else high
                raise InputError(f"token {wrong} is not in the oracle's 0..{self.vocab_size - 1}")
        return tokens.to(device=self.embedding.device, dtype=torch.long)
