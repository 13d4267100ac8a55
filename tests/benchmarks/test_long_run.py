"""benchmarks/long_run.py: a real training is compared with itself, and growth is found."""

import sys

import pytest
from helpers.commands import REPO

sys.path.append(str(REPO / "benchmarks"))

import long_run


def figures(memory: float = 0.0, slower: float = 0.0, machine: float = 0.0) -> dict[str, bool]:
    """Return what is within its limit when the last quarter has so much more of it."""
    last = [0] * 300 + [1] * 100
    updates = [("d_update", 1 + slower * i) for i in last]
    resident, probes = [100 * (1 + memory * i) for i in last], [1 + machine * i for i in last]
    return {f["what"]: f["within"] for f in long_run.compare(updates, resident, probes)}


def test_growth_is_found():
    assert figures() == {"memory": True, "d_update": True}
    assert figures(memory=0.03) == {"memory": False, "d_update": True}
    assert figures(memory=-0.03) == {"memory": False, "d_update": True}
    assert figures(slower=0.2) == {"memory": True, "d_update": False}


def test_a_machine_that_gets_slower_is_not_the_training():
    assert figures(slower=0.2, machine=0.2) == {"memory": True, "d_update": True}
    assert figures(slower=0.0, machine=-0.2) == {"memory": True, "d_update": False}


@pytest.mark.slow
def test_a_short_run(tmp_path):
    written = long_run.train(tmp_path, 100)
    assert len(written["updates"]) == len(written["memory_mb"]) == len(written["probes"]) == 100
    assert {kind for kind, _ in written["updates"]} == {"g_step", "pool", "d_update"}
    assert min(written["memory_mb"]) > 50
