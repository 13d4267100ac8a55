"""A bar on a terminal, a line in the log elsewhere, and nothing where the work is short."""

import io
import os
import pty
import subprocess
import termios
from types import SimpleNamespace

import pytest
from helpers.commands import gan, program

from fairseq_seqgan.support import progress_display as module
from fairseq_seqgan.support.progress_display import enter, follow, working


@pytest.fixture
def display(monkeypatch):
    """A display of its own, whose clock stands still."""
    monkeypatch.setattr(module, "_display", module._Display())
    clock = SimpleNamespace(now=50.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(module, "time", clock)
    return clock


def work(clock, seconds, parts=10):
    with working("rollouts", 100) as done:
        for _ in range(parts):
            clock.now += seconds / parts
            done(100 // parts)


def test_short_work_is_silent(display, caplog):
    with caplog.at_level("INFO"):
        for _ in range(3):
            work(display, 9)
    assert caplog.messages == []


def test_long_work_writes_a_line_now_and_then(display, caplog):
    with caplog.at_level("INFO"):
        enter(lambda: "round 1 of 2")
        work(display, 100)
    assert caplog.messages == [
        "round 1 of 2; rollouts: 30% done after 0:00:30, about 0:01:10 left",
        "round 1 of 2; rollouts: 60% done after 0:01:00, about 0:00:40 left",
        "round 1 of 2; rollouts: 90% done after 0:01:30, about 0:00:10 left",
    ]


def test_many_short_works_write_one_line(display, caplog):
    """Updates of a second each: where the training is, every half minute."""
    with caplog.at_level("INFO"):
        for update in range(65):
            enter(lambda update=update: f"update {update}")
            display.now += 1
    assert caplog.messages == ["update 30", "update 60"]


def test_only_the_first_process_writes(display, caplog, monkeypatch):
    monkeypatch.setattr(module.distributed, "rank", lambda: 1)
    with caplog.at_level("INFO"):
        work(display, 100)
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("log_format", "no_bar", "terminal", "bars"),
    [
        (None, False, True, True),
        ("tqdm", True, True, True),
        (None, True, True, False),
        (None, False, False, False),
        ("tqdm", False, False, False),
        ("json", False, True, False),
        ("none", False, True, False),
    ],
)
def test_bars_are_where_fairseqs_are(display, monkeypatch, log_format, no_bar, terminal, bars):
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    monkeypatch.setattr(module.sys, "stderr", stream)
    follow(SimpleNamespace(log_format=log_format, no_progress_bar=no_bar))
    monkeypatch.setattr(module, "DELAY", 0.0)
    work(display, 100)
    assert ("rollouts: " in stream.getvalue()) == bars
    assert module._display.bars == bars


@pytest.mark.slow
def test_a_training_on_a_terminal(data, pretrained, tmp_path):
    """The bars of the first pool and of the first rollouts are drawn, and go away."""
    setup = "from fairseq_seqgan.support import progress_display as p; p.DELAY = 0.0"
    code = f"{setup}\nfrom fairseq_cli.train import cli_main\ncli_main()"
    options = ["--max-update", 15, "--log-format", "tqdm", "--disable-validation", "--no-save"]
    arguments = map(str, gan(data, tmp_path, pretrained.best, *options))
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))  # a new one has no lines
    process = subprocess.Popen(
        [program("python"), "-c", code, *arguments],
        cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs, text=True,
    )  # fmt: skip
    os.close(theirs)
    drawn = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        drawn += part
    out = process.stdout.read()
    assert process.wait(timeout=60) == 0, out[-2000:] + drawn.decode()[-2000:]
    os.close(ours)
    assert b"drawing 200 sequences" in drawn and b"rollouts" in drawn
    assert "g-step" not in out
