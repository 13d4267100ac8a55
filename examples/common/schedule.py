"""The trainings and measurements of an experiment, each as soon as what it builds on is there."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from graphlib import TopologicalSorter
from itertools import chain

from .steps import Steps
from .systems import System, Variant, variants


@dataclass(frozen=True)
class Job:
    """Something to do, which ends when *do* returns whether there was anything left to do.

    Args:
        name: no other job has it.
        after: the names of the jobs that must have ended.
        long: a training: others wait for it, and it takes longer than they do.
    """

    name: Hashable
    do: Callable[[], bool]
    after: frozenset[Hashable]
    long: bool = False


def of_seeds(steps: Steps, seeds: Iterable[int]) -> list[Job]:
    """Return the jobs of all *seeds*: the first one of each, then the second one of each ..."""
    each = (of_seed(steps, seed) for seed in seeds)
    return list(chain.from_iterable(zip(*each, strict=True)))


def of_seed(steps: Steps, seed: int) -> Iterator[Job]:
    """Yield the jobs of one seed, each after those that it builds on.

    A judge must be trained before anything is measured, so then all trainings come first.
    """
    systems, judge = list(steps.commands.systems.values()), steps.commands.judge
    judges = [] if judge is None else [judge.name]
    rows = variants(systems)
    own = {s.name: [variant for variant in rows if variant.system is s] for s in systems}
    if judge is not None:
        for system in systems:
            yield from _training(steps, system, own[system.name], seed)
    for system in systems:
        if judge is None:
            yield from _training(steps, system, own[system.name], seed)
        for variant in own[system.name]:
            drawn, measured = ((variant.folder(seed), done) for done in ("drawn", "measured"))
            own_training = [system.name] if system.options is not None else []
            yield Job(drawn, partial(_draw, steps, variant, seed), _trained(seed, own_training))
            needed = _trained(seed, [*system.ensemble, *judges]) | {drawn}
            yield Job(measured, partial(_measure, steps, variant, seed), needed)


def _trained(seed: int, systems: list[str]) -> frozenset[Hashable]:
    return frozenset((system, seed) for system in systems)


def _training(steps: Steps, system: System, rows: list[Variant], seed: int) -> Iterator[Job]:
    if system.options is None:
        return
    needed = [system.start.system] if system.start is not None else []
    needed += [system.discriminator_from] if system.discriminator_from is not None else []
    job = partial(_train, steps, system, rows, seed)
    yield Job((system.name, seed), job, _trained(seed, needed), long=True)


def _train(steps: Steps, system: System, rows: list[Variant], seed: int) -> bool:
    return steps.work.run(steps.train(system, rows, seed))


def _draw(steps: Steps, variant: Variant, seed: int) -> bool:
    step = steps.samples(variant, seed)
    return step is not None and steps.work.run(step)


def _measure(steps: Steps, variant: Variant, seed: int) -> bool:
    had_to_be_run = steps.work.run(steps.evaluate(variant, seed))
    steps.finish(variant, seed)
    return had_to_be_run


def run(
    jobs: list[Job],
    side_by_side: int,
    stop: Callable[[], None],
    tell: Callable[[int, int], None] = lambda ended, jobs: None,
) -> None:
    """Do all *jobs*, at most *side_by_side* at a time; of those that may begin, the first one.

    Where several run side by side, trainings come before all others. So none is left at the end
    that has to run alone.

    Args:
        stop: called when a job has failed, or the user interrupts: it ends those that are running.
        tell: called when a job has done something: how many have ended, and how many there are.
    """
    waiting = TopologicalSorter({job.name: job.after for job in jobs})
    waiting.prepare()
    ranks = {
        job.name: (side_by_side > 1 and not job.long, position) for position, job in enumerate(jobs)
    }
    ready: list[tuple[bool, int]] = []
    running: dict[Future[bool], Job] = {}
    ended = 0
    with ThreadPoolExecutor(side_by_side) as pool:
        try:
            while waiting.is_active():
                for name in waiting.get_ready():
                    heapq.heappush(ready, ranks[name])
                while ready and len(running) < side_by_side:
                    _, position = heapq.heappop(ready)
                    job = jobs[position]
                    running[pool.submit(job.do)] = job
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    ended += 1
                    if future.result():
                        tell(ended, len(jobs))
                    waiting.done(running.pop(future).name)
        except BaseException:
            stop()
            raise
