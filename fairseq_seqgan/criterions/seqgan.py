"""Criterion ``seqgan``: the losses of discriminator D and generator G, and the held-out NLL.

The criterion owns D, so the model stays a plain language model and its checkpoint an ordinary one.
The task decides which of the two nets an update trains, and on what.

Shapes: B sequences in a batch of G, R sequences in a minibatch of D, T tokens.
"""

import math
from argparse import ArgumentParser
from dataclasses import dataclass, field
from typing import Any, ClassVar, Optional

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
from ..support.errors import InputError, flag
from ..support.eval_mode import turn_dropout_off
from ..support.finite import require_finite
from ..support.options import combine
from .discriminator_weights import take_over

Log = dict[str, Any]

# (name, decimals) of what is logged: weighted means over updates, batches and ranks.
# docs/metrics.md defines each.
TRAINING = (("d_loss", 4), ("d_acc", 3), ("g_loss", 4), ("reward", 4), ("entropy", 4), ("kl", 4))
VALIDATION = (
    ("nll", 4),
    ("nll_oracle", 4),
    ("entropy", 4),
    ("d_auc_train", 4),
    ("d_auc_heldout", 4),
    ("d_gain", 4),
    ("d_gain_stderr", 4),
    ("d_slope", 4),
)


@dataclass
class SeqGANCriterionBaseConfig(FairseqDataclass):
    """Options of the criterion, without those of D, which it owns."""

    discriminator_from: Optional[str] = field(  # noqa: UP045  (fairseq cannot read `str | None`)
        default=None,
        metadata={
            "help": "checkpoint of an earlier adversarial training: start with its D, and with the "
            "slope of its log-odds, in place of a random one"
        },
    )
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
            "help": "share of each label's weight that D's cross-entropy spreads over both "
            "classes; 0 (the paper): none"
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
        "help": "the discriminator; cnn_highway is the paper's",
    }
    return combine(
        "SeqGANCriterionConfig",
        SeqGANCriterionBaseConfig,
        known.values(),
        discriminator=discriminator,
    )


