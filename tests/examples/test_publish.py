"""--publish: what it writes, and that it never removes what it has not written."""

import json
import shutil
from pathlib import Path

import pytest
from helpers import run_sh
from helpers.examples import EXAMPLES, ExperimentError, machine, publish

COMMITTED = sorted(path.parent for path in EXAMPLES.glob("*/results/*/report.json"))
DONE = {"seed": 1, "finished": True}
ROW = {"system": "mle", "selection": "last", "temperature": 1.0, "samples": 7}
VALIDATION = '2026-11-29 17:00:00 | INFO | valid | {"epoch": 1, "valid_nll": "2.5"}'


@pytest.fixture
def dest(tmp_path) -> Path:
    """Return the folder of a finished experiment."""
    folder = tmp_path / "out"
    for name, text in {
        "recipe.yaml": "options: {}",
        "experiment.json": "{}",
        "report/report.md": "results",
        "report/report.json": json.dumps({"score": "bleu2_sentence", "rows": [ROW]}),
        "report/samples/real.txt": "not ours",
        "trainings/mle-seed1/checkpoint_last.pt": "weights",
        "runs/mle-seed1/run.json": json.dumps({"system": "mle", "selection": "last", **DONE}),
        "runs/mle-seed1/metrics.json": '{"bleu2_sentence": 0.5, "data": "/home/me/data"}',
        "runs/mle-seed1/scores.npz": "many",
        "runs/mle-seed1/train.log": f"epoch 1: loss 3\n{VALIDATION}\nepoch 2: loss 2\n",
        "runs/mle-seed1/samples.txt": "1 2 3",
        "runs/seqgan-seed1/run.json": json.dumps({"finished": False}),
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def tidy(report: Path) -> None:
    (report / "samples" / "real.txt").unlink()
    (report / "samples").rmdir()


def refused(dest: Path, folder: Path, words: str) -> None:
    """Check that publishing is refused, with *words*, and leaves every file as it was."""
    before = files(dest.parent)
    for attempt in (publish.check_target, lambda f, d: publish.publish(d, f, tidy)):
        with pytest.raises(ExperimentError) as error:
            attempt(folder, dest)
        assert words in str(error.value)
        assert str(folder) in str(error.value)
    assert files(dest.parent) == before
    assert not list(folder.parent.glob(f".{folder.name}*"))


def test_to_a_new_folder_and_again(dest, tmp_path):
    target = tmp_path / "a" / "results"
    before = files(dest)
    publish.publish(dest, target, tidy)
    expected = {"report.md", "report.json", "recipe.yaml", "published.json"}
    run = {f"runs/mle-seed1/{name}" for name in ("run.json", "metrics.json", "train.log")}
    assert set(files(target)) == expected | run
    about = json.loads((target / "runs" / "mle-seed1" / "run.json").read_text())
    assert about["published"] == {"score": "bleu2_sentence", "samples": 7}
    metrics = json.loads((target / "runs" / "mle-seed1" / "metrics.json").read_text())
    assert metrics == {"bleu2_sentence": 0.5}  # and no folder of this machine
    assert (target / "runs" / "mle-seed1" / "train.log").read_text() == f"{VALIDATION}\n"
    (dest / "report" / "report.md").write_text("later results")
    shutil.rmtree(dest / "runs" / "mle-seed1")
    publish.publish(dest, target, tidy)
    assert set(files(target)) == expected
    assert (target / "report.md").read_text() == "later results"
    assert [path.name for path in target.parent.iterdir()] == ["results"]
    assert before.keys() - files(dest).keys() == run | {
        "runs/mle-seed1/scores.npz",
        "runs/mle-seed1/samples.txt",
    }


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("/data/out", "DEST"),
        ("/data/out/trainings", "DEST/trainings"),
        ("--data=/data/out:/data/out", "--data=DEST:DEST"),
        ("/data/out.txt", "SOURCE"),
        ("/data/out/raw/x", "RAW/x"),
        ("/data/output", "/data/output"),
        ("/data/out-2/x", "/data/out-2/x"),
        ("/data/out/a b", "'DEST/a b'"),
    ],
)
def test_a_command_names_places_and_no_folder_of_this_machine(word, expected):
    """One place may lie in another, and a name may begin as that of a place does."""
    places = {"DEST": "/data/out", "SOURCE": "/data/out.txt", "RAW": "/data/out/raw"}
    found = machine.portable(["x", word], {}, {name: Path(path) for name, path in places.items()})
    assert found == f"x {expected}"


