"""examples/common/progress.py: what is shown of a validation."""

import json

import pytest
from helpers.examples import progress


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"valid_nll": "1.8"}, "epoch 5   held-out NLL 1.800 nats/token"),
        ({"valid_loss": "2"}, "epoch 5   held-out loss 1.386 nats/token"),
        (
            {"valid_nll": "1.8", "valid_d_auc_train": "0.88", "valid_d_auc_heldout": "0.61"},
            "epoch 5   held-out NLL 1.800 nats/token   D's AUC 0.88 training, 0.61 held out",
        ),
        # No held-out sequence was left for D.
        (
            {"valid_nll": "1.8", "valid_d_auc_train": "0.88"},
            "epoch 5   held-out NLL 1.800 nats/token",
        ),
    ],
)
def test_a_validation(record, expected):
    line = "2026-11-29 06:00:00 | INFO | valid | " + json.dumps({"epoch": 5} | record)
    assert progress.show(line) == expected
    assert progress.show(line, pretrain=3) == expected.replace("epoch 5", "round 2")
    assert progress.show(line, pretrain=5) == expected.replace("epoch 5", "pre-training D 5/5")
