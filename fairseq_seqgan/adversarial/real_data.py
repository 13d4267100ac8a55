"""Which real sequences of each split D may see, in training, in validation and for a slope.

Shapes: n sequences, M of them held out, T tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from fairseq.data import Dictionary, MonolingualDataset
from torch import Tensor

from ..policy.factory import PolicyFactory
from ..support import input_checks
from ..support.errors import InputError
from .positives import real_sequences
from .prefixes import Prefixes
from .trainer import AdversarialTrainer
from .validation import Real


class RealData:
    """The sequences that D may see, of each split.

    Args:
        options: the task's.
        datasets: fairseq's, by split.
        dictionary: the dictionary of the data.
        policies: the task's, whose ``length`` is T.
    """

    def __init__(
        self,
        options: Any,
        datasets: Mapping[str, MonolingualDataset],
        dictionary: Dictionary,
        policies: PolicyFactory,
    ) -> None:
        self.options, self.datasets = options, datasets
        self.dictionary, self.policies = dictionary, policies
        self._heldout: Tensor | None = None

    def sequences(self, split: str, most: int | None = None) -> Tensor:
        """Return the sentences of *split* (n, T), at most *most* of them."""
        return real_sequences(
            self.datasets[split],
            self.dictionary,
            length=self.policies.length,
            fixed=bool(self.options.fixed_length),
            seed=self.options.seed,
            most=most,
            prefix_size=self.options.prefix_size,
        )

    def positives(self) -> Tensor:
        """Return the training sequences (n_pos, T).

        Raises:
            InputError: there is none, or one contains a symbol beyond the dictionary.
        """
        source = f"{self.options.data}/{self.options.train_subset}.bin"
        positives = self.sequences(self.options.train_subset)
        if not len(positives):
            size = self.options.prefix_size
            raise InputError(
                f"{source}: all sequences hold an unknown word"
                + (f" or end within --prefix-size {size}" if size else "")
                + ": none is left to show to D"
            )
        input_checks.known_symbols(positives, self.dictionary, source)
        return positives

    def heldout(self) -> Tensor:
        """Return ``--num-eval-samples`` sequences (n, T) of the first held-out split."""
        if self._heldout is None:
            subset = self.options.valid_subset.split(",")[0]
            self._heldout = self.sequences(subset, self.options.num_eval_samples)
        return self._heldout

    def require_heldout(self, option: str, least: int) -> Tensor:
        """Return the held-out sequences (M, T) that *option* needs, *least* or more.

        Raises:
            InputError: there are none, or one where a slope is fitted.
        """
        subset = self.options.valid_subset.split(",")[0]
        if subset not in self.datasets:
            raise InputError(f"{option} needs the held-out data of --valid-subset")
        if subset == self.options.train_subset:
            raise InputError(f"{option}: --valid-subset {subset} is the training split itself")
        heldout = self.heldout()
        if not len(heldout):
            raise InputError(f"{option}: split '{subset}' has no sequence for D")
        if len(heldout) < least:
            raise InputError(
                f"{option}: split '{subset}' has one sequence, a gain needs two or more"
            )
        return heldout

    def for_validation(self, trainer: AdversarialTrainer) -> Real:
        """Return the real sequences for each AUC of D; none if D is a random net.

        They are a random choice of each split, the same in every validation.
        """
        prefixes = Prefixes(0, trainer.pool.positives)
        if self.options.prefix_size:  # held-out ones, if there is any
            real = self.heldout() if len(self.heldout()) else trainer.pool.positives
            prefixes = Prefixes(self.options.prefix_size, real)
        if not trainer.has_discriminator:
            return Real({}, prefixes)
        chosen = np.random.default_rng(self.options.seed).permutation(len(trainer.pool.positives))
        positives = trainer.pool.positives[chosen[: self.options.num_eval_samples]]
        found = {"d_auc_train": positives, "d_auc_heldout": self.heldout()}
        return Real({name: rows for name, rows in found.items() if len(rows)}, prefixes)
