"""preprocess/common/binarize.py: text and a dictionary to what fairseq reads."""

import numpy as np
import pytest
from fairseq_seqgan.preprocess.common import binarize

from fairseq_seqgan.support.errors import InputError


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_binarize_takes_the_splits_that_exist(tmp_path):
    (tmp_path / "text").mkdir()
    (tmp_path / "dest").mkdir()
    (tmp_path / "text" / "valid.txt").write_text("b a\nc\n")
    (tmp_path / "words.txt").write_text("a 2\nb 1\n")
    binarize.binarize(tmp_path / "text", tmp_path / "words.txt", tmp_path / "dest")
    assert names(tmp_path / "dest") == {"dict.txt", "valid.bin", "valid.idx"}
    assert (tmp_path / "dest" / "dict.txt").read_text() == "a 2\nb 1\n"
    ids = np.fromfile(tmp_path / "dest" / "valid.bin", dtype=np.uint16)
    assert ids.tolist() == [5, 4, 2, 3, 2]  # b a eos, unk eos


def test_binarize_names_what_it_cannot_use(tmp_path):
    (tmp_path / "words.txt").write_text("a 2\n")
    with pytest.raises(InputError, match=r"holds none of train\.txt"):
        binarize.binarize(tmp_path, tmp_path / "words.txt", tmp_path)
    (tmp_path / "train.txt").write_text("")
    with pytest.raises(InputError, match=r"train\.txt: is empty"):
        binarize.binarize(tmp_path, tmp_path / "words.txt", tmp_path)


def test_failure_of_fairseq_is_told_in_one_line(tmp_path):
    (tmp_path / "words.txt").write_text("a 2\na 3\n")
    (tmp_path / "train.txt").write_text("a\n")
    with pytest.raises(InputError, match=r"fairseq-preprocess failed: .*Duplicate word") as caught:
        binarize.binarize(tmp_path, tmp_path / "words.txt", tmp_path)
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == {"words.txt", "train.txt"}
