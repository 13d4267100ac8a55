"""Training data in two folders, ``DATA1:DATA2``: the game has the sequences of both."""

import shutil

import pytest
import torch
from fairseq.data.indexed_dataset import make_builder
from helpers.commands import WORDS, differences, fork, gan, load, mle, training_state
from helpers.trainings import played_options

from fairseq_seqgan.oracle.lstm import OFFSET
from fairseq_seqgan.policy.saved_model import LONGEST
from fairseq_seqgan.support.stored_options import stored_task

pytestmark = pytest.mark.slow

FIRST = 70  # of the 200 training sequences are in the first folder


@pytest.fixture(scope="module")
def shards(data, tmp_path_factory):
    """The data, cut into two folders."""
    lines = (data / "train.txt").read_text().splitlines()
    folders = [tmp_path_factory.mktemp(f"shard{number}") for number in (1, 2)]
    for folder, part in zip(folders, (lines[:FIRST], lines[FIRST:]), strict=True):
        for name in ("dict.txt", "valid.bin", "valid.idx", "oracle.npz"):
            shutil.copy(data / name, folder)
        path = str(folder / "train")
        builder = make_builder(f"{path}.bin", impl="mmap", vocab_size=WORDS + OFFSET)
        for line in part:
            builder.add_item(torch.tensor([*(int(word) + OFFSET for word in line.split()), 2]))
        builder.finalize(f"{path}.idx")
    return folders


def joined(shards):
    return ":".join(map(str, shards))


def test_the_game_is_that_on_all_sequences(shards, data, pretrained, played, tmp_path):
    """To the last bit, stopped and resumed in another epoch; the log names no other shard."""
    args = gan(joined(shards), tmp_path, pretrained.best, *played_options(data))
    first = fork("train", tmp_path, [*args, "--max-update", 20]).check()
    second = fork("train", tmp_path, args).check()
    states = training_state(tmp_path / "checkpoint_last.pt"), training_state(played.last)
    assert differences(*states) == []
    for result in (first, second):
        assert result.output.count("loading train data for epoch") == 1
    assert "d_auc_train" in second.logged("valid")[-1]


def test_a_language_model_takes_turns(shards, tmp_path):
    """fairseq's own: an epoch for each folder; 70 sequences of 9 tokens, then 130."""
    more = ["--max-epoch", 2, "--batch-size", 1000, "--log-format", "simple"]
    result = fork("train", tmp_path, mle(joined(shards), tmp_path, *more)).check()
    assert [line["wpb"] for line in result.logged("train")] == [FIRST * 9, 130 * 9]


def test_the_longest_sequence_is_that_of_all_folders(text, tmp_path):
    """Also if the training ends before the epoch that reads it: samples are that long."""
    short = tmp_path / "short"
    shutil.copytree(text, short)
    path = str(short / "train")
    builder = make_builder(f"{path}.bin", impl="mmap", vocab_size=8 + OFFSET)
    builder.add_item(torch.tensor([OFFSET, 2]))
    builder.finalize(f"{path}.idx")
    for number, order in enumerate((f"{short}:{text}", f"{text}:{short}")):
        folder = tmp_path / str(number)
        shape = "--tokens-per-sample 9"
        fork("train", tmp_path, mle(order, folder, "--max-epoch", 1, shape=shape)).check()
        assert stored_task(load(folder / "checkpoint_last.pt"))[LONGEST] == 6


@pytest.mark.parametrize("change", ["no folder", "no split", "other dictionary", "cut"])
def test_a_bad_second_folder(change, shards, tmp_path):
    """It is named before anything is trained."""
    other = tmp_path / "other"
    if change != "no folder":
        shutil.copytree(shards[1], other)
    if change == "no split":
        (other / "train.idx").unlink()
    if change == "other dictionary":
        lines = (other / "dict.txt").read_text().splitlines()
        (other / "dict.txt").write_text("\n".join(lines[::-1]) + "\n")
    if change == "cut":
        (other / "train.bin").write_bytes((other / "train.bin").read_bytes()[:-9])
    result = fork("train", tmp_path, gan(f"{shards[0]}:{other}", tmp_path / "gan", None))
    assert result.returncode == 2, result.output[-2000:]
    assert "Traceback" not in result.output
    line = result.stderr.strip().splitlines()[-1]
    words = {
        "no folder": f"{other}: no such folder",
        "no split": f"{other}/train.idx: missing",
        "other dictionary": f"{other}/dict.txt: differs from {shards[0]}/dict.txt",
        "cut": f"{other}/train.bin: damaged or truncated",
    }
    assert words[change] in line
