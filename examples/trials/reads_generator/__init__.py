"""Does D know more if it also reads G? A ``--user-dir`` with ``--discriminator reads_generator``.

    fairseq-train DATA --user-dir examples/trials/reads_generator --task seqgan --criterion seqgan \
        --discriminator reads_generator --d-language-model mle/checkpoint_best.pt …

It is the paper's D, which also sees a frozen language model G read the sequence. With h_t the state
from which G predicts y_t, and E y_t D's own embedding, its convolutions read

    tokens:   E y_t                                                     the paper's D
    surprise: E y_t, and log G(y_t | y_1 ... y_t-1)
    states:   E y_t, log G(y_t | y_1 ... y_t-1), and a projection of h_t

With ``--d-reads output`` they read E y_t alone. A layer of its own then adds logits for the mean of
h_t and the mean of log G(y_t | ...), both over t.

Shapes: R sequences, T tokens, E embedding size, C features of G.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from fairseq.data import Dictionary
from fairseq.dataclass import ChoiceEnum
from fairseq.models import FairseqLanguageModel, register_model
from torch import Tensor, nn

import fairseq_seqgan  # noqa: F401  (registers task and criterion)
from fairseq_seqgan.models.cnn_highway import CNNHighway, CNNHighwayConfig, parse_kernels
from fairseq_seqgan.models.discriminator import check_shared_options
from fairseq_seqgan.policy.policy import Policy
from fairseq_seqgan.policy.saved_model import load_language_model, trained_on
from fairseq_seqgan.support.compat_models import has_features
from fairseq_seqgan.support.errors import InputError

_HIDDEN = 128  # units of the layer that reads the means
_NATS = 2.0  # log-probabilities are divided by it, to be about as large as an embedding


@dataclass
class ReadsGeneratorConfig(CNNHighwayConfig):
    """Options of ``--discriminator reads_generator``, beside those of the paper's D."""

    d_language_model: str = field(
        default="", metadata={"help": "checkpoint of the language model that D sees reading"}
    )
    d_reads: ChoiceEnum(["states", "surprise", "output"]) = field(
        default="states",
        metadata={"help": "what D's convolutions read of it; output: nothing, but D's last layer"},
    )
    d_state_size: int = field(default=32, metadata={"help": "size of the projection of a state"})


@register_model("reads_generator", dataclass=ReadsGeneratorConfig)
class ReadsGenerator(CNNHighway):
    """The paper's D beside a frozen language model.

    Args:
        generator: the language model; its weights are stored with D's, and never trained.
        dictionary: of the sequences.
        cfg: the options.
    """

    def __init__(
        self, generator: FairseqLanguageModel, dictionary: Dictionary, cfg: ReadsGeneratorConfig
    ) -> None:
        kernels = parse_kernels(cfg.d_kernel_widths, cfg.d_kernel_counts)
        more = {"states": cfg.d_state_size + 1, "surprise": 1, "output": 0}[str(cfg.d_reads)]
        pad, size = dictionary.pad(), len(dictionary)
        super().__init__(size, pad, cfg.d_embed_dim + more, kernels, cfg.d_dropout, cfg.d_l2)
        self.reads = str(cfg.d_reads)
        self.embed = nn.Embedding(size, cfg.d_embed_dim)
        nn.init.uniform_(self.embed.weight, -1.0, 1.0)
        self.generator = generator.requires_grad_(False).eval()
        # Any length will do: only probabilities are asked for.
        self.policy = Policy(generator, dictionary, max_length=1)
        one = torch.tensor([[dictionary.eos()]])
        features = generator.decoder.extract_features(one)[0].size(-1)
        # Only what is used: pytorch_ddp waits for the gradient of every layer.
        if self.reads == "states":
            self.project = nn.Linear(features, cfg.d_state_size)
        elif self.reads == "output":
            self.means = nn.Sequential(
                nn.Linear(features + 1, _HIDDEN),
                nn.ReLU(),
                nn.Dropout(cfg.d_dropout),
                nn.Linear(_HIDDEN, 2),
            )

    @classmethod
    def build_model(cls, cfg: ReadsGeneratorConfig, task: Any) -> "ReadsGenerator":
        """Build D, and read the language model.

        Raises:
            InputError: it cannot be read, or an option is out of range.
        """
        check_shared_options(cfg)
        if str(cfg.d_train_dtype) != "float32":
            raise InputError("--d-train-dtype: reads_generator is trained in float32 only")
        if not cfg.d_language_model:
            raise InputError("--discriminator reads_generator needs --d-language-model")
        path = Path(cfg.d_language_model)
        dictionary = task.source_dictionary
        generator, _ = load_language_model(path, Path(trained_on(path)[0]), dictionary)
        if not has_features(generator.decoder):
            raise InputError(f"--d-language-model {path}: an architecture without hidden states")
        return cls(generator, dictionary, cfg)

    def train(self, mode: bool = True) -> "ReadsGenerator":
        """Set D's mode; the language model keeps its dropout off."""
        super().train(mode)
        self.generator.eval()
        return self

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits (R, 2) of FAKE and REAL for *tokens* (R, T), padded at the end."""
        logits = super().forward(tokens)
        if self.reads != "output":
            return logits
        states, log_probs = self._watch(tokens)
        inside = (tokens != self.pad).unsqueeze(2)
        both = torch.cat([states, log_probs], dim=2) * inside
        return logits + self.means(both.sum(dim=1) / inside.sum(dim=1).clamp(min=1))

    def _looks_up(self, tokens: Tensor) -> bool:
        return False  # the tables of the paper's D hold nothing of G

    def _features(self, tokens: Tensor) -> Tensor:
        """Return the largest activation of each filter over the sequence, (R, F)."""
        widest = max(layer.kernel_size[0] for layer in self.convolutions)
        tokens = F.pad(tokens, (0, max(0, widest - tokens.size(1))), value=self.pad)
        read = [self.embed(tokens)]
        if self.reads != "output":
            states, log_probs = self._watch(tokens)
            read += [log_probs, self.project(states)] if self.reads == "states" else [log_probs]
        return F.relu(self._largest(torch.cat(read, dim=2), self._lengths(tokens)))

    @torch.no_grad()
    def _watch(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return G's states (R, T, C) before each of *tokens* (R, T), and its scaled log G."""
        before = F.pad(tokens, (1, -1), value=self.pad)
        before[:, 0] = self.policy.start
        states = self.generator.decoder.extract_features(before)[0]
        return states, self.policy.log_probs(tokens).unsqueeze(2) / _NATS
