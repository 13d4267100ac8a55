"""Which real sequences D is shown: none with an unknown word, and none that is too long."""

import re
from pathlib import Path

import numpy as np
import torch
from helpers.commands import fork, gan
from helpers.evaluate_data import EOS, UNK, WORDS, binarize
from helpers.evaluate_data import OFFSET as FIRST
from helpers.models import make_dictionary

KNOWN, UNKNOWN = 44, 20  # training sequences without and with an unknown word
LONG = [FIRST] * 7
ONE_ROUND = "--rounds 1 --g-steps 1 --d-steps 1 --k 1 --pretrain-d-steps 1 --d-batch-size 8".split()


def make(folder: Path, known: int, heldout: int = 8) -> list:
    """Make data; return the arguments of a short game on them."""
    data = folder / "data"
    data.mkdir(parents=True)
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


def test_a_stride_that_leaves_no_prefix_is_told(tmp_path):
    """Sequences have 4 tokens at most, and their end."""
    words = "--rollout-stride 5: in sequences of 5 tokens it leaves no prefix to roll out"
    for stride, told in ((5, True), (4, False)):
        arguments = [*make(tmp_path / str(stride), KNOWN), "--rollout-stride", stride]
        result = fork("train", tmp_path, arguments).check()
        assert (words in result.output) == told


def test_none_is_left_held_out(tmp_path):
    result = fork("train", tmp_path, make(tmp_path, KNOWN, heldout=0)).check()
    logged = result.logged("valid")[-1]
    assert "d_auc_train" in logged and "d_auc_heldout" not in logged


def test_the_number_asked_for_is_chosen_from_those_that_are_left(tmp_path):
    """12 held-out sequences of which 4 can be used: --num-eval-samples 4 finds them all."""
    arguments = make(tmp_path, KNOWN)
    binarize(tmp_path / "data", "valid", [[FIRST, UNK]] * 5 + [[FIRST, FIRST + 2]] * 4 + [LONG] * 3)
    setup = f"from helpers import scored_rows; scored_rows.record({str(tmp_path)!r})"
    arguments = [*arguments, "--num-eval-samples", 4]
    result = fork("train", tmp_path, arguments, setup).check()
    heldout = torch.load(tmp_path / "d_auc_heldout.pt")
    assert heldout[:, :3].tolist() == [[FIRST, FIRST + 2, EOS]] * 4
    dropped = re.findall(r"(\d+) of \d+ real sequences are longer than 4 tokens", result.output)
    assert dropped and all(0 < int(number) <= 3 for number in dropped)


def test_too_long_ones_are_counted_in_the_log(tmp_path):
    arguments = make(tmp_path, KNOWN)
    binarize(tmp_path / "data", "valid", [[FIRST] * 2] * 6 + [LONG] * 3)
    result = fork("train", tmp_path, arguments).check()
    assert "3 of 9 real sequences are longer than 4 tokens, the longest" in result.output


def test_the_training_sequences_of_an_auc_are_a_random_draw(tmp_path):
    """As the held-out ones are, not the first of the file, and the same in every validation."""
    arguments = make(tmp_path, KNOWN)
    rows = [[FIRST + i % 8, FIRST + i // 8] for i in range(KNOWN)]
    binarize(tmp_path / "data", "train", rows)
    setup = f"from helpers import scored_rows; scored_rows.record({str(tmp_path)!r})"
    fork("train", tmp_path, [*arguments, "--num-eval-samples", 10], setup).check()
    shown = torch.load(tmp_path / "d_auc_train.pt")[:, :2].tolist()
    assert len(shown) == 10
    chosen = np.random.default_rng(1).permutation(KNOWN)[:10]
    assert shown == [rows[i] for i in chosen]
    assert shown != rows[:10]


def test_none_is_left_to_train_on(tmp_path):
    result = fork("train", tmp_path, make(tmp_path, known=0))
    assert result.returncode == 2
    last = result.stderr.strip().splitlines()[-1]
    assert last.endswith("all sequences hold an unknown word: none is left to show to D")
    assert "train.bin" in last and "Traceback" not in result.output
