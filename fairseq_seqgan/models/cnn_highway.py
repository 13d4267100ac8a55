"""The paper's discriminator D: convolutions, max over time, one highway layer.

It is that of the section "The Discriminative Model for Sequences". With e_t the embedding of y_t,
and for each filter a kernel w of width k tokens and a bias b:

    c = max_t relu(w · [e_t ... e_t+k-1] + b)                       one feature for each filter
    g = sigmoid(W_g c + b_g)
    h = g * relu(W_h c + b_h) + (1 - g) * c                         the highway layer
    D(Y) = softmax(W_o h + b_o)[REAL]

Shapes: R sequences, T tokens, E embedding size, F features in all, k a kernel's width.
"""

import logging
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from fairseq.dataclass import ChoiceEnum
from fairseq.models import register_model
from torch import Tensor, nn

from ..support.errors import InputError
from .discriminator import (
    Discriminator,
    DiscriminatorConfig,
    check_shared_options,
    l2_penalty,
    real_class_score,
)
from .dtypes import resolve_dtype, trains_on_gpu
from .pooled_convolution import MaxResponses, convolve
from .sparse_pooled_convolution import SparsePooledConvolution

logger = logging.getLogger(__name__)

_SCORED_ROWS = 20_480  # rollouts scored at a time; their features take 140 MB for the paper's D


@dataclass
class CNNHighwayConfig(DiscriminatorConfig):
    """Options of the convolutional D; the defaults are the authors' for the synthetic data."""

    d_kernel_widths: str = field(
        default="1,2,3,4,5,6,7,8,9,10,15,20",
        metadata={"help": "widths of D's convolutions in tokens, separated by commas"},
    )
    d_kernel_counts: str = field(
        default="100,200,200,200,200,100,100,100,100,100,160,160",
        metadata={"help": "number of filters of each width: one number for each width"},
    )
    d_score_dtype: ChoiceEnum(["auto", "float32", "bfloat16"]) = field(
        default="auto",
        metadata={
            "help": "arithmetic of D's highway layer when it scores rewards on a CPU; auto: "
            "bfloat16 if the processor has it (which moves a probability by less than 0.01)"
        },
    )
    d_train_dtype: ChoiceEnum(["float32", "bfloat16"]) = field(
        default="float32",
        metadata={
            "help": "arithmetic of D's layers while D is trained; weights, loss and Adam stay in "
            "float32"
        },
    )


def parse_kernels(widths: str, counts: str) -> list[tuple[int, int]]:
    """Return [(width, count), ...] from two lists of numbers separated by commas.

    Raises:
        InputError: the lists differ in length, or contain anything but positive integers.
    """
    lists = {"--d-kernel-widths": widths, "--d-kernel-counts": counts}
    parsed = []
    for option, text in lists.items():
        try:
            numbers = [int(part) for part in text.split(",")]
        except ValueError:
            raise InputError(f"{option} '{text}' is not a list like 1,2,3") from None
        if min(numbers) < 1:
            raise InputError(f"{option} '{text}' holds a number below 1")
        parsed.append(numbers)
    if len(parsed[0]) != len(parsed[1]):
        raise InputError(
            f"--d-kernel-widths has {len(parsed[0])} numbers and --d-kernel-counts "
            f"{len(parsed[1])}: one count is needed for each width"
        )
    return list(zip(*parsed, strict=True))


