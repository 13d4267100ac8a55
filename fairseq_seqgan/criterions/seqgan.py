"""Criterion ``seqgan``: D's cross-entropy, G's policy gradient, and the held-out NLL.

It owns D, so that the model stays a plain language model and its checkpoint an ordinary one. The
task decides which of the two nets an update trains and what it is trained on.

Shapes: B sequences of G, R of D, T tokens.
"""

import math
from argparse import ArgumentParser
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from fairseq.logging import metrics
from fairseq.models import BaseFairseqModel
from fairseq.tasks import FairseqTask
from torch import Tensor

from ..adversarial.schedule import Phase
from ..models.discriminator import discriminators
from ..models.ensemble import build_discriminator
from ..optim.seqgan_adam import DISCRIMINATOR
from ..support import compat
from ..support.errors import InputError, require_finite
from ..support.options import combine

Log = dict[str, Any]

# Logged during training and validation: the weighted mean over updates, batches and ranks.
# (name, decimals); docs/metrics.md says what each is.
TRAINING = (("d_loss", 4), ("d_acc", 3), ("g_loss", 4), ("reward", 4), ("entropy", 4))
VALIDATION = (
    ("nll", 4),
    ("nll_oracle", 4),
    ("entropy", 4),
    ("d_auc_train", 4),
    ("d_auc_heldout", 4),
)


@dataclass
class SeqGANCriterionBaseConfig(FairseqDataclass):
    """Options of the criterion, without those of D, which it owns."""

    d_ensemble: int = field(
        default=1,
        metadata={"help": "number of discriminators whose log-odds are averaged; 1: the paper"},
    )
    d_token_dropout: float = field(
        default=0.0,
        metadata={
            "help": "share of D's input tokens that are replaced by the unknown word while D is "
            "trained, so that it cannot memorise its positives"
        },
    )
    d_label_smoothing: float = field(
        default=0.0,
        metadata={
            "help": "share of each label that is spread over both classes in D's cross-entropy; 0 "
            "(the paper): labels are certain"
        },
    )


def make_config() -> type[FairseqDataclass]:
    """Return the options of the criterion, those of every registered discriminator among them.

    Raises:
        InputError: two of them have the same name.
    """
    known = discriminators()
    discriminator = {
        "type": ChoiceEnum(sorted(known)),
        "default": "cnn_highway",
        "help": "the net that tells real sequences from samples; cnn_highway is the paper's",
    }
    return combine(
        "SeqGANCriterionConfig",
        SeqGANCriterionBaseConfig,
        known.values(),
        discriminator=discriminator,
    )


