"""What ``fairseq-seqgan evaluate`` hands to every metric: ``metrics.base.MetricInputs``.

Files are read and checked at once; what takes time is computed when a metric first asks for it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from ..metrics.discriminator import LogOdds
from ..oracle.lstm import Oracle, from_fairseq
from ..policy.rollouts import Samples, sample
from ..show.notes import piano_keys
from ..support.errors import InputError
from ..support.rng import seeded_rng
from . import discriminator_scores, model_scores
from .inputs import Corpus, Sequences, read_corpus, read_split

T = TypeVar("T")


class EvaluateInputs:
    """The inputs of all metrics, from the command line's *options*.

    Raises:
        InputError: a file cannot be used; the message names it.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.seed: int = options.seed
        self.corpus: Corpus = read_corpus(
            options.data, options.samples, options.valid_subset, options.real_split
        )
        self.dictionary, self.split = self.corpus.dictionary, self.corpus.split
        self.samples: Sequences = [sample.ids for sample in self.corpus.samples]
        self.heldout, self.training = self.corpus.heldout, self.corpus.training
        self.oracle = self.policy = length = None
        if options.oracle:
            self.oracle = Oracle.load_for(options.oracle, self.dictionary.symbols)
            length = self.corpus.oracle_length()
            self.corpus.require_length(length)
        self._calibration: Sequences | None = None
        if options.calibrate:
            self._calibration = read_split(options.data, options.calibrate, self.dictionary)
        if options.model:
            self.policy = self._open(options.model, length)
        # Before anything is measured: a wrong file should be told at once.
        self._discriminators = discriminator_scores.open_discriminators(options, self.corpus)
        self._members = {path: self._open(path, length) for path in options.ensemble or ()}
        self._kept: dict[Hashable, Any] = {}

    def _open(self, path: Path, oracle_length: int | None) -> model_scores.Policy:
        return model_scores.make_policy(
            path, self.options, self.corpus, oracle_length, self._calibration
        )

    @cached_property
    def sample_keys(self) -> list[list[int]]:
        """The samples as tunes."""
        return [self._keys(ids, self.corpus.where(line)) for ids, line in self.corpus.samples]

    @cached_property
    def heldout_keys(self) -> list[list[int]]:
        """The held-out sequences as tunes."""
        return [
            self._keys(ids, f"split '{self.split}', sequence {number}")
            for number, ids in enumerate(self.heldout, start=1)
        ]

    def _keys(self, ids: tuple[int, ...], where: str) -> list[int]:
        return piano_keys([self.dictionary[index] for index in ids], where)

    @cached_property
    def fresh_samples(self) -> Samples:
        """``--num-eval-samples`` sequences of the policy; the same seed draws the same ones."""
        rng = seeded_rng("evaluate", self.seed)
        return sample(self._needed_policy(), self.options.num_eval_samples, rng)

    def oracle_log_probs(self, sequences: Sequence[tuple[int, ...]]) -> Tensor:
        """Return the oracle's log-probability of every token, (B, T) in nats."""
        if self.oracle is None:
            raise InputError("--oracle is missing: a metric asks for the oracle")
        return self.oracle.log_probs(from_fairseq(torch.tensor(sequences)))

    def heldout_log_probs(self) -> list[tuple[Tensor, Tensor]]:
        """Return batches of the policy's log-probabilities of held-out tokens, and their masks."""
        return self.once(
            "heldout_log_probs",
            lambda: model_scores.heldout_log_probs(self._needed_policy(), self.corpus),
        )

    def log_probs_of(self, checkpoint: Path) -> list[tuple[Tensor, Tensor]]:
        """Return of a model of ``--ensemble`` what :meth:`heldout_log_probs` returns."""
        return model_scores.heldout_log_probs(self._members[checkpoint], self.corpus)

    def log_probs_at(self, temperature: float) -> list[tuple[Tensor, Tensor]]:
        """Return what :meth:`heldout_log_probs` returns, at another temperature."""
        policy = model_scores.at_temperature(self._needed_policy(), temperature)
        return model_scores.log_probs(policy, self.heldout)

    def calibration_log_probs(self, temperature: float) -> list[tuple[Tensor, Tensor]]:
        """Return the same of the split of ``--calibrate``."""
        assert self._calibration is not None, "the metric is only measured where there is one"
        policy = model_scores.at_temperature(self._needed_policy(), temperature)
        return model_scores.log_probs(policy, self._calibration)

    def heldout_next_log_probs(self) -> Iterator[tuple[list[int], Tensor]]:
        """Yield batches of held-out sequences, by index, and the policy's log-probabilities."""
        return model_scores.heldout_next_log_probs(self._needed_policy(), self.corpus)

    def symbol_keys(self) -> np.ndarray:
        """Return every symbol's key (V,) float64: 0 for silence, NaN for what is never drawn.

        Raises:
            InputError: a word that can be drawn is not a pitch; the message names it.
        """
        policy = self._needed_policy()
        never = {*policy.banned.tolist(), policy.eos}
        found = np.full(len(self.dictionary), np.nan)
        for index in set(range(len(self.dictionary))) - never:
            found[index] = self._keys((index,), f"{self.options.data / 'dict.txt'}")[0]
        return found

    def discriminator_log_odds(self) -> LogOdds:
        """Return the log-odds of ``--discriminator``."""
        options = self.options
        return discriminator_scores.log_odds_of(
            self._discriminators["discriminator"],
            self._needed_policy(),
            self.corpus,
            options.discriminator_samples,
            self.seed,
            options.slope_subset,
        )

    def judge_scores(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the log-odds that ``--judge`` gives held-out sequences and samples."""
        return discriminator_scores.judge_scores(
            self._discriminators["judge"], self._needed_policy(), self.corpus
        )

    def once(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return what *compute* returned when it was first called under *key*."""
        if key not in self._kept:
            self._kept[key] = compute()
        return self._kept[key]

    def _needed_policy(self) -> model_scores.Policy:
        if self.policy is None:
            raise InputError("--model is missing: a metric asks for the model")
        return self.policy
