"""A fairseq language model as a policy: exactly the distribution that is sampled.

Shapes: B sequences, R rows being decoded, T steps at most, V symbols in the dictionary, C features.

Some symbols are banned: pad, bos, unk and the dictionary's filler words, and eos where the length
is fixed. They have probability zero in sampling **and** in the log-probabilities of the policy
gradient and of the NLL; the probabilities of the other symbols are scaled up to sum to one.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from fairseq.data import Dictionary
from fairseq.dataclass import FairseqDataclass
from fairseq.models import BaseFairseqModel, FairseqIncrementalDecoder
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ..support import compat_models
from ..support.errors import InputError
from ..support.eval_mode import eval_mode
from . import categorical


@dataclass
class PolicyConfig(FairseqDataclass):
    """Options of the policy."""

    temperature: float = field(
        default=1.0, metadata={"help": "temperature of the policy: logits are divided by it"}
    )
    fixed_length: int = field(
        default=0, metadata={"help": "T, if every sequence has T tokens and no end symbol"}
    )
    max_length: int = field(
        default=0,
        metadata={
            "help": "most tokens before the end symbol; 0: as many as in the longest training "
            "sequence"
        },
    )
    g_step_memory: float = field(
        default=1000.0,
        metadata={
            "help": "memory in MB that an update of G may need beyond the nets and the rollouts "
            "themselves; these and logits are computed in parts that fit, which changes no result "
            "without dropout"
        },
    )


def banned_symbols(dictionary: Dictionary, fixed_length: bool) -> list[int]:
    """Return the symbols that the policy never draws, in rising order.

    Raises:
        InputError: the policy could draw no symbol at all.
    """
    banned = {dictionary.bos(), dictionary.pad(), dictionary.unk()}
    banned.update(i for i, word in enumerate(dictionary.symbols) if word.startswith("madeupword"))
    if fixed_length:
        banned.add(dictionary.eos())
    if len(banned) >= len(dictionary):
        raise InputError("the dictionary holds no word that could be sampled")
    return sorted(banned)


class Policy:
    """The generator G as a distribution over sequences:

        G(y_1 ... y_T) = Π_t G(y_t | y_1 ... y_t-1)
        G(. | y_1 ... y_t-1) = softmax(the model's logits / temperature), without banned symbols

    Args:
        model: any fairseq language model with an incremental decoder.
        dictionary: its dictionary.
        fixed_length: T, if every sequence has T tokens and no eos; else 0.
        max_length: if not fixed: the most tokens before eos. T is one more.
        temperature: logits are divided by it, here and in every log-probability.
        top_k, top_p: restrict the draw (not :meth:`log_probs`) to the most likely symbols.
        memory: bytes, roughly, that decoding or a backward pass may need beyond the model.

    Raises:
        InputError: the model cannot decode step by step, or an option is out of range.
    """

    def __init__(
        self,
        model: BaseFairseqModel,
        dictionary: Dictionary,
        *,
        fixed_length: int = 0,
        max_length: int = 0,
        temperature: float = 1.0,
        top_k: int = -1,
        top_p: float = -1.0,
        memory: float = 1e9,
    ) -> None:
        if not isinstance(getattr(model, "decoder", None), FairseqIncrementalDecoder):
            raise InputError(f"{type(model).__name__} has no incremental decoder to sample from")
        if not 1e-6 <= temperature < math.inf:  # float32 logits are divided by it
            raise InputError(
                f"--temperature is {temperature}: it must be finite, and not below 1e-6"
            )
        if top_k != -1 and top_k < 1:
            raise InputError(f"--sampling-topk is {top_k}: it must be 1 or more; -1: all symbols")
        if top_p != -1 and not 0 < top_p <= 1:
            raise InputError(f"--sampling-topp is {top_p}: it must be in (0, 1]; -1: all symbols")
        if fixed_length <= 0 and max_length <= 0:
            raise InputError("a policy needs --fixed-length or a maximal length")
        self.model = model
        self.fixed = fixed_length > 0
        self.length = fixed_length if self.fixed else max_length + 1
        self.temperature = temperature
        self.top_k, self.top_p = top_k, top_p
        self.pad, self.eos, self.unk = dictionary.pad(), dictionary.eos(), dictionary.unk()
        self.start = self.eos  # the symbol that decoding starts from, as fairseq's items do
        self.size = len(dictionary)
        self.memory = memory
        self._row_bytes = 0  # measured when it is first needed
        self.banned = torch.tensor(banned_symbols(dictionary, self.fixed))
        self._logits: Tensor | None = None
        self._has_features = compat_models.has_features(model.decoder)
        self._least = compat_models.least_positions(model)

    @property
    def device(self) -> torch.device:
        """The device of the model's parameters."""
        return next(self.model.parameters()).device

    def scored(self, tokens: Tensor) -> Tensor:
        """Return a mask (B, T) that is True where *tokens* (B, T) can be drawn.

        It is False at padding and at unknown words of held-out data: the policy never draws them,
        so its NLL there would be infinite.
        """
        return ~torch.isin(tokens, self.banned.to(tokens.device))

    def log_probs(self, tokens: Tensor) -> Tensor:
        """Return log G(y_t | y_1 ... y_t-1) of *tokens* (B, T) under teacher forcing.

        *tokens* begin with y_1, not with the start symbol, and are padded at the end. The result is
        float32 (B, T) in nats, 0 where :meth:`scored` is False. Gradients flow. The caller chooses
        train or eval mode.

        If the logits do not fit into ``memory``, they are computed for a few sequences at a time,
        and once more in the backward pass. With several processes they are computed together,
        because the wrapper of the model counts its calls.
        """
        # Float32 logits and their masked copy, and the gradient of each.
        fitting = int(self.memory / (4 * 4 * max(1, tokens.size(1)) * self.size))
        if fitting >= len(tokens) or hasattr(self.model, "module"):
            return self._log_probs(tokens)
        parts = tokens.split(max(1, fitting))
        if not torch.is_grad_enabled():
            return torch.cat([self._log_probs(part) for part in parts])
        return torch.cat([checkpoint(self._log_probs, part, use_reentrant=False) for part in parts])

    def _log_probs(self, tokens: Tensor) -> Tensor:
        logits = self.logits(tokens)
        picked = logits.gather(2, tokens.unsqueeze(2)).squeeze(2)
        log_probs = picked - logits.logsumexp(dim=2)
        return torch.where(self.scored(tokens), log_probs, torch.zeros_like(log_probs))

    def nll(self, tokens: Tensor) -> tuple[Tensor, int]:
        """Return -Σ log G(y_t | y_1 ... y_t-1) over *tokens* (B, T), and the number of tokens.

        The sum is a float64, in nats. Only tokens where :meth:`scored` is True count.
        """
        return -self.log_probs(tokens).double().sum(), int(self.scored(tokens).sum())

    def logits(self, tokens: Tensor) -> Tensor:
        """Return logits (B, T, V) whose softmax at t is G(. | y_1 ... y_t-1) for *tokens* y."""
        missing = max(0, self._least - tokens.size(1))
        inputs = F.pad(tokens, (1, missing - 1), value=self.pad)
        inputs[:, 0] = self.start
        output = self.model(inputs)[0]
        return self._normalizable(output[:, : tokens.size(1)] if missing else output)

    @torch.no_grad()
    def row_bytes(self) -> int:
        """Return roughly how many bytes one row needs while it is decoded to the end.

        The decoder's state is measured after one token and after two. It counts twice, because it
        is copied when rows are added or removed. So do the logits of a decoder that returns no
        features. The rest are the row's tokens, uniform numbers and log-probabilities.
        """
        if not self._row_bytes:
            with eval_mode(self.model):
                decoding = Decoding(self)
                prefix = torch.full((1, 2), self.start, device=self.device)
                decoding.step(prefix[:, :1])
                one = decoding.bytes()
                decoding.step(prefix)
                more = decoding.bytes() - one
            state = one + (self.length - 1) * max(0, more)
            logits = 0 if self._has_features else 4 * self.size  # of all rows at once
            self._row_bytes = 2 * (state + logits) + 32 * (self.length + 1)
        return self._row_bytes

    def draw(self, features: Tensor, uniforms: Tensor) -> tuple[Tensor, Tensor]:
        """Draw the next token of every row from the *features* (R, C) of :meth:`Decoding.step`.

        The projection to the vocabulary and the draw run in chunks of rows, so memory is bounded by
        chunk × V whatever R is. Returns tokens and their log-probabilities in nats, one for each of
        the *uniforms*, which are (R,), or (R, n) for n draws from the same distribution.
        """
        if not len(features):  # an adaptive softmax cannot project none
            return uniforms.long(), uniforms.clone()
        chunk = categorical.chunk_rows(self.size, features.device)
        project = self._projection(features, chunk)
        drawn = []
        for part, u in zip(features.split(chunk), uniforms.split(chunk), strict=True):
            logits = project(part)
            if self.top_k > 0 or self.top_p > 0:
                logits = categorical.restrict(logits, self.top_k, self.top_p)
            drawn.append(categorical.draw(logits, u))
        tokens, log_probs = zip(*drawn, strict=True)
        return torch.cat(tokens), torch.cat(log_probs)

    def _projection(self, features: Tensor, rows: int) -> Callable[[Tensor], Tensor]:
        """Return a function from up to *rows* of *features* to masked logits (R, V).

        Where the decoder ends in a plain linear layer, every chunk is written into the same memory,
        because fresh memory costs as much as the arithmetic. The weights and the bias then include
        the temperature and the mask.
        """
        layer = compat_models.last_linear(self.model.decoder) if self._has_features else None
        if layer is None or features.dtype != torch.float32:
            return self._project
        weight, bias = layer
        bias = weight.new_zeros(len(weight)) if bias is None else bias / self.temperature
        bias = bias.index_fill(0, self.banned.to(bias.device), -torch.inf)
        weight = weight.t()
        memory = self._logits
        if memory is None or memory.device != features.device or len(memory) < rows:
            self._logits = memory = features.new_empty(rows, self.size)
        scale = 1 / self.temperature

        def project(part: Tensor) -> Tensor:
            return torch.addmm(bias, part, weight, alpha=scale, out=memory[: len(part)])

        return project

    def _project(self, features: Tensor) -> Tensor:
        """Return masked logits (R, V) in memory that the caller may overwrite."""
        decoder = self.model.decoder
        rows = features.unsqueeze(1)
        output = decoder.output_layer(rows) if self._has_features else rows.clone()
        return self._normalizable(output).squeeze(1)

    def _normalizable(self, logits: Tensor) -> Tensor:
        """Mask and scale *logits* (..., V) so that the softmax of the result is the policy."""
        softmax = getattr(self.model.decoder, "adaptive_softmax", None)
        if softmax is not None:  # then the model returns features
            logits = compat_models.adaptive_log_probs(softmax, logits)
        logits = logits.float()
        if self.temperature != 1.0:
            logits = logits / self.temperature
        banned = self.banned.to(logits.device)
        if torch.is_grad_enabled():
            return logits.index_fill(-1, banned, -torch.inf)
        return logits.index_fill_(-1, banned, -torch.inf)


class Decoding:
    """The incremental state of R rows that one policy continues step by step."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.state: dict[str, dict[str, Tensor | None]] = {}

    def step(self, prefix: Tensor) -> Tensor:
        """Return the features (R, C) from which the token after *prefix* (R, t + 1) is drawn.

        *prefix* begins with the start symbol and grows by one column from call to call. Some
        decoders read everything in the first call as new, others need the whole prefix to know
        their position; this serves both.
        """
        decoder = self.policy.model.decoder
        call = decoder.extract_features if self.policy._has_features else decoder
        features = call(prefix, encoder_out=None, incremental_state=self.state)[0]
        return features[:, -1]

    def select(self, rows: Tensor) -> None:
        """Keep *rows* (R',) of the state, in this order.

        A row that is named several times is copied, so the batch can grow.
        """
        self.policy.model.decoder.reorder_incremental_state_scripting(self.state, rows)

    def bytes(self) -> int:
        """Return how many bytes the state takes."""
        return sum(t.numel() * t.element_size() for t in _tensors(self.state))


def _tensors(part: object) -> Iterator[Tensor]:
    """Yield all tensors in *part* of an incremental state, at any depth."""
    if torch.is_tensor(part):
        yield part
    elif isinstance(part, dict):
        for value in part.values():
            yield from _tensors(value)
    elif isinstance(part, list | tuple):
        for value in part:
            yield from _tensors(value)
