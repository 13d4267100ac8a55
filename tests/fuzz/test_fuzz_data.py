"""Mutated raw data, binarized data, dictionaries, oracles and checkpoints (helpers/mutations.py).

A file is refused in one line, or read as what it says. What that is, each test states: the format's
own redundancy (offsets, checksums) decides what can be known.
"""

import itertools
import os
import pickle
import random
import re
import shutil
import zipfile
from fractions import Fraction

import numpy as np
import pytest
import torch
from fairseq_seqgan.preprocess.common import dataset
from fairseq_seqgan.preprocess.common.folder import write_stats
from fairseq_seqgan.preprocess.midi import MidiError, read_notes
from helpers import raw_data
from helpers.commands import differences
from helpers.evaluate_data import binarize, make_data
from helpers.models import make_dictionary
from helpers.mutations import TRIES, Outcomes, mutate_bytes, mutate_tree, rng_of

from fairseq_seqgan.cli import inputs
from fairseq_seqgan.criterions.saved_discriminator import load_discriminator
from fairseq_seqgan.oracle.lstm import Oracle
from fairseq_seqgan.policy.saved_model import load_language_model
from fairseq_seqgan.preprocess import melody, nottingham, obama, poems
from fairseq_seqgan.support import compat_checkpoints, input_checks
from fairseq_seqgan.support.binarized_data import stated_digests
from fairseq_seqgan.support.errors import InputError

HAN = [chr(code) for code in range(0x4E00, 0x4E60)]


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    """No flush, and no process of fairseq-preprocess for each file: its input is what is tested."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setattr(dataset, "binarize", lambda *_: None)


def written(folder):
    """Return all sequences that a script has written as text, each as one text."""
    rows = [" ".join(row) for split in raw_data.SPLITS for row in raw_data.read(folder, split)]
    assert rows and all(rows)
    return rows


# --- raw data


def test_poems(tmp_path):
    """A poem is as in the file, and a line that the mutation did not touch is there."""
    rng = random.Random(1)
    parts = [[f"{''.join(rng.choices(HAN, k=5))}{mark}" for mark in "，。，。"] for _ in range(90)]
    lines = list(map(" ".join, parts))
    good, raw = "\n".join(lines).encode() + b"\n", tmp_path / "raw.txt"
    found = Outcomes("poems", tmp_path)
    for i in range(TRIES["poems"]):
        raw.write_bytes(mutate_bytes(good, rng_of("poems", i)))
        options = ["--source", str(raw), "--dest", str(tmp_path / "data"), "--overwrite"]
        found.attempt(i, raw, lambda options=options: poems.main(options), (InputError,))
        if (tmp_path / "data").is_dir():
            rows = {row.replace(" ", "") for row in written(tmp_path / "data")}
            text = raw.read_bytes().decode("utf-8-sig").replace("\r", "\n").split("\n")
            there = {"".join(re.findall(r"<[^<>\s]*>|[\u3400-\u9fff]", line)) for line in text}
            intact = {re.sub("[ ，。]", "", line) for line in lines if line in text}
            found.explain(i, raw, rows <= there and intact <= rows, "other poems than in the file")
            shutil.rmtree(tmp_path / "data")
    assert found.tried == TRIES["poems"] and found.read and found.refused


def test_speeches(tmp_path):
    """What is written are words of the file; each sequence is one that fairseq reads as written."""
    rng = random.Random(2)
    words = "the a of people work hope jobs we will can not our to Mr. $5 it's [applause]".split()
    lines = [" ".join(rng.choices(words, k=rng.randint(5, 20))) + "." for _ in range(90)]
    good, raw = "\n\n".join(lines).encode(), tmp_path / "raw.txt"
    found = Outcomes("speeches", tmp_path)
    for i in range(TRIES["speeches"]):
        raw.write_bytes(mutate_bytes(good, rng_of("speeches", i)))
        options = ["--source", str(raw), "--dest", str(tmp_path / "data"), "--overwrite"]
        options += ["--unit", ("paragraph", "sentence")[i % 2]]
        found.attempt(i, raw, lambda options=options: obama.main(options), (InputError,))
        if (tmp_path / "data").is_dir():
            rows = written(tmp_path / "data")
            banned = dataset.SPECIAL_SYMBOLS
            whole = all(banned.isdisjoint(row.split()) and row.isprintable() for row in rows)
            found.explain(i, raw, whole, "special symbols or control characters in the data")
            shutil.rmtree(tmp_path / "data")
    assert found.tried == TRIES["speeches"] and found.read and found.refused


@pytest.fixture(scope="module")
def zipped(tmp_path_factory):
    """Return a zip file of tunes, as bytes, and the windows that are made of it."""
    folder = tmp_path_factory.mktemp("tunes")
    raw_data.tunes(folder / "tunes", {"": 80}, length=34)
    with zipfile.ZipFile(folder / "tunes.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((folder / "tunes").iterdir()):
            archive.write(path, path.name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "binarize", lambda *_: None)
        nottingham.main(["--source", str(folder / "tunes.zip"), "--dest", str(folder / "data")])
    return (folder / "tunes.zip").read_bytes(), set(written(folder / "data"))


def test_zips_of_tunes(tmp_path, zipped):
    """A zip has a checksum of each file: what is read is a tune of the undamaged zip."""
    good, windows = zipped
    raw, found = tmp_path / "tunes.zip", Outcomes("zips", tmp_path)
    for i in range(TRIES["zips"]):
        raw.write_bytes(mutate_bytes(good, rng_of("zips", i)))
        options = ["--source", str(raw), "--dest", str(tmp_path / "data"), "--split", "seed"]
        options += ["--skip-bad"] if i % 2 else []
        found.attempt(i, raw, lambda options=options: nottingham.main(options), (InputError,))
        if (tmp_path / "data").is_dir():
            same = set(written(tmp_path / "data")) <= windows
            found.explain(i, raw, same, "a tune that is not in the zip")
            shutil.rmtree(tmp_path / "data")
    assert found.tried == TRIES["zips"] and found.refused


def test_midi_files(tmp_path):
    """MIDI has no checksum: what is read is a melody on a piano, or the file is refused."""
    path, found = tmp_path / "a.mid", Outcomes("midi", tmp_path)
    raw_data.save(raw_data.midi(raw_data.scale(40, 3), tempos=[(960, 400_000)], form=1), path)
    good = path.read_bytes()
    for i in range(TRIES["midi"]):
        content = mutate_bytes(good, rng_of("midi", i))
        path.write_bytes(content)

        def use(content=content):
            return melody.sample(read_notes(content), Fraction("0.4"))

        keys = found.attempt(i, path, use, (MidiError,))
        whole = keys is None or (keys and set(keys) <= set(range(89)))
        found.explain(i, path, whole, f"keys that no piano has: {keys}")
    assert found.tried == TRIES["midi"] and found.read and found.refused


# --- binarized data


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Return binarized data as fairseq-preprocess writes them: without checksums."""
    folder = tmp_path_factory.mktemp("plain")
    make_dictionary(8).save(str(folder / "dict.txt"))
    rng = random.Random(3)
    rows = [[rng.randrange(4, 12) for _ in range(rng.randint(1, 9))] for _ in range(60)]
    for split in raw_data.SPLITS:
        binarize(folder, split, rows)
    binarize(folder, "old", rows, impl="cached")
    return folder, rows


