"""What a metric is, and the registry in which ``evaluate``, ``report`` and the docs find it.

A new metric is one file: a subclass of :class:`Metric` with ``@register_metric("name")``, in this
folder or in a folder that ``--user-dir`` names. ``fairseq-seqgan evaluate`` then measures it,
``metrics.json`` holds it under its name, and the report has a column for it (docs/metrics.md)::

    @register_metric("mean_length")
    class MeanLength(Metric):
        title, unit, direction = "mean length", "tokens", Direction.NEITHER
        formula = "mean over the samples of their number of tokens"

        def compute(self, inputs):
            lengths = [len(sample) for sample in inputs.samples]
            return Score(float(np.mean(lengths)), over=f"{len(lengths):,} samples")

Shapes: S samples, B sequences, T tokens, V symbols.
"""

from __future__ import annotations

import argparse
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, TypeVar

import numpy as np

if TYPE_CHECKING:  # these bring fairseq and torch, which most metrics do not need
    from fairseq.data import Dictionary
    from torch import Tensor

    from ..policy.policy import Policy
    from ..policy.rollouts import Samples

Tokens = Sequence[Hashable]  # ids or words; no padding, no end symbol
Keys = Sequence[Sequence[int]]  # tunes: 1 to 88 are keys of the piano, 0 is silence
T = TypeVar("T")


class Direction(Enum):
    """Which values of a metric are the better ones."""

    LOWER = "lower"
    HIGHER = "higher"
    NEITHER = "neither"  # compare with the value of real data


@dataclass(frozen=True)
class Score:
    """A metric's value, and how it was made."""

    value: float | int  # NaN: undefined, such as an average over nothing
    stderr: float | None = None  # standard error of the value; None: the metric has none
    over: str = ""  # what was measured, for the table, such as "5 samples"
    signature: str = ""  # every setting that two comparable values must share, in one line
    # Further keys of the JSON; those of the held-out data get the prefix ``heldout_``.
    details: Mapping[str, float | int] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)  # further rows of the table, by title
    per_sample: np.ndarray | None = None  # (S,) float64: a score of each sample, for --per-sample


