"""The nets and sizes that the benchmarks share: the paper's synthetic experiment."""

from __future__ import annotations

import argparse
from types import SimpleNamespace

import torch
from fairseq.data import Dictionary
from fairseq.models.lstm_lm import LSTMLanguageModel, base_architecture

from fairseq_seqgan.criterions.seqgan import SeqGANCriterion, SeqGANCriterionConfig
from fairseq_seqgan.game import Game
from fairseq_seqgan.options import SeqGANConfig
from fairseq_seqgan.policy import Policy
from fairseq_seqgan.rewards import DiscriminatorReward
from fairseq_seqgan.sampling import make_generator

BATCH, ROLLOUTS, LENGTH, WORDS, HIDDEN = 64, 16, 20, 5000, 32


class Paper:
    """G, D and a game at the paper's sizes, with random weights.

    The times do not depend on the weights, so nothing is trained.
    """

    def __init__(self) -> None:
        torch.manual_seed(1)
        self.dictionary = Dictionary()
        for word in range(WORDS):
            self.dictionary.add_symbol(str(word))
        options = argparse.Namespace(
            dropout=0.0,
            decoder_embed_dim=HIDDEN,
            decoder_out_embed_dim=HIDDEN,
            criterion="cross_entropy",
        )
        base_architecture(options)
        task = SimpleNamespace(source_dictionary=self.dictionary, dictionary=self.dictionary)
        task.target_dictionary = self.dictionary
        self.model = LSTMLanguageModel.build_model(options, task)
        self.policy = Policy(self.model, self.dictionary, fixed_length=LENGTH)
        task.policy = lambda model: self.policy
        self.criterion = SeqGANCriterion(SeqGANCriterionConfig(), task)
        settings = {**vars(SeqGANConfig()), "seed": 1, "fixed_length": LENGTH}
        settings.update(pretrain_d_steps=0, rounds=1000, g_steps=1000, d_steps=0)
        self.positives = torch.randint(
            4, 4 + WORDS, (2048, LENGTH), generator=make_generator("positives")
        )
        self.game = Game(
            SimpleNamespace(**settings),
            self.positives,
            DiscriminatorReward(self.criterion.discriminator),
            task.policy,
            BATCH,
        )