def read_split(folder, split):
    return inputs.read_split(folder, split, inputs.read_dictionary(folder))


@pytest.mark.parametrize("split", ["test", "old"])
def test_indexes(plain, tmp_path, split):
    """An index is refused, or gives the same sequences: nothing in it is free to change."""
    folder, rows = plain
    shutil.copytree(folder, tmp_path / "data")
    path, found = tmp_path / "data" / f"{split}.idx", Outcomes(f"{split}.idx", tmp_path)
    good, kind = path.read_bytes(), "indexes"
    assert [list(row) for row in read_split(tmp_path / "data", split)] == rows
    for i in range(TRIES[kind]):
        path.write_bytes(mutate_bytes(good, rng_of(kind, split, i)))
        read = found.attempt(i, path, lambda: read_split(tmp_path / "data", split), (InputError,))
        same = read is None or [list(row) for row in read] == rows
        found.explain(i, path, same, "other sequences")
    assert found.tried == TRIES[kind] and found.refused


def test_tokens(plain, tmp_path):
    """Only where a byte was changed is a token another one, and it is one of the dictionary."""
    folder, rows = plain
    shutil.copytree(folder, tmp_path / "data")
    path, found = tmp_path / "data" / "test.bin", Outcomes("test.bin", tmp_path)
    good = path.read_bytes()
    for i in range(TRIES["tokens"]):
        content = mutate_bytes(good, rng_of("tokens", i))
        path.write_bytes(content)
        read = found.attempt(i, path, lambda: read_split(tmp_path / "data", "test"), (InputError,))
        if read is not None:
            flat = [token for row in read for token in (*row, 2)]
            same = flat == np.frombuffer(content, np.uint16).tolist()
            same &= [len(row) for row in read] == list(map(len, rows))
            found.explain(i, path, same and set(flat) <= set(range(12)), "other tokens")
    assert found.tried == TRIES["tokens"] and found.refused


