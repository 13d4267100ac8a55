"""A preset's systems: which trainings there are, and which rows of the report are made of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .console import ExperimentError
from .recipe import Recipe
from .shared import run_folder

LAST, BEST = "last", "best"
CHECKPOINTS = {LAST: "checkpoint_last.pt", BEST: "checkpoint_best.pt"}
SELECTIONS = {LAST: run_folder.LAST, BEST: run_folder.BEST}
KINDS = ("baseline", "system", "control")  # an experiment adds its own, which no command draws
_KEYS = {"label", "kind", "random", "train", "from", "updates-of", "control", "checkpoints"}
_KEYS |= {"sweep", "guides", "discriminator-from", "ensemble"}


@dataclass(frozen=True)
class Start:
    """The checkpoint that a training begins with."""

    system: str
    checkpoint: str


@dataclass(frozen=True)
class System:
    """One entry of the recipe's ``systems``."""

    name: str
    label: str
    kind: str
    random: str | None  # uniform or unigram: drawn without a model
    options: dict[str, Any] | None  # of fairseq-train, if it is trained
    start: Start | None
    updates_of: str | None  # it has as many updates as this training has updates of G
    control: str | None  # the system that is trained like this one, with a reward without the data
    checkpoints: tuple[str, ...]
    sweep: tuple[str, tuple[float, ...]] | None  # a checkpoint and the temperatures
    # Candidates and temperatures of sampling with D, from the last checkpoint.
    guides: tuple[tuple[int, ...], tuple[float, ...]] | None = None
    discriminator_from: str | None = None  # it begins with the D of this training
    ensemble: tuple[str, ...] = ()  # systems: the best checkpoints of all are also one ensemble

    @property
    def training_options(self) -> dict[str, Any]:
        """Its options, of a system that is trained."""
        assert self.options is not None, f"{self.name} is not trained"
        return self.options

    @property
    def adversarial(self) -> bool:
        """Whether it is trained by the rounds of Algorithm 1."""
        return self.options is not None and self.options.get("criterion") == "seqgan"

    @property
    def trains_discriminator(self) -> bool:
        """Whether it trains a D of its own; a reward without one states 0 steps for it."""
        steps = (self.training_options.get(name) for name in ("pretrain-d-steps", "d-steps"))
        return self.adversarial and any(steps)


@dataclass(frozen=True)
class Variant:
    """What one run folder is about, but for the seed: a checkpoint, and how it is sampled."""

    system: System
    checkpoint: str
    temperature: float
    position: int  # of its row in the report
    guide: int = 1  # K, the candidates of each sample; 1: D does not help
    timed: bool = False  # whether the time of the training is counted in this row

    @property
    def row(self) -> str:
        """The system as the report names it: the temperatures of a row are one line."""
        return self.system.name if self.guide == 1 else f"{self.system.name}_k{self.guide}"

    @property
    def name(self) -> str:
        """What a recipe calls it: ``mle/best``, ``mle/best/t0.9``, or with D ``guided/k16``."""
        how = self.checkpoint if self.guide == 1 else f"k{self.guide}"
        at = "" if self.temperature == 1.0 else f"/t{self.temperature:g}"
        return f"{self.system.name}/{how}{at}"

    @property
    def plain(self) -> bool:
        """Whether it is the training's result: its last checkpoint as it is."""
        return self.checkpoint == LAST and self.temperature == 1.0 and self.guide == 1

    @property
    def label(self) -> str:
        """What the report calls it."""
        at = "" if self.temperature == 1.0 else f", T = {self.temperature:g}"
        among = "" if self.guide == 1 else f", K = {self.guide}"
        return self.system.label + among + at

    def folder(self, seed: int) -> str:
        """Return the name of its run folder."""
        name = self.system.name + ("-best" if self.checkpoint == BEST else "")
        at = "" if self.temperature == 1.0 else f"-t{self.temperature:g}"
        among = "" if self.guide == 1 else f"-k{self.guide}"
        return f"{name}{among}{at}-seed{seed}"


def parse(path: Path, recipe: Recipe, own_kind: str) -> list[System]:
    """Return the systems in the *recipe* of the file *path*, in order.

    Args:
        own_kind: a kind of system that is neither trained nor random, such as the oracle.

    Raises:
        ExperimentError: something is missing or unknown.
    """
    systems: dict[str, System] = {}
    for name, entry in recipe["systems"].items():
        try:
            systems[name] = _system(recipe, name, entry, systems, own_kind)
        except (TypeError, ValueError, AttributeError, KeyError) as error:
            reason = error.args[0] if error.args else type(error).__name__
            raise ExperimentError(f"{path}: systems: {name}: {reason}") from error
    for name, system in systems.items():
        if system.control is not None and system.control not in systems:
            raise ExperimentError(f"{path}: systems: {name}: control '{system.control}' is none")
    judge = recipe["experiment"].get("judge")
    if judge is not None and (judge not in systems or systems[judge].options is None):
        raise ExperimentError(f"{path}: experiment: judge: no system '{judge}' is trained")
    return list(systems.values())