@register_model("cnn_highway", dataclass=CNNHighwayConfig)
class CNNHighway(Discriminator):
    """D as a convolutional network with one highway layer.

    Args:
        size: V, the number of symbols in the dictionary.
        pad: the padding symbol; windows that touch padding do not enter the max over time.
        embed_dim: E.
        kernels: (width, count) of every convolution; F is the sum of the counts.
        dropout: applied to the input of the output layer, in train mode.
        l2: weight of :meth:`penalty`.
        score_dtype: arithmetic of the highway layer in :meth:`score` on a CPU.
        train_dtype: arithmetic of :meth:`forward` in train mode.
    """

    def __init__(
        self,
        size: int,
        pad: int,
        embed_dim: int,
        kernels: list[tuple[int, int]],
        dropout: float,
        l2: float,
        score_dtype: torch.dtype = torch.float32,
        train_dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.pad, self.l2 = pad, l2
        self.score_dtype, self.train_dtype = score_dtype, train_dtype
        features = sum(count for _, count in kernels)
        self.embed = nn.Embedding(size, embed_dim)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(embed_dim, count, width) for width, count in kernels
        )
        self.gate = nn.Linear(features, features)
        self.transform = nn.Linear(features, features)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(features, 2)
        self._initialize()

    @classmethod
    def build_model(cls, cfg: CNNHighwayConfig, task: Any) -> "CNNHighway":
        """Build D for the dictionary of *task* (fairseq's registry calls this)."""
        dictionary = task.source_dictionary
        kernels = parse_kernels(cfg.d_kernel_widths, cfg.d_kernel_counts)
        check_shared_options(cfg)
        return cls(
            len(dictionary),
            dictionary.pad(),
            cfg.d_embed_dim,
            kernels,
            cfg.d_dropout,
            cfg.d_l2,
            resolve_dtype("--d-score-dtype", str(cfg.d_score_dtype), uses_gpu=False),
            resolve_dtype("--d-train-dtype", str(cfg.d_train_dtype), trains_on_gpu(cfg)),
        )

    def _initialize(self) -> None:
        """Initialise as the authors' code does, except for the biases of the highway layer.

        The gate's bias is -2, so that the layer at first copies most of its input; the authors'
        is about 0.
        """
        nn.init.uniform_(self.embed.weight, -1.0, 1.0)
        for layer in [*self.convolutions, self.output]:
            nn.init.trunc_normal_(layer.weight, std=0.1, a=-0.2, b=0.2)
            nn.init.constant_(layer.bias, 0.1)
        for layer, bias in ((self.gate, -2.0), (self.transform, 0.0)):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.constant_(layer.bias, bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits (R, 2) of FAKE and REAL for *tokens* (R, T), padded at the end."""
        lower = self.training and self.train_dtype != torch.float32
        device = tokens.device.type
        with torch.autocast(device, self.train_dtype) if lower else nullcontext():
            return self._classify(self._features(tokens))

    def _classify(self, features: Tensor) -> Tensor:
        """Return logits (R, 2) from *features* (R, F): the highway layer and the output layer."""
        gate = torch.sigmoid(self.gate(features))
        mixed = gate * F.relu(self.transform(features)) + (1 - gate) * features
        return self.output(self.dropout(mixed))

    def _features(self, tokens: Tensor) -> Tensor:
        """Return the largest activation of each filter over the sequence, (R, F).

        The feature of a filter that is wider than the sequence is 0.
        """
        widest = max(layer.kernel_size[0] for layer in self.convolutions)
        if tokens.size(1) < widest:
            tokens = F.pad(tokens, (0, widest - tokens.size(1)), value=self.pad)
        lengths = self._lengths(tokens)
        pooled = self._largest(self.embed(tokens), lengths)
        # The largest ReLU is the ReLU of the largest response; without any window, relu(-inf) = 0.
        return F.relu(pooled)

    def _largest(self, embedded: Tensor, lengths: Tensor | None) -> Tensor:
        """Return each filter's largest response to *embedded* (R, T, E), as (R, F)."""
        # A GPU multiplies all windows faster than it gathers the chosen ones.
        if torch.is_grad_enabled() and not embedded.is_cuda and embedded.dtype == torch.float32:
            parameters = [p for layer in self.convolutions for p in (layer.weight, layer.bias)]
            return SparsePooledConvolution.apply(embedded, lengths, *parameters)
        embedded = embedded.transpose(1, 2)
        found = [convolve(layer, embedded, lengths) for layer in self.convolutions]
        return torch.cat(found, dim=1)

    def _lengths(self, tokens: Tensor) -> Tensor | None:
        """Return the lengths (R,) of *tokens* (R, T) without padding; None if there is none."""
        real = tokens != self.pad
        # On a GPU, to ask whether there is padding would wait for the device: always mask there.
        return real.sum(dim=1) if tokens.is_cuda or not bool(real.all()) else None

    def check_length(self, length: int) -> None:
        """Check that no filter is wider than the longest sequence, of *length* tokens.

        The widths of the paper are taken for sequences of any length; a warning names those that
        are too wide.

        Raises:
            InputError: the user has chosen a width that is.
        """
        widths = [layer.kernel_size[0] for layer in self.convolutions]
        wide = [str(width) for width in widths if width > length]
        if not wide:
            return
        problem = (
            f"the longest sequence has {length} tokens, so filters of width {', '.join(wide)} see "
            "nothing"
        )
        if ",".join(map(str, widths)) != CNNHighwayConfig.d_kernel_widths:
            raise InputError(f"--d-kernel-widths: {problem}")
        logger.warning("%s: choose --d-kernel-widths and --d-kernel-counts", problem)

    def penalty(self) -> Tensor:
        """Return the L2 penalty on the output layer, d_l2 × ½(|W|² + |b|²)."""
        return l2_penalty(self.output, self.l2)

    @torch.no_grad()
    def score(self, tokens: Tensor, batch_size: int = 512, *, log_odds: bool = False) -> Tensor:
        """Return D(Y) (R,) or its log-odds, as :meth:`Discriminator.score` does.

        On a CPU, many sequences are scored by table look-up, which differs from :meth:`forward` by
        rounding only. ``score_dtype`` bfloat16 changes a probability by less than 0.01 (tested).
        """
        if not self._looks_up(tokens):
            return super().score(tokens, batch_size, log_odds=log_odds)
        features = tokens.new_empty(len(tokens), self.output.in_features, dtype=torch.float32)
        for layer, found in self._by_layer(features):
            respond = MaxResponses(layer, self.embed.weight, tokens.numel(), self.pad)
            found.copy_(respond(tokens))
        return self._score_features(features, batch_size, log_odds)

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
        (B, T). On a CPU, each window inside a prefix is scored once, and not for every completion
        of every prefix that contains it.
        """
        prefixes, rollouts, length = completions.shape
        if not self._looks_up(tokens) or not prefixes:
            return super().score_completions(tokens, completions, sequence, step, log_odds=log_odds)
        scores = torch.empty(prefixes, rollouts)
        several = max(1, _SCORED_ROWS // (rollouts * length))
        for part in (sequence // several).unique():
            chosen = (sequence // several == part).nonzero().squeeze(1)
            features = torch.empty(len(chosen), rollouts, self.output.in_features)
            whole = completions[chosen]
            for layer, found in self._by_layer(features):
                respond = MaxResponses(layer, self.embed.weight, whole.numel(), self.pad)
                respond.continued(tokens, whole, sequence[chosen], step[chosen], found)
            found = self._score_features(features.flatten(0, 1), 512, log_odds)
            scores[chosen] = found.view(-1, rollouts)
        return scores

    def _looks_up(self, tokens: Tensor) -> bool:
        return not tokens.is_cuda and self.embed.weight.dtype == torch.float32

    def _by_layer(self, features: Tensor) -> Iterator[tuple[nn.Conv1d, Tensor]]:
        """Yield each convolution with its part of *features* (..., F)."""
        counts = [layer.out_channels for layer in self.convolutions]
        yield from zip(self.convolutions, features.split(counts, dim=-1), strict=True)

    def _score_features(self, features: Tensor, batch_size: int, log_odds: bool) -> Tensor:
        """Return the scores (R,) of *features* (R, F), and overwrite these."""
        logits = self._classify_in_place(features.relu_(), batch_size)
        return real_class_score(torch.cat(logits), log_odds)

    def _classify_in_place(self, features: Tensor, batch_size: int) -> list[Tensor]:
        """Do what :meth:`_classify` does, on chunks of *features* (R, F), and reuse memory."""
        dtype = self.score_dtype
        gate_weight, transform_weight = (
            layer.weight.t().to(dtype) for layer in (self.gate, self.transform)
        )
        parts = []
        for x in features.split(batch_size):
            lowered = x.to(dtype)
            gate = (lowered @ gate_weight).float().add_(self.gate.bias).sigmoid_()
            mixed = (lowered @ transform_weight).float().add_(self.transform.bias).relu_()
            mixed.sub_(x).mul_(gate).add_(x)  # gate * transform + (1 - gate) * x
            parts.append(self.output(self.dropout(mixed)))
        return parts