def test_dictionaries(plain, tmp_path):
    """A dictionary is refused, or has the words of the file in their order."""
    shutil.copytree(plain[0], tmp_path / "data")
    path, found = tmp_path / "data" / "dict.txt", Outcomes("dict", tmp_path)
    good = path.read_bytes()
    for i in range(TRIES["dictionaries"]):
        path.write_bytes(mutate_bytes(good, rng_of("dictionaries", i)))
        read = found.attempt(
            i, path, lambda: inputs.read_dictionary(tmp_path / "data"), (InputError,)
        )
        if read is not None:
            lines = path.read_bytes().decode("utf-8").split("\n")
            words = [line.rstrip().rsplit(" ", 1)[0] for line in lines if line]
            words = [word.removesuffix(" #fairseq:overwrite") for word in words]
            found.explain(i, path, read.symbols[4:] == words, f"{read.symbols[4:]}, not {words}")
    assert found.tried == TRIES["dictionaries"] and found.read and found.refused


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return data with the checksums that a script of preprocess/ writes."""
    folder = make_data(tmp_path_factory.mktemp("made") / "data")
    write_stats(folder, {"splits": {}})
    assert {"dict.txt", "train.bin", "train.idx", "oracle.npz"} <= set(stated_digests(folder))
    return folder


def test_data_of_our_own_scripts(made, tmp_path):
    """With the checksums in stats.json no change of any file passes."""
    shutil.copytree(made, tmp_path / "data")
    folder, found = tmp_path / "data", Outcomes("made", tmp_path)
    rows = read_split(folder, "train")
    names = itertools.cycle(("train.bin", "train.idx", "dict.txt"))
    for i in range(TRIES["made"]):
        path = folder / next(names)
        good = path.read_bytes()
        content = mutate_bytes(good, rng_of("made", i))
        path.write_bytes(content)
        read = found.attempt(i, path, lambda: read_split(folder, "train"), (InputError,))
        found.explain(i, path, read is None or (content == good and read == rows), "was accepted")
        path.write_bytes(good)
    assert found.tried == TRIES["made"]


# --- oracles and checkpoints


@pytest.mark.parametrize("kind", ["npz", "pickle"])
def test_oracles(tmp_path, kind):
    """The arrays of an .npz are the same or refused; a pickle has no checksum, but a structure."""
    path, found = tmp_path / f"oracle.{kind}", Outcomes(kind, tmp_path)
    model = Oracle.random(8, 3, 3, seed=1)
    if kind == "npz":
        model.save(path)
    else:
        path.write_bytes(pickle.dumps(list(model.arrays().values()), protocol=2))
    good = path.read_bytes()
    for i in range(TRIES["oracles"]):
        path.write_bytes(mutate_bytes(good, rng_of("oracles", kind, i)))
        read = found.attempt(i, path, lambda: Oracle.load(path), (InputError,))
        if read is not None:
            arrays = read.arrays()
            same = all(np.isfinite(array).all() for array in arrays.values())
            if kind == "npz":
                same = all(np.array_equal(arrays[n], a) for n, a in model.arrays().items())
            found.explain(i, path, same, "other numbers")
    assert found.tried == TRIES["oracles"] and found.refused


@pytest.fixture(scope="module")
def state():
    """Return what is in a checkpoint, small."""
    weights = {"decoder.embed_tokens.weight": torch.ones(12, 4), "decoder.x": torch.arange(4.0)}
    return {
        "args": None,
        "cfg": {"task": {"_name": "seqgan", "data": "x"}, "model": {"_name": "lstm_lm"}},
        "model": weights,
        "criterion": {"discriminator.x": torch.zeros(3)},
        "optimizer_history": [{"criterion_name": "x", "num_updates": 7, "lr_scheduler_state": {}}],
        "task_state": {},
        "extra_state": {"epoch": 2, "SeqGANTask": {"slope": 1.5, "pool": torch.ones(3, 2)}},
        "last_optimizer_state": {"state": {}, "param_groups": [{"lr": 0.1}]},
    }


def test_checkpoints_as_bytes(state, tmp_path):
    """A checkpoint is refused, or is the same to the bit where checksums are compared."""
    compat_checkpoints.allow_checkpoints()
    path, found = tmp_path / "checkpoint.pt", Outcomes("checkpoints", tmp_path)
    torch.save(state, path)
    good, dictionary = path.read_bytes(), make_dictionary(8)
    for i in range(TRIES["checkpoints"]):
        path.write_bytes(mutate_bytes(good, rng_of("checkpoints", i)))

        def use():
            return input_checks.checkpoint(str(path), dictionary)

        read = found.attempt(i, path, use, (InputError,))
        if read is not None:
            found.explain(i, path, differences(read, state) == [], "other contents")
    assert found.tried == TRIES["checkpoints"] and found.read and found.refused


def test_checkpoints_with_other_contents(state, tmp_path):
    """A readable file whose parts are of other types, or missing: one line, for G and for D."""
    compat_checkpoints.allow_checkpoints()
    make_dictionary(8).save(str(tmp_path / "dict.txt"))
    path, found = tmp_path / "checkpoint.pt", Outcomes("states", tmp_path)
    dictionary = make_dictionary(8)
    uses = (
        lambda: input_checks.checkpoint(str(path), dictionary),
        lambda: load_language_model(path, tmp_path, dictionary),
        lambda: load_discriminator(str(path), dictionary),
    )
    for i in range(TRIES["states"]):
        torch.save(mutate_tree(state, rng_of("states", i)), path)
        # To build a model takes a second.
        found.attempt(i, path, uses[1 if i % 6 == 0 else 2 * (i % 2)], (InputError,))
    assert found.tried == TRIES["states"] and found.refused
