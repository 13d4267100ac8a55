"""Real sequences with an unknown word are not shown to D, which would tell them by it."""

import re
from pathlib import Path

from helpers.commands import fork, gan
from helpers.evaluate_data import OFFSET as FIRST
from helpers.evaluate_data import UNK, WORDS, binarize
from helpers.models import make_dictionary

KNOWN, UNKNOWN = 44, 20  # training sequences without and with an unknown word
ONE_ROUND = "--rounds 1 --g-steps 1 --d-steps 1 --k 1 --pretrain-d-steps 1 --d-batch-size 8".split()


def make(folder: Path, known: int, heldout: int = 8) -> list:
    """Make data; return the arguments of a short game on them."""
    data = folder / "data"
    data.mkdir()
    make_dictionary(WORDS).save(str(data / "dict.txt"))
    row = [FIRST, FIRST + 1, FIRST + 2]
    spoilt = [FIRST, UNK]
    binarize(data, "train", [row] * known + [spoilt] * UNKNOWN)
    binarize(data, "valid", [row] * heldout + [spoilt] * 4)
    return gan(data, folder / "save", None, *ONE_ROUND, shape="--max-length 4")


def test_they_are_left_out(tmp_path):
    result = fork("train", tmp_path, make(tmp_path, KNOWN)).check()
    assert f"{UNKNOWN} of {KNOWN + UNKNOWN} real sequences hold a symbol" in result.output
    assert "4 of 12 real sequences hold a symbol" in result.output
    # As many negatives as positives, in minibatches of 8, twice; and one G step.
    updates = int(re.search(r"(\d+) updates in all", result.output)[1])
    assert updates == 2 * (2 * KNOWN // 8) + 1
    assert {"d_auc_train", "d_auc_heldout"} <= set(result.logged("valid")[-1])


def test_none_is_left_held_out(tmp_path):
    result = fork("train", tmp_path, make(tmp_path, KNOWN, heldout=0)).check()
    logged = result.logged("valid")[-1]
    assert "d_auc_train" in logged and "d_auc_heldout" not in logged


def test_none_is_left_to_train_on(tmp_path):
    result = fork("train", tmp_path, make(tmp_path, known=0))
    assert result.returncode == 2
    last = result.stderr.strip().splitlines()[-1]
    assert last.endswith("all sequences hold an unknown word: none is left to show to D")
    assert "train.bin" in last and "Traceback" not in result.output
