"""Raw data made in tests, the preprocess scripts run on it, and a server to download it from."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import mido
from fairseq.data import Dictionary
from fairseq.data.data_utils import load_indexed_dataset

from helpers.commands import REPO, Result, run_python

SPLITS = ("train", "valid", "test")
FILES = {
    *("dict.txt", "stats.json"),
    *(f"{split}.{ending}" for split in SPLITS for ending in ("txt", "bin", "idx")),
}


# --- scripts


def script(name: str, logs: Path, *args: object, cwd: Path) -> Result:
    """Run preprocess/*name*.py in folder *cwd*."""
    logs.mkdir(parents=True, exist_ok=True)
    return run_python(REPO / "preprocess" / f"{name}.py", *args, cwd=cwd)


def refuses_raw_file(name: str, content: bytes | None, message: str, folder: Path) -> None:
    """Check that preprocess/*name*.py refuses a raw file with one line, and leaves nothing.

    Args:
        content: of the raw file; None: there is none.
        message: how the line begins, after "error: ".
        folder: an empty one to work in.
    """
    work = folder / "work"
    work.mkdir()
    if content is not None:
        (work / "raw.txt").write_bytes(content)
    result = script(name, folder / "logs", "--source", "raw.txt", "--dest", "d", cwd=work)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1].startswith(f"error: {message}")
    assert "Traceback" not in result.stderr
    assert [path.name for path in work.iterdir() if path.name != "raw.txt"] == []


def read(folder: Path, split: str) -> list[list[str]]:
    """Return the tokens of a split's text."""
    lines = (folder / f"{split}.txt").read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""
    return [line.split(" ") for line in lines]


def binarized(folder: Path, split: str) -> list[list[str]]:
    """Return the tokens of a split's binarized data; each ended with an end symbol."""
    dictionary = Dictionary.load(str(folder / "dict.txt"))
    dataset = load_indexed_dataset(str(folder / split), dictionary)
    rows = [dataset[i].tolist() for i in range(len(dataset))]
    assert all(row[-1] == dictionary.eos() for row in rows)
    return [[dictionary[i] for i in row[:-1]] for row in rows]


def stats(folder: Path) -> dict:
    """Return what stats.json says."""
    return json.loads((folder / "stats.json").read_text(encoding="utf-8"))


def dropped(folder: Path) -> dict[str, int]:
    """Return how many items were left out, by reason."""
    return {reason: item["count"] for reason, item in stats(folder)["dropped"].items()}


# --- MIDI


def midi(
    *tracks: list, division: int = 480, tempos: list | None = None, form: int | None = None
) -> mido.MidiFile:
    """Return a MIDI file whose *tracks* are lists of (start tick, end tick, pitch, [channel]).

    *tempos* are (tick, microseconds per beat); format 1 gets them in a track of their own.
    """
    form = (0 if len(tracks) == 1 else 1) if form is None else form
    file = mido.MidiFile(type=form, ticks_per_beat=division)
    lists = [_events(notes) for notes in tracks]
    changes = [(t, mido.MetaMessage("set_tempo", tempo=tempo)) for t, tempo in tempos or []]
    if form == 0:
        lists[0] = sorted(lists[0] + changes, key=lambda event: event[0])
    else:
        lists.insert(0, changes)
    for events in lists:
        track, now = mido.MidiTrack(), 0
        for tick, message in events:
            track.append(message.copy(time=tick - now))
            now = tick
        file.tracks.append(track)
    return file


def _events(notes: list) -> list:
    events = []
    for start, end, pitch, *channel in notes:
        at = {"note": pitch, "channel": channel[0] if channel else 0}
        events.append((start, 1, mido.Message("note_on", velocity=64, **at)))
        if end is not None:
            events.append((end, 0, mido.Message("note_off", **at)))
    events.sort(key=lambda event: event[:2])
    return [(tick, message) for tick, _, message in events]


def save(file: mido.MidiFile, path: Path) -> Path:
    """Write *file*, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save(path)
    return path


def scale(length: int, first: int) -> list:
    """Return the notes of a melody of *length* steps of 384 ticks, unlike that of another start."""
    return [(384 * i, 384 * i + 383, 40 + (first * 7 + i * i) % 48) for i in range(length)]


def tunes(folder: Path, sizes: dict[str, int], length: int = 70) -> Path:
    """Write different melodies into *folder*/split and return it; "" as split: into *folder*."""
    number = 0
    for split, size in sizes.items():
        for _ in range(size):
            number += 1
            save(midi(scale(length + number, number)), folder / split / f"tune{number}.mid")
    return folder


# --- a web server


class Request(NamedTuple):
    """What a client asked for."""

    path: str
    range: str | None


@dataclass
class Web:
    """A server on this machine; change its fields to change what it does."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)  # added to every answer
    cuts: list[int] = field(default_factory=list)  # in turn: bytes before a break
    statuses: list[int] = field(default_factory=list)  # each answer in turn is this error instead
    abilities: set[str] = field(default_factory=lambda: {"ranges", "length"})  # or "careless"
    requests: list[Request] = field(default_factory=list)


@contextmanager
def web() -> Iterator[Web]:
    """Run a server that serves ``files`` and notes every request."""
    state = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked = self.headers.get("Range")
            state.requests.append(Request(self.path, asked))
            assert self.headers["Accept-Encoding"] == "identity"
            if state.statuses:
                self.send_error(state.statuses.pop(0))
                return
            if self.path not in state.files:
                self.send_error(404)
                return
            self._send(state.files[self.path], asked)

        def _send(self, body: bytes, asked: str | None):
            start = 0
            tags = {state.headers.get("ETag"), state.headers.get("Last-Modified")}
            fresh = self.headers.get("If-Range") in tags or "careless" in state.abilities
            if asked and "ranges" in state.abilities and fresh:
                start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start > len(body):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            if "length" in state.abilities:
                self.send_header("Content-Length", str(len(body) - start))
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.end_headers()
            part = body[start:]
            self.wfile.write(part[: state.cuts.pop(0)] if state.cuts else part)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        state.url = f"http://127.0.0.1:{server.server_port}"
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
