"""A damaged checkpoint: the newest whole one takes its place, or a line says what to do."""

import shutil
import subprocess

import pytest
from helpers import faults
from helpers.commands import (
    PLUGIN,
    TOTAL_UPDATES,
    Result,
    differences,
    fork,
    gan,
    generate,
    load,
    program,
    training_state,
)
from helpers.ranks import train_ranks

pytestmark = pytest.mark.slow

COMMON = ["--user-dir", PLUGIN, "--task", "seqgan", "--cpu"]
VALIDATE = [*COMMON, "--batch-size", 10]
SAVING = ["--save-interval-updates", 5, "--disable-validation"]


@pytest.fixture(scope="module")
def interrupted(data, pretrained, tmp_path_factory):
    """The folder of an adversarial training that was stopped after 15 of its updates."""
    folder = tmp_path_factory.mktemp("interrupted")
    args = gan(data, folder, pretrained.best, *SAVING, "--max-update", 15)
    fork("train", folder, args).check()
    return folder


@pytest.fixture
def folder(interrupted, tmp_path):
    """A copy of it, to be damaged."""
    return shutil.copytree(interrupted, tmp_path / "gan")


def cut(path, size=None):
    """Leave the first *size* bytes of *path*, half of them if it is None."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2 if size is None else size])


def flip(path):
    """Flip one bit of a weight of G."""
    faults.flip_bit(path, next(iter(load(path)["model"].values())))


@pytest.mark.parametrize(
    ("damage", "damaged", "words"),
    [
        (lambda path: cut(path, 0), ["checkpoint_last.pt"], "perhaps truncated"),
        (cut, ["checkpoint_last.pt", "checkpoint_2_15.pt"], "perhaps truncated"),
        (flip, ["checkpoint_last.pt", "checkpoint_2_15.pt"], "differs from its checksum"),
    ],
    ids=["empty", "half", "bit"],
)
def test_the_newest_whole_one_takes_its_place(
    damage, damaged, words, data, pretrained, folder, tmp_path
):
    """Bit-equal to resuming from that one by hand, and a warning names both files."""
    for name in damaged:
        damage(folder / name)
    by_hand = shutil.copytree(folder, tmp_path / "by-hand")
    result = fork("train", folder, gan(data, folder, pretrained.best, *SAVING)).check()
    (warning,) = [line for line in result.stdout.splitlines() if "RESUMES FROM" in line]
    assert f"{folder / 'checkpoint_last.pt'}: " in warning and words in warning
    left = [("checkpoint_2_15.pt", 15), ("checkpoint_1_10.pt", 10)]
    name, updates = next(each for each in left if each[0] not in damaged)
    assert f"{folder / name}, the newest whole checkpoint, written after {updates}" in warning
    restore = ["--restore-file", by_hand / name]
    fork("train", by_hand, gan(data, by_hand, None, *SAVING, *restore)).check()
    ours, theirs = (training_state(path / "checkpoint_last.pt") for path in (folder, by_hand))
    assert ours["updates"] == TOTAL_UPDATES
    assert differences(ours, theirs) == []


def test_all_processes_fall_back_to_the_same_one(data, pretrained, tmp_path):
    """With two processes as with one; the first of them warns."""
    folder = tmp_path / "gan"
    args = gan(data, folder, pretrained.best, *SAVING)
    for rank in train_ranks(folder, [*args, "--max-update", 15]):
        rank.check()
    cut(folder / "checkpoint_last.pt")
    by_hand = shutil.copytree(folder, tmp_path / "by-hand")
    results = [rank.check() for rank in train_ranks(folder, args)]
    assert [result.stdout.count("RESUMES FROM") for result in results] == [1, 0]
    restore = ["--restore-file", by_hand / "checkpoint_2_15.pt"]
    for rank in train_ranks(by_hand, gan(data, by_hand, None, *SAVING, *restore)):
        rank.check()
    ours, theirs = (training_state(path / "checkpoint_last.pt") for path in (folder, by_hand))
    assert ours["updates"] == TOTAL_UPDATES
    assert differences(ours, theirs) == []


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.glob("checkpoint*")}


def refused(result):
    """Return the one line that a refused command ends with."""
    assert result.returncode == 2
    assert "Traceback" not in result.output
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    return line


def test_no_whole_checkpoint(data, pretrained, folder):
    """The line says what may be done, and nothing is deleted or begun afresh."""
    for path in folder.glob("checkpoint*.pt"):
        cut(path)
    before = contents(folder)
    line = refused(fork("train", folder, gan(data, folder, pretrained.best, *SAVING)))
    assert line.startswith(f"error: {folder / 'checkpoint_last.pt'}: not a readable checkpoint")
    assert "no other whole checkpoint" in line
    assert "move it away to train from the start, or name another one with --restore-file" in line
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("train", lambda data, path: gan(data, path.parent / "new", path)),
        (
            "train",
            lambda data, path: gan(data, path.parent / "new", None, "--restore-file", path),
        ),
        ("generate", lambda data, path: generate(data, path, "--num-samples", 3)),
        ("eval_lm", lambda data, path: [*COMMON, data, "--gen-subset", "test", "--path", path]),
        ("validate", lambda data, path: [*VALIDATE, data, "--path", path]),
    ],
    ids=["finetune", "restore", "generate", "eval_lm", "validate"],
)
def test_a_flipped_bit_is_found(command, arguments, data, folder):
    """By every command of fairseq that reads a checkpoint; it names a whole one."""
    flip(folder / "checkpoint_last.pt")
    path = folder / "checkpoint_last.pt"
    line = refused(fork(command, folder / "logs", arguments(data, path)))
    assert line.startswith(f"error: {path}: damaged (") and "differs from its checksum" in line
    assert line.endswith(f"; {folder / 'checkpoint_2_15.pt'} is whole")


def test_the_last_damaged_does_not_matter_to_another(data, folder):
    """fairseq-validate sets up the task with the training's options, and resumes nothing."""
    cut(folder / "checkpoint_last.pt")
    path = folder / "checkpoint_1_10.pt"
    result = fork("validate", folder / "logs", [*VALIDATE, data, "--path", path]).check()
    assert "RESUMES" not in result.output


