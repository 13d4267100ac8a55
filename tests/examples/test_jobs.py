"""examples/common/schedule.py: what waits for what, and jobs side by side."""

import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers.examples import PRESETS, make_commands, schedule, variants

Job = schedule.Job

SECONDS = 20  # after which a test that waits for another thread has failed


def jobs_of(name: str, preset: str) -> list[Job]:
    _, commands = make_commands(name, preset)
    return list(schedule.of_seed(SimpleNamespace(commands=commands), 1))


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_jobs_follow_what_they_build_on(name, preset):
    """So one at a time is always possible, in the order of the recipe."""
    jobs = jobs_of(name, preset)
    done = set()
    for job in jobs:
        assert job.after <= done, job.name
        done.add(job.name)
    _, commands = make_commands(name, preset)
    rows = variants(list(commands.systems.values()))
    assert {row.folder(1) for row in rows} == {n[0] for n in done if n[1] == "measured"}


def test_a_measurement_waits_for_the_judge_and_the_ensemble():
    after = {job.name: job.after for job in jobs_of("nottingham", "worth")}
    assert after["mle-best-seed1", "drawn"] == {("mle", 1)}
    assert after["mle-best-seed1", "measured"] == {("mle-best-seed1", "drawn"), ("judge", 1)}
    assert after["real-seed1", "measured"] == {("real-seed1", "drawn"), ("judge", 1)}
    assert after["guided", 1] == {("mle", 1)}
    after = {job.name: job.after for job in jobs_of("nottingham", "ensembles")}
    measured = after["mle-best-seed1", "measured"]
    assert measured == {("mle-best-seed1", "drawn"), ("mle_2", 1), ("mle_3", 1)}
    after = {job.name: job.after for job in jobs_of("nottingham", "teach")}
    assert after["second_stage", 1] == {("taught", 1), ("guided", 1)}


@pytest.mark.parametrize(
    ("preset", "measured"),
    [
        ("judged", {"seqgan-seed1", "guided-k16-seed1", "guided-k64-seed1"}),
        # The D of the other students is that of `guided`, which they do not train.
        ("teach", {"seqgan-seed1", "second_stage-best-seed1", "guided-k16-seed1"}),
    ],
)
def test_rows_whose_d_is_measured(preset, measured):
    """Those whose training trained one, and those that it helps to sample."""
    _, commands = make_commands("nottingham", preset)
    rows = [row for row in variants(list(commands.systems.values())) if row.temperature == 1]
    words = {row.folder(1): commands.evaluate(row, 1, Path("x"), Path("y")) for row in rows}
    assert {name for name, each in words.items() if "--discriminator" in each} == measured


def test_one_at_a_time_keeps_the_order():
    """And it is told of what has ended, unless there was nothing left to do."""
    done, told = [], []

    def do(name: str) -> bool:
        done.append(name)
        return name != "b"

    graph = {"a": [], "b": ["a"], "c": [], "d": ["b"]}
    jobs = [
        Job(name, lambda name=name: do(name), frozenset(after)) for name, after in graph.items()
    ]
    schedule.run(jobs, 1, lambda: None, lambda *how_many: told.append(how_many))
    assert done == ["a", "b", "c", "d"]
    assert told == [(1, 4), (3, 4), (4, 4)]


def test_side_by_side():
    """`left` and `right` each wait for the other to have begun; `last` for both to have ended."""
    left, right, done = threading.Event(), threading.Event(), []

    def meet(own: threading.Event, other: threading.Event) -> None:
        own.set()
        assert other.wait(SECONDS)
        done.append("met")

    jobs = [
        Job("first", lambda: done.append("first"), frozenset()),
        Job("left", lambda: meet(left, right), frozenset({"first"})),
        Job("right", lambda: meet(right, left), frozenset({"first"})),
        Job("last", lambda: done.append("last"), frozenset({"left", "right"})),
    ]
    schedule.run(jobs, 2, lambda: None)
    assert done == ["first", "met", "met", "last"]


@pytest.mark.parametrize(("side_by_side", "order"), [(1, "abcd"), (2, "acbd")])
def test_side_by_side_trainings_come_first(side_by_side, order):
    """`first` keeps the one thread busy, so the others begin one after the other."""
    started = []

    def begin(name: str) -> None:
        started.append(name)
        if name == "first":
            assert all_begun.wait(SECONDS)
        elif name == "d":
            all_begun.set()

    all_begun = threading.Event()
    long = {"a": True, "b": False, "c": True, "d": False}
    jobs = [Job(n, lambda n=n: begin(n), frozenset(), long=long[n]) for n in long]
    if side_by_side > 1:
        jobs.insert(0, Job("first", lambda: begin("first"), frozenset(), long=True))
    schedule.run(jobs, side_by_side, lambda: None)
    assert started == ["first"] * (side_by_side > 1) + list(order)


def test_seeds_take_turns():
    _, commands = make_commands("synthetic", "laptop")
    jobs = schedule.of_seeds(SimpleNamespace(commands=commands), [1, 2, 3])
    one = [job.name for job in schedule.of_seed(SimpleNamespace(commands=commands), 1)]
    assert len(jobs) == 3 * len(one)
    assert [job.name for job in jobs if job.name in one] == one
    trained = [job.name for job in jobs if job.long]
    assert trained[:6] == [("mle", 1), ("mle", 2), ("mle", 3)] + [("seqgan", s) for s in (1, 2, 3)]


def test_a_failure_stops_the_others():
    stopped, done = threading.Event(), []

    def fail() -> None:
        raise RuntimeError("failed")

    jobs = [
        Job("long", lambda: stopped.wait(SECONDS) and None, frozenset()),
        Job("wrong", fail, frozenset()),
        Job("after", lambda: done.append("after"), frozenset({"long"})),
    ]
    with pytest.raises(RuntimeError, match="failed"):
        schedule.run(jobs, 2, stopped.set)
    assert stopped.is_set() and not done
