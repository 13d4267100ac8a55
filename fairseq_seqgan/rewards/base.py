"""The interface of a reward, and the registry in which ``--reward`` finds it.

A reward is a number for a finished sequence, which the generator is trained to increase. A new one
is one file: a subclass of :class:`Reward` with ``@register_reward("name", dataclass=...)``.
``--reward name`` then finds it, and the fields of its dataclass become options (docs/extending.md).

Shapes: R sequences, P prefixes, N rollouts of each, T tokens.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import torch
from fairseq.data import Dictionary
from fairseq.dataclass import FairseqDataclass
from torch import Tensor

from ..models.discriminator import Discriminator
from ..policy.rollouts import Rollouts
from ..support.errors import InputError


class RewardInputs(NamedTuple):
    """The objects that a reward may be built from."""

    discriminator: Discriminator
    positives: Tensor  # (n_pos, T): real sequences, padded at the end
    dictionary: Dictionary
    seed: int


class Reward(ABC):
    """A function from finished sequences to their rewards."""

    name: ClassVar[str] = ""  # its name for --reward; set by register_reward
    # False: the reward does not depend on the tokens, so no rollouts are drawn.
    reads_tokens: ClassVar[bool] = True
    needs_rollouts: ClassVar[bool] = False  # True: it cannot be used with --rollouts 0
    uses_discriminator: ClassVar[bool] = False  # True: D must be trained
    discriminator: Discriminator | None = None  # D, if the reward reads it

    @classmethod  # noqa: B027  (most rewards have nothing to check)
    def check(cls, options: Any) -> None:
        """Check those of the task's *options* that can be checked without data.

        Raises:
            InputError: names the option.
        """

    @classmethod
    def build(cls, options: Any, inputs: RewardInputs) -> Reward:
        """Return the reward for the task's *options*; override it for a reward that has any.

        Raises:
            InputError: names the option that does not fit *inputs*.
        """
        return cls()

    @abstractmethod
    def __call__(self, tokens: Tensor, generator: torch.Generator) -> Tensor:
        """Return the rewards (R,), float32, of *tokens* (R, T) int64, padded at the end.

        A reward that needs random numbers draws them from *generator*.
        """

    def of_completions(self, rollouts: Rollouts, generator: torch.Generator) -> Tensor:
        """Return the rewards (P, N) of ``rollouts.completions``."""
        completions = rollouts.completions
        return self(completions.flatten(0, 1), generator).view(completions.shape[:2])


REWARDS: dict[str, type[Reward]] = {}
OPTIONS: list[type[FairseqDataclass]] = []  # of all rewards
_listeners: list[Callable[[], None]] = []


def register_reward(
    name: str, dataclass: type[FairseqDataclass] | None = None
) -> Callable[[type[Reward]], type[Reward]]:
    """Return a class decorator that registers a reward as ``--reward`` *name*.

    Args:
        dataclass: its options, each field with a default and a help text.

    Raises:
        ValueError: the name is taken, or the class does not extend :class:`Reward`.
    """

    def register(cls: type[Reward]) -> type[Reward]:
        if name in REWARDS:
            raise ValueError(f"there is a reward '{name}' already: {REWARDS[name].__name__}")
        if not issubclass(cls, Reward):
            raise ValueError(f"reward '{name}': {cls.__name__} must extend Reward")
        cls.name = name
        REWARDS[name] = cls
        if dataclass is not None:
            OPTIONS.append(dataclass)
        for listener in _listeners:
            listener()
        return cls

    return register


def on_registration(listener: Callable[[], None]) -> None:
    """Call *listener* after every later registration, to update the command line's options."""
    _listeners.append(listener)


def reward_class(name: str) -> type[Reward]:
    """Return the reward that is registered as *name*.

    Raises:
        InputError: there is none.
    """
    if name not in REWARDS:
        raise InputError(f"--reward '{name}': choose one of {', '.join(REWARDS)}")
    return REWARDS[name]


def build_reward(options: Any, inputs: RewardInputs) -> Reward:
    """Return the reward that ``options.reward`` names, built from the task's *options*.

    Raises:
        InputError: there is none of that name, or an option does not fit *inputs*.
    """
    return reward_class(str(options.reward)).build(options, inputs)
