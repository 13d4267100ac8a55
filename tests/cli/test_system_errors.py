"""What the operating system refuses ends in one line; a reader that has gone, in none."""

import subprocess
import sys
from pathlib import Path

import pytest

from fairseq_seqgan.cli import main, show
from fairseq_seqgan.support.errors import InputError

LONG = "a" * 256


@pytest.fixture
def loop(tmp_path) -> Path:
    """A link to itself."""
    (tmp_path / "loop").symlink_to("loop")
    return tmp_path / "loop"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (f"random --kind unigram --data {LONG} --output {{tmp}}/x", f"{LONG}: File name too long"),
        ("random --kind unigram --data d --output {loop}/x", "Symlink loop from '{loop}/x'"),
        ("prepare --train {tmp}/x --tokenizer space --dest {loop}", "Symlink loop from '{loop}'"),
        (f"report {{tmp}} --output {{tmp}}/x --user-dir {LONG}", f"{LONG}: File name too long"),
    ],
)
def test_a_path_that_the_system_refuses(command, expected, loop, tmp_path):
    places = {"tmp": tmp_path, "loop": loop}
    with pytest.raises(InputError) as error:
        main(command.format(**places).split())
    message = str(error.value)
    assert message.endswith(expected.format(**places)) and "\n" not in message


def test_a_folder_of_another_user(monkeypatch, tmp_path):
    def denied(args):
        raise PermissionError(13, "Permission denied", str(args.samples))

    monkeypatch.setattr(show, "run", denied)
    with pytest.raises(InputError, match="error: there/x: Permission denied"):
        main(["show", "--samples", "there/x", "--kind", "text"])


def test_an_interruption_is_one_line(monkeypatch, capsys):
    def interrupt(args):
        raise KeyboardInterrupt

    monkeypatch.setattr(show, "run", interrupt)
    assert main(["show", "--samples", "x", "--kind", "text"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_bug_is_not_hidden(monkeypatch):
    def fail(args):
        raise RuntimeError("a bug")

    monkeypatch.setattr(show, "run", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        main(["show", "--samples", "x", "--kind", "text"])


@pytest.mark.parametrize(
    ("full", "expected"), [(True, "error: standard output: No space"), (False, "")]
)
def test_output_that_goes_nowhere(full, expected, tmp_path):
    """A full disk; ``| head -1``, which closes the pipe."""
    samples = tmp_path / "samples.txt"
    samples.write_text("a b c d e f g\n" * 20_000)
    words = [sys.executable, "-m", "fairseq_seqgan.cli", "show", "--samples", samples]
    words += ["--kind", "text", "--num", "20000"]
    with Path("/dev/full").open("wb") as nowhere:
        output = nowhere if full else subprocess.PIPE
        process = subprocess.Popen(words, stdout=output, stderr=subprocess.PIPE, text=True)
        if not full:
            process.stdout.close()
        _, error = process.communicate(timeout=120)
    assert process.returncode == (2 if full else 1)
    assert error.startswith(expected) and len(error.splitlines()) == bool(expected)