@register_criterion("seqgan", dataclass=make_config())
class SeqGANCriterion(FairseqCriterion):
    """The losses of Algorithm 1 (the paper's Eq. 5 and 6 to 8).

    Args:
        cfg: options of D.
        task: a task with ``policy(model)`` and a ``source_dictionary``.

    Raises:
        InputError: the task is another one, or an option of D is out of range.
    """

    _known: ClassVar[set[type]] = set(discriminators().values())

    def __init__(self, cfg: SeqGANCriterionBaseConfig, task: FairseqTask) -> None:
        super().__init__(task)
        if not hasattr(task, "policy"):
            raise InputError("--criterion seqgan needs --task seqgan")
        for name in ("d_label_smoothing", "d_token_dropout"):
            if not 0 <= getattr(cfg, name) < 1:
                option = "--" + name.replace("_", "-")
                raise InputError(f"{option} is {getattr(cfg, name)}: it must be in [0, 1)")
        self.make_policy, self.label_smoothing = task.policy, cfg.d_label_smoothing
        self.token_dropout, self.dictionary = cfg.d_token_dropout, task.source_dictionary
        self.discriminator = build_discriminator(str(cfg.discriminator), cfg, task)
        for parameter in self.discriminator.parameters():
            parameter.param_group = DISCRIMINATOR

    @classmethod
    def refresh_options(cls) -> None:
        """Let the options of discriminators that were registered since be known to fairseq."""
        if set(discriminators().values()) != cls._known:
            compat.replace_options("criterion", "seqgan", cls, make_config())
            cls._known = set(discriminators().values())

    @classmethod
    def add_args(cls, parser: ArgumentParser) -> None:
        """Add the options to *parser*."""
        cls.refresh_options()
        super().add_args(parser)

    def forward(
        self, model: BaseFairseqModel, sample: dict[str, Any], reduce: bool = True
    ) -> tuple[Tensor, int, Log]:
        """Return (loss, sample size, logging output) of the step that *sample* was made for.

        In training, *sample* has a ``step`` from the schedule and what the task drew for it. In
        validation it is one of fairseq's batches of held-out text.
        """
        step = sample.get("step")
        if step is None:
            return self.heldout_loss(model, sample)
        if step.phase is Phase.GENERATOR:
            loss, size, log = self.generator_loss(model, sample)
        else:
            loss, size, log = self.discriminator_loss(sample)
        require_finite(loss, f"{step.phase.value} step", "the loss")
        log.update(round=step.round, sample_size=size)
        return loss, size, log

    def generator_loss(
        self, model: BaseFairseqModel, sample: dict[str, Any]
    ) -> tuple[Tensor, int, Log]:
        """Return the policy-gradient loss, -Σ_b Σ_t Q(b, t) log G(y_bt | y_b1 ... y_bt-1) (Eq. 8).

        *sample* holds ``tokens`` (B, T), ``advantage`` (B, T), ``reward`` (B,) and ``entropy``.
        The sample size is B, so the gradient is the mean over sequences of the sum over steps.
        """
        tokens, advantage = sample["tokens"], sample["advantage"]
        log_probs = self.make_policy(model).log_probs(tokens)
        loss = -(log_probs * advantage).sum()
        log = {
            "g_loss": (loss.detach(), len(tokens)),
            "reward": (sample["reward"].sum(), len(tokens)),
            "entropy": (sample["entropy_sum"], sample["ntokens"]),
            "ntokens": sample["ntokens"],
            "nsentences": len(tokens),
        }
        return loss, len(tokens), log

    def discriminator_loss(self, sample: dict[str, Any]) -> tuple[Tensor, int, Log]:
        """Return D's cross-entropy (Eq. 5) plus its L2 penalty, summed over the R sequences.

        *sample* holds ``tokens`` (R, T) and ``labels`` (R,). R may be 0 on a rank that got nothing
        of a pass's last minibatch.
        """
        tokens, labels = sample["tokens"], sample["labels"]
        if len(tokens) == 0:
            loss = sum(p.sum() for p in self.discriminator.parameters()) * 0.0
            return loss, 0, {"ntokens": 0, "nsentences": 0}
        loss, logits = self.discriminator.loss(
            self._drop_tokens(tokens), labels, self.label_smoothing
        )
        loss = loss * len(tokens)  # because the trainer divides by the number of sequences
        right = (logits.argmax(dim=1) == labels).sum()
        log = {
            "d_loss": (loss.detach(), len(tokens)),
            "d_acc": (right, len(tokens)),
            "ntokens": tokens.numel(),
            "nsentences": len(tokens),
        }
        return loss, len(tokens), log

    def _drop_tokens(self, tokens: Tensor) -> Tensor:
        """Return *tokens* (R, T), some replaced by the unknown word; padding stays."""
        if not (self.training and self.token_dropout):
            return tokens
        dropped = torch.rand(tokens.shape, device=tokens.device) < self.token_dropout
        dropped &= tokens != self.dictionary.pad()
        return tokens.masked_fill(dropped, self.dictionary.unk())

    def heldout_loss(
        self, model: BaseFairseqModel, sample: dict[str, Any]
    ) -> tuple[Tensor, int, Log]:
        """Return the policy's NLL of held-out text, summed, in nats; the sample size is in tokens.

        Symbols that the policy never draws are left out: padding, an unknown word, and the end of
        a sequence of fixed length.
        """
        policy = self.make_policy(model)
        tokens = sample["target"]
        loss = -policy.log_probs(tokens).sum()
        count = int(policy.scored(tokens).sum())
        log = {
            "nll": (loss.detach(), count),
            "ntokens": count,
            "nsentences": len(tokens),
            "sample_size": count,
        }
        return loss, count, log

    @classmethod
    def reduce_metrics(cls, logging_outputs: list[Log]) -> None:
        """Log the mean of every metric, over updates, batches and ranks."""
        means = {
            name: log_mean(name, logging_outputs, decimals)
            for name, decimals in dict([*TRAINING, *VALIDATION]).items()
        }
        nll = means["nll"]
        if nll is not None:
            # fairseq wants a `loss`. Held out, it is fairseq's own: base 2, for the perplexity.
            metrics.log_scalar("loss", nll[0] / math.log(2), nll[1], round=3)
        else:
            minimized = means["g_loss"] or means["d_loss"]
            if minimized is not None:
                metrics.log_scalar("loss", minimized[0], minimized[1], round=4)
        rounds = [log["round"] for log in logging_outputs if "round" in log]
        if rounds:
            metrics.log_scalar("round", rounds[0], weight=0, round=0)

    def load_state_dict(self, state_dict: dict | None, strict: bool = True) -> Any:
        """Load D; ``None``, which a plain language model's checkpoint holds, leaves D as it is."""
        if state_dict is None:
            return None
        return super().load_state_dict(state_dict, strict)

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        """No: the metrics of an update depend on its phase."""
        return False


def log_mean(name: str, logging_outputs: list[Log], decimals: int) -> tuple[float, float] | None:
    """Log the mean of metric *name* from its (sum, count) pairs; return it and the count."""
    pairs = [log[name] for log in logging_outputs if name in log]
    count = sum(n for _, n in pairs)
    if not count:
        return None
    mean = float(sum(total for total, _ in pairs)) / count
    metrics.log_scalar(name, mean, count, round=decimals)
    return mean, count
