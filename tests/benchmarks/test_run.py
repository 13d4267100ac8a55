"""benchmarks/run.py: which file a run writes."""

import sys

from helpers.commands import REPO

sys.path.append(str(REPO / "benchmarks"))

import run


def test_some_parts_do_not_replace_the_table_of_all():
    assert run.result_name(run.DEFAULT, "cpu") == "cpu"
    assert run.result_name([*run.DEFAULT, "large"], "cuda") == "gpu"
    assert run.result_name(["growth"], "cpu") == "cpu-growth"
    assert run.result_name(["g_step", "d_step"], "cuda") == "gpu-d_step-g_step"
