"""fairseq_seqgan/support/binarized_data.py: an index, tokens and checksums that contradict."""

import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from fairseq.data.indexed_dataset import make_builder
from fairseq_seqgan.preprocess.common.folder import write_stats
from helpers.commands import fork, mle
from helpers.evaluate_data import EOS, WORDS, binarize
from helpers.models import make_dictionary

from fairseq_seqgan.cli import inputs
from fairseq_seqgan.support.binarized_data import check_split, stated_digests
from fairseq_seqgan.support.errors import InputError

ROWS = [[4 + (i + j) % WORDS for j in range(1 + i % 4)] for i in range(20)]
HEAD = 26  # bytes of an .idx file before the sizes


@pytest.fixture
def folder(tmp_path) -> Path:
    """Return binarized data as fairseq-preprocess writes them."""
    make_dictionary(WORDS).save(str(tmp_path / "dict.txt"))
    for split in ("train", "train1", "test"):
        binarize(tmp_path, split, ROWS)
    return tmp_path


def change(path: Path, place: int, content: bytes) -> None:
    old = path.read_bytes()
    path.write_bytes(old[:place] + content + old[place + len(content) :])


def offset_of(sequence: int) -> int:
    return HEAD + 4 * len(ROWS) + 8 * sequence


def refusal(folder, split="test", **options) -> str:
    with pytest.raises(InputError) as error:
        check_split(folder, split, make_dictionary(WORDS), **options)
    return str(error.value)


CASES = {
    "a zeroed pointer": (offset_of(12), bytes(8), "sequence 13 begins at 0, and those before"),
    "a flipped bit": (offset_of(3) + 1, b"\1", "sequence 4 begins at 274, and those before it"),
    "a negative pointer": (offset_of(3), b"\xff" * 8, "sequence 4 begins at -1"),
    "another size": (HEAD, struct.pack("<i", 3), "sequence 2 begins at 4, and those before it"),
    "no tokens": (HEAD, struct.pack("<i", 0), "sequence 2 begins at 4, and those before it end"),
    "another number": (18, struct.pack("<Q", 19), "it has 266 bytes, not 254"),
    "an immense number": (18, b"\xff" * 8, "damaged or truncated"),
    "tokens of floats": (17, b"\6", "version 1, and 6 as the type of a token"),
    "an unknown type": (17, b"\x63", "version 1, and 99 as the type of a token"),
    "wider tokens": (17, b"\4", "sequence 2 begins at 4, and those before it end at 8"),
    "another version": (9, b"\2", "version 2, and 8 as the type"),
    "another beginning": (8, b"X", "does not begin as an index does"),
    "another format": (0, b"PK\3\4", "not an index of fairseq-preprocess"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_index_that_contradicts_itself(folder, case):
    place, content, expected = case
    check_split(folder, "test", make_dictionary(WORDS))
    change(folder / "test.idx", place, content)
    message = refusal(folder)
    assert f"{folder}/test.idx: " in message and expected in message


def test_two_changes_that_agree_contradict_the_tokens(folder):
    """Sizes and offsets that fit each other: the end symbols tell."""
    sizes = [len(row) + 1 for row in ROWS]
    sizes[0], sizes[1] = sizes[1], sizes[0]
    offsets = 2 * (np.cumsum(sizes) - sizes)
    content = np.array(sizes, np.int32).tobytes() + offsets.astype(np.int64).tobytes()
    change(folder / "test.idx", HEAD, content)
    assert "test.bin: sequence 1 does not end with </s>" in refusal(folder)
    assert len(inputs.load_indexed_dataset(str(folder / "test"))) == len(ROWS)  # fairseq reads it


@pytest.mark.parametrize(
    ("place", "token", "expected"),
    [
        (0, WORDS + 4, f"holds the symbol {WORDS + 4}"),
        (1, 4, "sequence 1 does not end with </s>"),
        (2, EOS, "sequence 2 does not end with </s>, or holds it before its end"),
    ],
)
def test_tokens(folder, place, token, expected):
    change(folder / "test.bin", 2 * place, struct.pack("<H", token))
    assert expected in refusal(folder)
    whole = "</s>" not in expected
    if not whole:  # where an item is no sequence, an end symbol may stand anywhere
        check_split(folder, "test", make_dictionary(WORDS), whole=False)


def test_the_older_format(tmp_path):
    make_dictionary(WORDS).save(str(tmp_path / "dict.txt"))
    binarize(tmp_path, "test", ROWS, impl="cached")
    dictionary = make_dictionary(WORDS)
    assert [list(row) for row in inputs.read_split(tmp_path, "test", dictionary)] == ROWS
    change(tmp_path / "test.idx", 48 + 8 * (len(ROWS) + 1 + 5), bytes(8))
    assert "test.idx: damaged; sequence 6 begins at 0" in refusal(tmp_path)


def test_all_parts_of_a_split(folder):
    """``train1`` belongs to ``train`` where fairseq combines them, and half of it is no part."""
    change(folder / "train1.idx", offset_of(4), bytes(8))
    check_split(folder, "train", make_dictionary(WORDS))
    assert "train1.idx: damaged" in refusal(folder, "train", combine=True)
    (folder / "train1.bin").unlink()
    assert "train1.bin: missing" in refusal(folder, "train", combine=True)


def test_checksums(folder):
    """A token that becomes another token is found where stats.json states the checksum."""
    write_stats(folder, {"kept": 3})
    names = {f"{split}.{end}" for split in ("train", "train1", "test") for end in ("bin", "idx")}
    assert set(stated_digests(folder)) == {"dict.txt", *names}
    check_split(folder, "test", make_dictionary(WORDS))
    change(folder / "test.bin", 0, struct.pack("<H", 9))
    assert "test.bin: damaged or replaced; its SHA-256 is not the one" in refusal(folder)
    (folder / "stats.json").unlink()
    check_split(folder, "test", make_dictionary(WORDS))


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"files": 5}', b'{"files": {"a": 1}}'])
def test_a_stats_file_of_somebody_else_states_nothing(folder, content):
    (folder / "stats.json").write_bytes(content)
    check_split(folder, "test", make_dictionary(WORDS))


def test_other_types_of_tokens(tmp_path):
    """A large vocabulary has 32-bit tokens."""
    builder = make_builder(str(tmp_path / "test.bin"), "mmap", vocab_size=70_000)
    for row in ROWS:
        builder.add_item(torch.tensor([*row, EOS]))
    builder.finalize(str(tmp_path / "test.idx"))
    check_split(tmp_path, "test", make_dictionary(WORDS))


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "valid"])
def test_nothing_is_trained(data, tmp_path, split):
    """fairseq-train ends with the line before its first update."""
    shutil.copytree(data, tmp_path / "data")
    (tmp_path / "data" / "stats.json").unlink()
    path = tmp_path / "data" / f"{split}.idx"
    number = struct.unpack("<Q", path.read_bytes()[18:26])[0]
    change(path, HEAD + 4 * number + 8 * 7, bytes(8))
    result = fork("train", tmp_path, mle(tmp_path / "data", tmp_path / "model"))
    assert result.returncode == 2 and "Traceback" not in result.output
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith(f"error: {path}: damaged; sequence 8 begins at 0, and those before it")
    assert not list(tmp_path.glob("model/*.pt"))