@register_criterion("seqgan", dataclass=make_config())
class SeqGANCriterion(FairseqCriterion):
    """The losses of Algorithm 1.

    D minimises its cross-entropy (Eq. 5 of the paper); Y are sequences:

        L_D = -E_{Y ~ real data} log D(Y) - E_{Y ~ G} log(1 - D(Y))

    G maximises the expected reward J by policy gradient (Eq. 6 to 8), with Q(t) the value of y_t:

        dJ/dθ ≈ Σ_t Q(t) d/dθ log G(y_t | y_1 ... y_t-1)

    Args:
        cfg: options of the criterion and of D.
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
                raise InputError(f"{flag(name)} is {getattr(cfg, name)}: it must be in [0, 1)")
        self.make_policy, self.label_smoothing = task.policy, cfg.d_label_smoothing
        self.token_dropout, self.dictionary = cfg.d_token_dropout, task.source_dictionary
        self.discriminator = build_discriminator(str(cfg.discriminator), cfg, task)
        self.slope: float | None = None  # of the log-odds of the D that training starts with
        self.trained_before = cfg.discriminator_from is not None
        self._keeps_discriminator = False
        for parameter in self.discriminator.parameters():
            parameter.param_group = DISCRIMINATOR

    def take_over(self, cfg: SeqGANCriterionBaseConfig) -> None:
        """Begin a new training with the D of ``--discriminator-from``.

        fairseq loads the criterion of the checkpoint that G comes from afterwards; D stays.

        Raises:
            InputError: there is no D in the file, or it is another one.
        """
        assert cfg.discriminator_from is not None
        self.slope = take_over(self.discriminator, cfg.discriminator_from, self.dictionary, cfg)
        self._keeps_discriminator = True

    @classmethod
    def refresh_options(cls) -> None:
        """Tell fairseq the options of discriminators that were registered in the meantime."""
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
        """Return (loss, sample size, logging output).

        In training, *sample* has a ``step`` of the schedule and the batch that the trainer made for
        it. In validation it is one of fairseq's batches of held-out text.

        Raises:
            DivergenceError: the loss is NaN or infinite; no weight has changed.
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
        """Return the policy-gradient loss, in nats:

            -Σ_b Σ_t A(b, t) log G(y_bt | y_b1 ... y_bt-1)

        A(b, t) is the advantage of token t of sequence b: its value Q minus the baseline. *sample*
        holds ``tokens`` (B, T), ``advantage`` (B, T), ``reward`` (B,), ``dropout``, and for the log
        ``ntokens`` and, where they are known, ``entropy_sum`` and ``kl_sum``. The sample size is B,
        so that fairseq makes the gradient the mean over the sequences.

        Without ``dropout`` log G is that of the policy which drew the sequences, so that a constant
        advantage has an expected gradient of 0.
        """
        tokens, advantage = sample["tokens"], sample["advantage"]
        if not sample["dropout"]:
            turn_dropout_off(model)
        log_probs = self.make_policy(model).log_probs(tokens)
        loss = -(log_probs * advantage).sum()
        log = {
            "g_loss": (loss.detach(), len(tokens)),
            "reward": (sample["reward"].sum(), len(tokens)),
            "ntokens": sample["ntokens"],
            "nsentences": len(tokens),
        }
        for name in ("entropy", "kl"):
            if f"{name}_sum" in sample:
                log[name] = sample[f"{name}_sum"], sample["ntokens"]
        return loss, len(tokens), log

    def discriminator_loss(self, sample: dict[str, Any]) -> tuple[Tensor, int, Log]:
        """Return D's cross-entropy plus its L2 penalty, times the R sequences, in nats:

            R (-1/R Σ_r log P(label of r | sequence r) + penalty)

        P is D(Y) for the label REAL and 1 - D(Y) for FAKE. *sample* holds ``tokens`` (R, T) and
        ``labels`` (R,). R is 0 on a rank that gets no sequence of the last minibatch of a pass.
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
        """Return the NLL of held-out text, -Σ_t log G(x_t | x_1 ... x_t-1), in nats.

        The sample size is the number of tokens. Symbols that the policy never draws are left out:
        padding, unknown words, and the end symbol of sequences of fixed length.
        """
        tokens = sample["target"]
        loss, count = self.make_policy(model).nll(tokens)
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
            # fairseq needs a `loss`. For held-out data it is in base 2, as the perplexity expects.
            metrics.log_scalar("loss", nll[0] / math.log(2), nll[1], round=3)
        else:
            minimized = means["g_loss"] or means["d_loss"]
            # An update that trains nothing, of a pool that is skipped, has no weight.
            metrics.log_scalar("loss", *(minimized or (0.0, 0)), round=4)
        rounds = [log["round"] for log in logging_outputs if "round" in log]
        if rounds:
            metrics.log_scalar("round", rounds[0], weight=0, round=0)

    def load_state_dict(self, state_dict: dict | None, strict: bool = True) -> Any:
        """Load D, unless :meth:`take_over` has brought one.

        ``None``, as in the checkpoint of a plain language model, leaves D as it is.
        """
        if state_dict is None or self._keeps_discriminator:
            return None
        return super().load_state_dict(state_dict, strict)

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        """Return False: the metrics of an update depend on its phase."""
        return False


def log_mean(name: str, logging_outputs: list[Log], decimals: int) -> tuple[float, float] | None:
    """Log the mean of metric *name* from its (sum, count) pairs; return mean and count."""
    pairs = [log[name] for log in logging_outputs if name in log]
    count = sum(n for _, n in pairs)
    if not count:
        return None
    mean = float(sum(total for total, _ in pairs)) / count
    metrics.log_scalar(name, mean, count, round=decimals)
    return mean, count
