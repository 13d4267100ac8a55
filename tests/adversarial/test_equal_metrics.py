"""Two processes log the same numbers, so that what fairseq decides by them is decided by both."""

import json

import pytest
from helpers.commands import fork, gan, load, mle
from helpers.ranks import train_ranks

pytestmark = pytest.mark.slow

SPEED = ("wall", "train_wall", "wps", "ups")  # of one's own clock
RECORD = "from helpers import rank_metrics; rank_metrics.record({folder!r})"


def logged(folder, rank):
    """Return what *rank* has logged, without the names that the clock is in."""
    lines = (folder / f"metrics{rank}.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    return [
        {name: value for name, value in record.items() if not name.endswith(SPEED)}
        for record in records
    ]


def both(folder, args):
    """Train with two processes; return what each has logged."""
    record = RECORD.format(folder=str(folder))
    for rank in train_ranks(folder, args, setup=record):
        rank.check()
    first, second = logged(folder, 0), logged(folder, 1)
    assert first == second
    assert first
    return first


def test_of_a_language_model(data, tmp_path):
    """The held-out NLL, and NLL_oracle and entropy of samples that both draw."""
    options = ["--oracle", data / "oracle.npz", "--num-eval-samples", 30, "--max-epoch", 2]
    records = both(tmp_path, mle(data, tmp_path, *options))
    valid = [record for record in records if record["tag"] == "valid"]
    assert len(valid) == 2
    assert {"nll", "nll_oracle", "entropy", "loss"} <= set(valid[-1])


def test_of_a_game(data, pretrained, tmp_path):
    """The same, D's AUCs, gain and slope, and the losses and rewards of training."""
    options = ["--oracle", data / "oracle.npz", "--rounds", 1, "--log-interval", 3]
    records = both(tmp_path, gan(data, tmp_path, pretrained.best, *options))
    names = {name for record in records for name in record}
    assert {"nll", "nll_oracle", "entropy", "d_auc_train", "d_auc_heldout"} <= names
    assert {"d_gain", "d_gain_stderr", "d_slope", "g_loss", "d_loss", "d_acc", "reward"} <= names


def test_the_nll_is_that_of_one_process(data, pretrained, tmp_path):
    """Each rank has other sequences, of which 50 are not twice as many batches of one size."""
    options = ["--restore-file", pretrained.best, "--reset-optimizer", "--reset-dataloader"]
    options += ["--reset-meters", "--lr", 0, "--max-epoch", 1, "--batch-size-valid", 7]
    two, one = tmp_path / "two", tmp_path / "one"
    two_ranks = both(two, mle(data, two, *options))[-1]
    alone = fork("train", one, mle(data, one, *options)).check().logged("valid")[-1]
    assert two_ranks["tag"] in ("valid", "train")
    valid = [record for record in logged(two, 0) if record["tag"] == "valid"][-1]
    for name in ("nll", "loss"):
        assert valid[name] == pytest.approx(alone[name], abs=6e-5 if name == "nll" else 6e-4)


def test_patience_stops_both(data, tmp_path):
    """With --patience by ``nll``, one used to stop and the other to wait for it for ever."""
    options = ["--patience", 1, "--best-checkpoint-metric", "nll", "--lr", 0.3, "--max-epoch", 30]
    first, second = train_ranks(tmp_path, mle(data, tmp_path, *options))
    assert "early stop since valid performance" in first.check().output
    second.check()
    epochs = load(tmp_path / "checkpoint_last.pt")["extra_state"]["train_iterator"]["epoch"]
    assert epochs < 30
