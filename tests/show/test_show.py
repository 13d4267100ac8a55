"""``fairseq-seqgan show``: poems on the terminal, tunes as MIDI files and pictures."""

import io
import re
from pathlib import Path

import matplotlib.image
import mido
import numpy as np
import pytest
from helpers.turing_data import command

from fairseq_seqgan.cli import main
from fairseq_seqgan.show import tunes
from fairseq_seqgan.support.errors import InputError

POEM = "春 眠 不 觉 晓 处 处 闻 啼 鸟 夜 来 风 雨 声 花 落 知 多 少"
TUNES = ["40 40 44 0 47 47 47 1", "0 0 88 88", "50 0 0"]


@pytest.fixture
def poems(tmp_path) -> Path:
    path = tmp_path / "poems.txt"
    path.write_text(f"{POEM}\n" * 3, encoding="utf-8")
    return path


@pytest.fixture
def music(tmp_path) -> Path:
    path = tmp_path / "tunes.txt"
    path.write_text("\n".join(TUNES), encoding="utf-8")
    return path


def show(*arguments: object) -> int:
    return main(["show", *map(str, arguments)])


def sampled(content: bytes, step_seconds: float = 0.4) -> list[int]:
    """Return the key that sounds in the middle of every step of a MIDI file, 0 for none."""
    file = mido.MidiFile(file=io.BytesIO(content))
    now, sounding, spans = 0.0, {}, []
    for message in file:  # with times in seconds
        now += message.time
        if message.type == "note_on" and message.velocity:
            sounding[message.note] = now
        elif message.type in ("note_on", "note_off"):
            spans.append((sounding.pop(message.note), now, message.note - 20))
    assert not sounding
    middles = (np.arange(round(now / step_seconds)) + 0.5) * step_seconds
    return [next((key for a, b, key in spans if a <= t < b), 0) for t in middles]


def test_poems_are_printed_as_four_lines(poems):
    result = command("show", "--samples", poems, "--kind", "poem", "--num", 2).check()
    poem = "春眠不觉晓，\n处处闻啼鸟。\n夜来风雨声，\n花落知多少。\n"
    assert result.stdout == f"{poem}\n{poem}"


def test_tunes_are_written(music, tmp_path):
    out = tmp_path / "a" / "tunes"
    result = command("show", "--samples", music, "--kind", "music", "--num", 2, "--out", out)
    assert result.check().stdout == f"{out}: 2 tunes, each as .mid and .png\n"
    assert result.stderr == ""
    assert sorted(path.name for path in out.iterdir()) == [
        "tune-0001.mid",
        "tune-0001.png",
        "tune-0002.mid",
        "tune-0002.png",
    ]
    for number in (1, 2):
        keys = [int(key) for key in TUNES[number - 1].split()]
        path = out / f"tune-{number:04d}.mid"
        assert sampled(path.read_bytes()) == keys
        assert mido.MidiFile(path).length == pytest.approx(0.4 * len(keys))
        picture = matplotlib.image.imread(path.with_suffix(".png"))
        assert picture.shape[0] > 200 and picture.shape[1] > 600
        assert np.ptp(picture[..., :3]) > 0.5  # something is drawn


@pytest.mark.parametrize("step", [0.4, 0.25, 0.1])
def test_midi(step):
    """Every pitch at its time, equal ones held as one note, silences kept."""
    keys = [0, 1, 1, 88, 0, 49, 49, 49, 0, 0]
    content = tunes.midi(keys, step)
    assert sampled(content, step) == keys
    file = mido.MidiFile(file=io.BytesIO(content))
    assert file.type == 0
    assert file.length == pytest.approx(step * len(keys))
    played = [m.note for m in file.tracks[0] if m.type == "note_on"]
    assert played == [21, 108, 69]  # A0, C8 and the A of 440 Hz
    assert content == tunes.midi(keys, step)


def test_pictures():
    """The same bytes again, different ones for another tune, and also a tune of silence."""
    assert tunes.picture([40, 41], "a") == tunes.picture([40, 41], "a")
    assert tunes.picture([40, 41], "a") != tunes.picture([40, 42], "a")
    assert tunes.picture([0, 0], "a").startswith(b"\x89PNG")
    assert [tunes.key_name(key) for key in (1, 4, 40, 49, 88)] == ["A0", "C1", "C4", "A4", "C8"]


def test_step_seconds(music, tmp_path):
    show("--samples", music, "--kind", "music", "--out", tmp_path, "--step-seconds", 0.25)
    assert mido.MidiFile(tmp_path / "tune-0002.mid").length == pytest.approx(1.0)


def test_replaces_nothing_unasked(music, tmp_path):
    (tmp_path / "tune-0003.png").write_text("mine")
    arguments = ["--samples", music, "--kind", "music", "--out", tmp_path]
    with pytest.raises(InputError, match=r"tune-0003.png: exists; give --overwrite"):
        show(*arguments)
    assert (tmp_path / "tune-0003.png").read_text() == "mine"
    assert not (tmp_path / "tune-0001.mid").exists()
    assert show(*arguments, "--overwrite") == 0
    assert (tmp_path / "tune-0003.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("kind", "more", "expected"),
    [
        ("music", [], r"--kind music: --out DIR must say"),
        ("poem", ["--out", "x"], r"--out x: goes with --kind music only"),
        ("poem", ["--num", 0], r"--num is 0"),
        ("poem", ["--step-seconds", 0], r"--step-seconds is 0"),
        (
            "music",
            ["--samples", "{folder}/tunes.txt", "--out", "{folder}/new", "--step-seconds", 1e7],
            r"--step-seconds is 1e\+07: too long for",
        ),
        (
            "music",
            ["--samples", "{folder}/tunes.txt", "--out", "{folder}/new", "--step-seconds", 1e308],
            r"--step-seconds is 1e\+308: too long for",
        ),
        (
            "music",
            ["--samples", "{folder}/tunes.txt", "--out", "{folder}/new", "--step-seconds", 1e-9],
            r"--step-seconds is 1e-09: too short",
        ),
        ("poem", ["--samples", "no.txt"], r"no.txt: cannot be read"),
        ("music", ["--out", "{folder}/new"], r"poems.txt, line 1: '春' is not a pitch"),
        (
            "music",
            ["--out", "{folder}/poems.txt", "--samples", "{folder}/tunes.txt"],
            r"--out .*poems.txt: File exists",
        ),
        ("poem", ["--samples", "{folder}/tunes.txt"], r"tunes.txt, line 1: 8 tokens; a poem has"),
    ],
)
def test_bad_input(poems, music, tmp_path, capsys, kind, more, expected):
    more = [str(option).replace("{folder}", str(tmp_path)) for option in more]
    with pytest.raises(InputError) as caught:
        show("--samples", poems, "--kind", kind, *more)
    message = str(caught.value)
    assert re.search(expected, message), message
    assert "\n" not in message
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "new").exists()


def test_text_is_printed_as_people_write_it(tmp_path, capsys):
    """Words, pieces of words, or characters; what a terminal would obey is spelled out."""
    for lines, expected in (
        ("They will go .\n", "They will go .\n"),
        ("▁They ▁walk ing\n", "They walking\n"),
        ("a n n a\nt o m ▁ j o e\n", "anna\ntom joe\n"),
        ("clear \x1b[2J\n", "clear \\x1b[2J\n"),
    ):
        (tmp_path / "samples").write_text(lines, encoding="utf-8")
        assert show("--samples", tmp_path / "samples", "--kind", "text") == 0
        assert capsys.readouterr().out == expected