def variants(systems: list[System]) -> list[Variant]:
    """Return the rows of the report."""
    found: list[tuple[System, str, float, int]] = []
    for system in systems:
        found += [(system, checkpoint, 1.0, 1) for checkpoint in system.checkpoints]
        if system.sweep is not None:
            found += [(system, system.sweep[0], float(t), 1) for t in system.sweep[1]]
        if system.guides is not None:
            candidates, temperatures = system.guides
            found += [(system, LAST, float(t), k) for k in candidates for t in temperatures]
    rows = [
        Variant(system, checkpoint, temperature, position, guide)
        for position, (system, checkpoint, temperature, guide) in enumerate(found)
    ]
    # In the plain row of a system; a system without one has it in its first.
    timed = {row.system.name: row.position for row in reversed(rows)}
    timed |= {row.system.name: row.position for row in rows if row.plain}
    return [replace(row, timed=timed[row.system.name] == row.position) for row in rows]


def _system(
    recipe: Recipe, name: str, entry: dict, known: dict[str, System], own_kind: str
) -> System:
    """Return the system that *entry* describes; what it builds on is *known* already."""
    unknown = sorted(set(entry) - _KEYS)
    if unknown:
        raise ValueError(f"'{unknown[0]}' is not one of {', '.join(sorted(_KEYS))}")
    if entry["kind"] not in (own_kind, *KINDS):
        raise ValueError(f"kind '{entry['kind']}' is not one of {', '.join((own_kind, *KINDS))}")
    if not isinstance(entry["label"], str):
        raise ValueError(f"label {entry['label']!r} is not a text")
    trained = "train" in entry
    if not trained and entry["kind"] != own_kind and "random" not in entry:
        raise ValueError("says neither 'train' nor 'random'")
    options = _options(recipe, entry.get("train", ()))
    start = _start(entry.get("from"))
    ensemble = tuple(entry.get("ensemble", ()))
    builds_on = (start.system if start else None, entry.get("updates-of"))
    for needed in (*builds_on, entry.get("discriminator-from"), *ensemble):
        if needed is not None and (needed not in known or known[needed].options is None):
            raise ValueError(f"builds on '{needed}', which is not trained before it")
    adversarial = options.get("criterion") == "seqgan"
    if start is not None and not adversarial and "updates-of" not in entry:
        raise ValueError("is trained further ('from'), so it must state 'updates-of'")
    sweep, guides = _ways_of_sampling(entry, adversarial)
    checkpoints = tuple(entry.get("checkpoints", [LAST]))
    others = [start.checkpoint] if start else []
    others += [sweep[0]] if sweep else []
    for checkpoint in (*checkpoints, *others):
        if checkpoint not in CHECKPOINTS:
            raise ValueError(f"checkpoint '{checkpoint}' is not one of {', '.join(CHECKPOINTS)}")
    return System(
        name=name,
        label=entry["label"],
        kind=entry["kind"],
        random=entry.get("random"),
        options=options if trained else None,
        start=start,
        updates_of=entry.get("updates-of"),
        control=entry.get("control"),
        checkpoints=checkpoints,
        sweep=sweep,
        guides=guides,
        discriminator_from=entry.get("discriminator-from"),
        ensemble=ensemble,
    )


def _options(recipe: Recipe, groups: Iterable[str]) -> dict[str, Any]:
    """Return the options of a training, those of its *groups* one after the other."""
    options: dict[str, Any] = {}
    for group in groups:
        if group not in recipe["options"]:
            raise ValueError(f"options has no '{group}'")
        options |= recipe["options"][group]
    for option in ("pretrain-d-steps", "g-steps") if options.get("criterion") == "seqgan" else ():
        if not isinstance(options.get(option), int):
            raise ValueError(f"its options must state {option} as a whole number")
    return options


def _start(stated: Any) -> Start | None:
    """Return what ``from`` says."""
    if stated is None:
        return None
    if str(stated).count("/") != 1:
        raise ValueError(f"from '{stated}' is not SYSTEM/CHECKPOINT, such as mle/best")
    return Start(*stated.split("/"))


def _ways_of_sampling(
    entry: dict, adversarial: bool
) -> tuple[tuple[str, tuple[float, ...]] | None, tuple[tuple[int, ...], tuple[float, ...]] | None]:
    """Return what ``sweep`` and ``guides`` say."""
    sweep = guides = None
    if "sweep" in entry:
        sweep = entry["sweep"]["checkpoint"], tuple(entry["sweep"]["temperatures"])
    if "guides" in entry:
        guides = tuple(entry["guides"]["candidates"]), tuple(entry["guides"]["temperatures"])
        if not adversarial or not all(isinstance(k, int) and k > 1 for k in guides[0]):
            raise ValueError("'guides' needs a D, and candidates from 2 on")
    for temperature in (*(sweep[1] if sweep else ()), *(guides[1] if guides else ())):
        if not isinstance(temperature, int | float) or not temperature > 0:
            raise ValueError(f"temperature {temperature!r} is not a number above 0")
    return sweep, guides


def updates_of_g(system: System) -> int:
    """Return the updates of G in an adversarial training.

    Raises:
        ExperimentError: the recipe states no rounds or no g-steps for it.
    """
    try:
        options = system.training_options
        return int(options["rounds"]) * int(options["g-steps"])
    except (KeyError, ValueError, TypeError) as error:
        raise ExperimentError(
            f"{system.name}: its options must state rounds and g-steps as whole numbers"
        ) from error
