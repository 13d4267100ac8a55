"""benchmarks/run.py: which file a run writes."""

import importlib.util

from helpers.commands import REPO

# examples/run.py has the same name, so it is loaded from its file.
SPEC = importlib.util.spec_from_file_location("bench_run", REPO / "benchmarks" / "run.py")
run = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(run)


def test_some_parts_do_not_replace_the_table_of_all():
    assert run.result_name(run.DEFAULT, "cpu") == "cpu"
    assert run.result_name([*run.DEFAULT, "large"], "cuda") == "gpu"
    assert run.result_name(["growth"], "cpu") == "cpu-growth"
    assert run.result_name(["g_step", "d_step"], "cuda") == "gpu-d_step-g_step"