def test_full_disk(data, pretrained, folder):
    """One line, and the checkpoints are as they were; the same command then resumes."""
    before = contents(folder)
    args = gan(data, folder, pretrained.best, *SAVING)
    setup = "from helpers import faults; faults.fill_disk(save=1, size=30000)"
    line = refused(fork("train", folder, args, setup))
    assert line.startswith(f"error: {folder / 'checkpoint_2_20.pt'}: cannot be written (File too")
    assert contents(folder) == before
    fork("train", folder, args).check()
    assert training_state(folder / "checkpoint_last.pt")["updates"] == TOTAL_UPDATES


def test_full_disk_as_a_program(data, pretrained, tmp_path):
    """The same of the real program; it has written nothing yet."""
    limited = 'ulimit -f 30; exec "$0" "$@"'
    args = gan(data, tmp_path / "gan", pretrained.best, *SAVING)
    train = program("fairseq-train", cold=True)
    done = subprocess.run(
        ["bash", "-c", limited, train, *map(str, args)], capture_output=True, text=True, check=False
    )
    line = refused(Result(done.returncode, done.stdout, done.stderr))
    assert "checkpoint_1_5.pt: cannot be written (File too large)" in line
    assert contents(tmp_path / "gan") == {}


def test_asynchronous_writing_is_refused(data, pretrained, tmp_path):
    """fairseq would write in place, and no last checkpoint; without iopath it trains nothing."""
    args = gan(data, tmp_path, pretrained.best, "--write-checkpoints-asynchronously")
    installed = 'import types; sys.modules["iopath"] = types.ModuleType("iopath")'
    line = refused(fork("train", tmp_path, args, installed))
    assert line.startswith("error: --write-checkpoints-asynchronously: not with this task")