class MetricInputs(Protocol):
    """What a metric may ask for. Costly parts are computed at their first use and then kept."""

    options: argparse.Namespace  # of ``fairseq-seqgan evaluate``, the metrics' own among them
    seed: int  # of every subset and every draw
    dictionary: Dictionary
    split: str  # the name of the held-out split

    @property
    def samples(self) -> Sequence[tuple[int, ...]]:
        """The samples: ids of the dictionary, without the end symbol."""

    @property
    def heldout(self) -> Sequence[tuple[int, ...]]:
        """The held-out sequences, as the samples."""

    @property
    def training(self) -> Sequence[tuple[int, ...]]:
        """The training sequences, as the samples."""

    @property
    def sample_keys(self) -> Keys:
        """The samples as tunes; InputError where a word is not a pitch."""

    @property
    def heldout_keys(self) -> Keys:
        """The held-out sequences as tunes."""

    @property
    def policy(self) -> Policy | None:
        """The model at ``--temperature``; None without ``--model``."""

    @property
    def fresh_samples(self) -> Samples:
        """``--num-eval-samples`` sequences that the policy drew just now."""

    def oracle_log_probs(self, sequences: Sequence[tuple[int, ...]]) -> Tensor:
        """Return log G_oracle(y_t | y_1 ... y_t-1) in nats: (B, T); needs ``--oracle``."""

    def heldout_log_probs(self) -> list[tuple[Tensor, Tensor]]:
        """Return batches of log G(x_t | x_1 ... x_t-1) (B, T) in nats and masks of what counts."""

    def heldout_next_log_probs(self) -> Iterator[tuple[list[int], Tensor]]:
        """Yield batches of held-out sequences, by index, and log G(. | x_1 ... x_t-1) (B, T, V)."""

    def symbol_keys(self) -> np.ndarray:
        """Return every symbol's key (V,): 0 is silence, NaN a symbol that is never drawn."""

    def once(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return what *compute* returned when it was first called under *key*."""


class Metric(ABC):
    """One number that is measured of samples or of a model.

    A subclass states the attributes below and implements :meth:`compute`. The methods after it
    have defaults that suit a metric without options of its own.
    """

    name: str  # key in metrics.json, unique; set by register_metric
    family: ClassVar[str] = ""  # what it was registered as
    title: str = ""  # of the report's column
    row_title: str = ""  # of the row in the table of ``evaluate``; empty: *title*
    unit: ClassVar[str] = ""
    direction: ClassVar[Direction] = Direction.NEITHER
    formula: ClassVar[str] = ""  # one line of Markdown, for docs/metrics.md
    needs: ClassVar[tuple[str, ...]] = ()  # options without which it is not measured, as "oracle"
    table: ClassVar[str] = "other metrics"  # in which table of ``evaluate`` it stands
    rank: ClassVar[int] = 100  # its place among the others; equal ranks: as they were registered
    column: ClassVar[bool] = True  # whether the report has a column for it
    reported: ClassVar[tuple[str, ...]] = ()  # its further keys that report.json holds as well
    decimals: ClassVar[int] = 3  # in the report
    row_decimals: ClassVar[int] = 4  # in the table of ``evaluate``
    scale: ClassVar[int] = 1  # the report and the table show scale * value; 100: percent

    @abstractmethod
    def compute(self, inputs: MetricInputs) -> Score:
        """Measure the samples or the model.

        Raises:
            InputError: the inputs cannot be measured; the message names the file or option.
        """

    def compute_heldout(self, inputs: MetricInputs) -> Score | None:
        """Measure the held-out data in place of the samples; None: the metric does not."""
        return None

    def validate(self, inputs: MetricInputs) -> None:  # noqa: B027  (most accept everything)
        """Check, before anything is measured, what can be wrong with *inputs*.

        Raises:
            InputError: names the file or option.
        """

    @property
    def note(self) -> str:
        """A sentence for the notes below the report's table; empty: none."""
        about = f"{self.title}: {self.formula}, {self.unit}"
        return f"{about[0].upper()}{about[1:]}; {DIRECTIONS[self.direction]}."

    @property
    def signature_key(self) -> str:
        """Under which key of ``metrics.json`` its signature stands."""
        return f"{self.name}_signature"

    @property
    def order(self) -> tuple:
        """Metrics are shown in this order."""
        return (self.rank,)

    @classmethod  # noqa: B027
    def add_arguments(cls, parser: argparse.ArgumentParser) -> None:
        """Add the metric's own options to *parser*, that of ``evaluate``."""

    @classmethod  # noqa: B027
    def check(cls, options: argparse.Namespace) -> None:
        """Check those of the *options* that need no data to be wrong.

        Raises:
            InputError: names the option.
        """

    @classmethod
    def select(cls, options: argparse.Namespace) -> list[Self]:
        """Return the metrics of this class that *options* ask for, if what it needs is given."""
        return [cls()]

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Return the metric that is called *name* in ``metrics.json``, if this class has it."""
        return cls() if name == cls.family else None


DIRECTIONS = {
    Direction.LOWER: "lower is better",
    Direction.HIGHER: "higher is better",
    Direction.NEITHER: "neither lower nor higher is better: compare with real data",
}


class NumberedMetric(Metric):
    """Metrics that differ in a number: the N in the registered name, as in ``bleuN_corpus``.

    ``select`` must say which numbers the options ask for.
    """

    def __init__(self, n: int) -> None:
        self.n = n

    @property
    def name(self) -> str:
        """The registered name with the number in place of N: ``bleu4_corpus``."""
        return self.family.replace("N", str(self.n))

    @classmethod
    @abstractmethod
    def select(cls, options: argparse.Namespace) -> list[Self]:
        """Return one metric for each number that *options* ask for."""

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Return the metric that is called *name*: ``bleu4_corpus`` is the one with n = 4."""
        found = re.fullmatch(cls.family.replace("N", "([1-9][0-9]*)"), name)
        return cls(int(found[1])) if found else None


METRICS: dict[str, type[Metric]] = {}


def register_metric(name: str) -> Callable[[type[Metric]], type[Metric]]:
    """Return a class decorator that makes a metric known as *name*, its key in ``metrics.json``.

    In the name of a :class:`NumberedMetric` the letter N stands for the number.

    Raises:
        ValueError: the name is taken, or the class does not extend :class:`Metric`.
    """

    def register(cls: type[Metric]) -> type[Metric]:
        if name in METRICS:
            raise ValueError(f"there is a metric '{name}' already: {METRICS[name].__name__}")
        if not issubclass(cls, Metric):
            raise ValueError(f"metric '{name}': {cls.__name__} must extend Metric")
        cls.family = name
        if not issubclass(cls, NumberedMetric):
            cls.name = name
        METRICS[name] = cls
        return cls

    return register


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of all metrics to *parser*; classes that inherit theirs share them."""
    # A method of two classes is two objects around one function.
    methods = {getattr(cls.add_arguments, "__func__"): cls.add_arguments for cls in _classes()}  # noqa: B009
    for add in methods.values():
        add(parser)


def select(options: argparse.Namespace) -> list[Metric]:
    """Return the metrics that *options* ask for, in their order.

    Raises:
        InputError: an option cannot be used.
    """
    for cls in _classes():
        cls.check(options)
    found = [
        metric
        for cls in _classes()
        if all(_is_given(options, need) for need in cls.needs)
        for metric in cls.select(options)
    ]
    return sorted(found, key=lambda metric: metric.order)


def find(name: str) -> Metric | None:
    """Return the registered metric that ``metrics.json`` calls *name*, if there is one."""
    return next((found for cls in METRICS.values() if (found := cls.parse(name))), None)


def _classes() -> list[type[Metric]]:
    return sorted(METRICS.values(), key=lambda cls: cls.rank)


def _is_given(options: argparse.Namespace, name: str) -> bool:
    value: Any = getattr(options, name)
    return value is not None and value is not False
