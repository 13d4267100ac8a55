"""examples/common/workspace.py: when a step counts as done, and how long it has taken."""

import json
import shutil
import signal
import sys
import time

import pytest
from helpers.examples import ExperimentError, console, workspace

Step, Workspace = workspace.Step, workspace.Workspace

WRITE = "import sys, time; open(sys.argv[1], 'w').write(sys.argv[2]); time.sleep(0.2)"


def step(output, text: str, end: str = "") -> Step:
    """A command that writes *text* to *output* and then runs the Python code *end*."""
    command = [sys.executable, "-c", f"{WRITE}; {end}", str(output), text]
    return Step("train", "training", command, (output,))


@pytest.fixture
def work(tmp_path):
    return Workspace(tmp_path / "out", {"recipe": {}}, {}, "experiment")


def test_half_of_something_is_not_done(work, tmp_path):
    """A step whose result was deleted, and that failed when it ran again, has to run once more."""
    output = tmp_path / "checkpoint"
    assert work.run(step(output, "whole"))
    assert not work.run(step(output, "whole"))
    output.unlink()
    with pytest.raises(ExperimentError, match="failed with status 3"):
        work.run(step(output, "half", "sys.exit(3)"))
    assert output.read_text() == "half" and not work.done(step(output, "whole"))
    assert work.run(step(output, "whole"))
    assert output.read_text() == "whole"


@pytest.mark.parametrize("seconds", [None, 5, [], {"train": "fast"}, {"train": None}])
@pytest.mark.parametrize("name", ["seconds", "attempts", "spent"])
def test_a_state_of_another_form_is_refused(tmp_path, name, seconds):
    state = {"recipe": {}, "seconds": {}, name: seconds}
    (tmp_path / "experiment.json").write_text(json.dumps(state))
    with pytest.raises(ExperimentError, match=r"experiment\.json: cannot be read; choose another"):
        Workspace(tmp_path, {"recipe": {}}, {}, "experiment")


def test_the_time_of_all_attempts_counts(work, tmp_path):
    """Until it is finished; what was finished and runs again begins at 0."""
    output = tmp_path / "checkpoint"
    begin = time.monotonic()
    for _ in range(2):
        with pytest.raises(ExperimentError):
            work.run(step(output, "half", "sys.exit(3)"))
    work.run(step(output, "whole"))
    state = json.loads(work.path.read_text())
    assert state["attempts"] == {"train": 3} and state["spent"] == {}
    assert 0.6 <= state["seconds"]["train"] <= time.monotonic() - begin + 0.1
    output.unlink()
    work.run(step(output, "whole"))
    again = json.loads(work.path.read_text())
    assert again["attempts"] == {"train": 1}
    assert again["seconds"]["train"] < state["seconds"]["train"]


def test_another_run_in_the_folder_is_refused_before_its_state_is_read(work, tmp_path):
    (tmp_path / "out" / "experiment.json").write_text("half of a st")
    with pytest.raises(ExperimentError, match="another run is at work in it"):
        Workspace(tmp_path / "out", {"recipe": {}}, {}, "experiment")


def test_a_folder_that_was_refused_is_free_again(tmp_path):
    (tmp_path / "thesis.tex").write_text("all my work")
    for _ in range(2):
        with pytest.raises(ExperimentError, match="is not a folder of this experiment"):
            Workspace(tmp_path, {"recipe": {}}, {}, "experiment")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (FileNotFoundError(2, "No such file or directory", "a.txt"), "a.txt: No such file"),
        (shutil.Error([("a", "b", "it is a link to nothing")]), "it is a link to nothing"),
    ],
)
def test_an_error_of_the_system_says_what_it_knows(capsys, error, expected):
    def fail() -> None:
        raise error

    before = signal.getsignal(signal.SIGTERM)
    assert console.guarded(fail) == 2
    signal.signal(signal.SIGTERM, before)
    said = capsys.readouterr().err
    assert said.startswith("error: ") and expected in said and "None" not in said