def test_to_an_empty_folder(dest, tmp_path):
    (tmp_path / "results").mkdir()
    publish.publish(dest, tmp_path / "results", tidy)
    assert (tmp_path / "results" / "report.md").is_file()


def test_refuses_the_experiments_own_folder(dest):
    for folder in (dest, dest / "report", dest / "new", dest / "trainings" / ".."):
        refused(dest, folder, "lies in the other")


def test_refuses_a_folder_around_the_experiment(dest, tmp_path):
    refused(dest, tmp_path, "lies in the other")


def test_refuses_a_folder_of_something_else(dest, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.tex").write_text("all my work")
    refused(dest, tmp_path / "precious", "thesis.tex")


@pytest.mark.parametrize("name", ["notes.md", "runs/mle-seed1/checkpoint_last.pt", "tunes/x.mid"])
def test_refuses_a_file_that_was_added(dest, tmp_path, name):
    target = tmp_path / "results"
    publish.publish(dest, target, tidy)
    (target / name).parent.mkdir(exist_ok=True)
    (target / name).write_text("mine")
    refused(dest, target, f"would replace {name}, which was not published")


def test_refuses_a_file_that_was_changed(dest, tmp_path):
    publish.publish(dest, tmp_path / "results", tidy)
    (tmp_path / "results" / "report.md").write_text("results, with my comments")
    refused(dest, tmp_path / "results", "report.md, which was changed afterwards")


def test_refuses_a_link(dest, tmp_path):
    publish.publish(dest, tmp_path / "results", tidy)
    (tmp_path / "link").symlink_to(tmp_path / "results")
    refused(dest, tmp_path / "link", "not a folder")
    (tmp_path / "results" / "more").symlink_to(dest)
    refused(dest, tmp_path / "results", "more, which was not published")


def test_refuses_a_publication_without_its_marker(dest, tmp_path):
    """File names alone do not tell whether somebody has changed a report."""
    publish.publish(dest, tmp_path / "results", tidy)
    (tmp_path / "results" / "published.json").unlink()
    refused(dest, tmp_path / "results", "published.json is missing")


def test_refuses_a_marker_of_another_program(dest, tmp_path):
    publish.publish(dest, tmp_path / "results", tidy)
    (tmp_path / "results" / "published.json").write_text('{"publisher": "me"}')
    refused(dest, tmp_path / "results", "published.json: was not written by")


def test_what_is_added_at_the_last_moment_is_kept(dest, tmp_path):
    """The old folder is looked at once more after it was moved, and moved back."""
    target = tmp_path / "results"
    publish.publish(dest, target, tidy)
    before = files(target)

    def late(report: Path) -> None:
        tidy(report)
        (target / "notes.md").write_text("mine")

    with pytest.raises(ExperimentError, match=r"notes\.md"):
        publish.publish(dest, target, late)
    assert files(target) == before | {"notes.md": b"mine"}


def test_an_interrupt_while_the_old_folder_is_moved_loses_nothing(dest, tmp_path, monkeypatch):
    target = tmp_path / "results"
    publish.publish(dest, target, tidy)
    before = files(target)
    plain = Path.replace

    def interrupted(self: Path, other: Path) -> Path:
        moved = plain(self, other)
        if self == target:
            raise KeyboardInterrupt
        return moved

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        publish.publish(dest, target, tidy)
    assert files(target) == before


@pytest.mark.parametrize("folder", COMMITTED, ids=lambda path: "-".join(path.parts[-3::2]))
def test_committed_results_are_known(folder, dest, tmp_path):
    """Each has its marker: a new publication may replace it, a file that was added stops that."""
    target = tmp_path / "results"
    shutil.copytree(folder, target)
    publish.publish(dest, target, tidy)
    assert (target / "report.md").read_text() == "results"
    shutil.rmtree(target)
    shutil.copytree(folder, target)
    (target / "thesis.tex").write_text("all my work")
    refused(dest, target, "thesis.tex, which was not published")


def test_run_sh_refuses_before_any_work(tmp_path):
    script, out = EXAMPLES / "synthetic" / "run.sh", tmp_path / "out"
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.tex").write_text("all my work")
    for target, words in ((out, "lies in the other"), (tmp_path / "precious", "thesis.tex")):
        assert words in run_sh.refused(script, "quick", "--dest", out, "--publish", target)
    assert files(tmp_path) == {"precious/thesis.tex": b"all my work"}
    assert not out.exists()
