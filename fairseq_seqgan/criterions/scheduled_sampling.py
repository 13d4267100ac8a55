"""Criterion ``scheduled_sampling`` (Bengio et al., 2015): the paper's second baseline.

The loss is the cross-entropy of the true tokens, as in maximum likelihood. But the model does not
always read the true tokens: each is fed with probability ω and otherwise replaced by one that the
model draws. ω falls linearly with the epoch e, which starts at 1:

    ω(e) = max(0, ss_start - ss_decay (e - 1))

Shapes: B sequences, T input positions (the start symbol, then tokens).
"""

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from fairseq.criterions import register_criterion
from fairseq.criterions.cross_entropy import CrossEntropyCriterion, CrossEntropyCriterionConfig
from fairseq.logging import metrics
from fairseq.models import BaseFairseqModel
from fairseq.tasks import FairseqTask
from torch import Tensor

from ..policy.policy import Decoding, Policy
from ..support.errors import InputError
from ..support.eval_mode import eval_mode
from ..support.rng import seeded_rng


@dataclass
class ScheduledSamplingConfig(CrossEntropyCriterionConfig):
    """Options of scheduled sampling: the probability of feeding true tokens."""

    ss_start: float = field(
        default=1.0,
        metadata={"help": "omega in the first epoch: the probability that a true token is fed"},
    )
    ss_decay: float = field(
        default=0.002, metadata={"help": "how much omega decreases with every epoch, down to 0"}
    )


@register_criterion("scheduled_sampling", dataclass=ScheduledSamplingConfig)
class ScheduledSamplingCriterion(CrossEntropyCriterion):
    """fairseq's cross-entropy on inputs that are partly the model's own samples.

    A coin is tossed for every token. No gradient flows through a draw, so the inputs are drawn
    first, step by step and without dropout, and the loss is that of one ordinary pass over them.
    Validation is fairseq's: it feeds the true tokens.

    Args:
        task: task ``seqgan``, which knows the epoch and the update.
        sentence_avg: fairseq's ``--sentence-avg``.
        ss_start: ω in the first epoch.
        ss_decay: how much ω decreases with every epoch, down to 0.

    Raises:
        InputError: the task is another one, or an option is out of range.
    """

    def __init__(
        self, task: FairseqTask, sentence_avg: bool, ss_start: float, ss_decay: float
    ) -> None:
        super().__init__(task, sentence_avg)
        if not hasattr(task, "epoch"):
            raise InputError("--criterion scheduled_sampling needs --task seqgan")
        if str(task.args.sample_break_mode) != "eos":
            raise InputError("--sample-break-mode: scheduled sampling needs eos")
        if not 0 <= ss_start <= 1:
            raise InputError(f"--ss-start is {ss_start}: it must be in [0, 1]")
        if not 0 <= ss_decay < math.inf:
            raise InputError(f"--ss-decay is {ss_decay}: it must be 0 or more")
        self.ss_start, self.ss_decay = ss_start, ss_decay
        self._policy: Policy | None = None

    def omega(self, epoch: int) -> float:
        """Return the probability that a true token is fed in *epoch*, which starts at 1."""
        return max(0.0, self.ss_start - self.ss_decay * (epoch - 1))

    def forward(
        self, model: BaseFairseqModel, sample: dict[str, Any], reduce: bool = True
    ) -> tuple[Tensor, int, dict[str, Any]]:
        """Return (loss, sample size, logging output) of one of fairseq's batches."""
        if not self.training:
            return super().forward(model, sample, reduce)
        omega = self.omega(self.task.epoch)
        if omega < 1:
            net_input = sample["net_input"]
            inputs = self.mix(model, net_input["src_tokens"], omega, self._random(sample))
            sample = {**sample, "net_input": {**net_input, "src_tokens": inputs}}
        loss, size, log = super().forward(model, sample, reduce)
        log["omega"] = omega * log["nsentences"]
        return loss, size, log

    @torch.no_grad()
    def mix(
        self, model: BaseFairseqModel, inputs: Tensor, omega: float, generator: torch.Generator
    ) -> Tensor:
        """Return *inputs* (B, T), each token replaced with probability 1 - *omega* by a draw.

        *model* draws a token given the inputs before it, replaced ones included. Banned symbols are
        never drawn, and neither is the end symbol, which no token would follow. The start symbol
        and padding are never replaced.
        """
        coins, uniforms = torch.rand(2, *inputs.shape, generator=generator).to(inputs.device)
        policy = self._as_policy(model)
        edges = torch.tensor([policy.pad, policy.eos, policy.start], device=inputs.device)
        own = (coins >= omega) & ~torch.isin(inputs, edges)
        steps = own.any(dim=0).nonzero()
        last = int(steps[-1]) if len(steps) else 0
        fed, decoding = inputs.clone(), Decoding(policy)
        with eval_mode(model):
            for t in range(1, last + 1):
                features = decoding.step(fed[:, :t])
                rows = own[:, t].nonzero().squeeze(1)
                if len(rows):
                    fed[rows, t], _ = policy.draw(features[rows], uniforms[rows, t])
        return fed

    def _as_policy(self, model: BaseFairseqModel) -> Policy:
        """Return *model* as a policy without an end symbol, at temperature 1."""
        if self._policy is None or self._policy.model is not model:
            # It only makes single draws; a fixed length, whatever it is, bans the end symbol.
            self._policy = Policy(model, self.task.source_dictionary, fixed_length=1)
        return self._policy

    def _random(self, sample: dict[str, Any]) -> torch.Generator:
        """Return the random numbers of a batch, seeded by seed, update and its first sequence.

        In one update, different ranks and different parts of ``--update-freq`` begin with different
        sequences. A resumed training draws the same numbers as an uninterrupted one.
        """
        first = int(sample["id"][0])
        return seeded_rng("scheduled sampling", self.task.args.seed, sample["update"], first)

    @classmethod
    def reduce_metrics(cls, logging_outputs: list[dict[str, Any]]) -> None:
        """Log what fairseq's cross-entropy logs, and ω."""
        super().reduce_metrics(logging_outputs)
        training = [log for log in logging_outputs if "omega" in log]
        sentences = sum(log["nsentences"] for log in training)
        if sentences:
            total = sum(log["omega"] for log in training)
            metrics.log_scalar("omega", total / sentences, sentences, round=4)
