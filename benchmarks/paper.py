"""The nets and sizes that the benchmarks share: by default those of the paper's synthetic data."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from fairseq.models import BaseFairseqModel

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))  # for the small models

from helpers.models import build_lm, make_dictionary

from fairseq_seqgan.adversarial.trainer import AdversarialTrainer
from fairseq_seqgan.criterions.seqgan import SeqGANCriterion, make_config
from fairseq_seqgan.policy.policy import Policy
from fairseq_seqgan.rewards.discriminator import DiscriminatorReward
from fairseq_seqgan.support.rng import seeded_rng
from fairseq_seqgan.tasks.config import make_config as make_task_config


@dataclass(frozen=True)
class Sizes:
    """B sequences, N rollouts, T tokens, V words; the generator and its hidden size."""

    batch: int = 64
    rollouts: int = 16
    length: int = 20
    words: int = 5000
    arch: str = "lstm_lm"
    hidden: int = 32
    stride: int = 1
    rollout_dtype: str = "float32"

    @property
    def completions(self) -> int:
        """Return the rollouts of a G step."""
        return self.batch * self.rollouts * ((self.length - 1) // self.stride)

    @property
    def projected(self) -> int:
        """Return the distributions that are computed in a G step.

        A rollout's first token is drawn from that of its sequence.
        """
        ends = range(self.stride, self.length, self.stride)
        rolled = sum(self.length - end - 1 for end in ends)
        return self.batch * (self.length + self.rollouts * rolled)


class Paper:
    """G, D and their trainer, with random weights.

    The times do not depend on the weights, so nothing is trained.
    """

    def __init__(self, sizes: Sizes | None = None, device: str = "cpu", **options: object) -> None:
        torch.manual_seed(1)
        self.sizes = sizes = sizes or Sizes()
        self.device = device
        self.dictionary = make_dictionary(sizes.words)
        task = SimpleNamespace(source_dictionary=self.dictionary, dictionary=self.dictionary)
        task.target_dictionary = self.dictionary
        # A transformer_lm of six layers with eight heads.
        self.model = build_lm(
            sizes.arch,
            self.dictionary,
            sizes.hidden,
            dropout=0.0,
            layers=6,
            heads=8,
            feed_forward=4,
            positions=sizes.length + 1,
        ).to(device)
        self.policy = Policy(self.model, self.dictionary, fixed_length=sizes.length)
        task.policy = self.policy_of
        self.criterion = SeqGANCriterion(make_config()(**options), task).to(device)
        self.discriminator = self.criterion.discriminator
        settings = {**vars(make_task_config()()), "seed": 1, "fixed_length": sizes.length}
        settings.update(pretrain_d_steps=0, rounds=1000, g_steps=1000, d_steps=0)
        settings.update(rollouts=sizes.rollouts, rollout_stride=sizes.stride)
        settings.update(rollout_dtype=sizes.rollout_dtype)
        shape = 2048, sizes.length
        self.positives = torch.randint(4, 4 + sizes.words, shape, generator=seeded_rng("positives"))
        fields: Any = SimpleNamespace(**settings)
        self.trainer = AdversarialTrainer(
            fields,
            self.positives,
            DiscriminatorReward(self.discriminator),
            task.policy,
            sizes.batch,
        )
        self._optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)
        self._update = 0

    def policy_of(self, model: BaseFairseqModel) -> Policy:
        """Return the policy of *model*: of G, or of a copy of it."""
        if model is self.model:
            return self.policy
        return Policy(model, self.dictionary, fixed_length=self.sizes.length)

    def make_batch(self) -> dict:
        """Return what the next G step is trained on."""
        self._update += 1
        return self.trainer.make_batch(self.model, self._update - 1, 0, 1)

    def learn(self, sample: dict) -> None:
        """Update G: loss, backward and Adam."""
        self.model.train()
        self._optimizer.zero_grad()
        loss, size, _ = self.criterion(self.model, sample)
        (loss / size).backward()
        self._optimizer.step()

    def g_step(self) -> None:
        """Do a G step: sampling, rollouts, rewards, loss, backward and Adam."""
        self.learn(self.make_batch())
