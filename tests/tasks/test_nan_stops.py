"""NaN or infinity in G or D: the training ends before a weight has moved."""

import pytest
import torch
from helpers.commands import differences, fork, gan, load

pytestmark = pytest.mark.slow


def spoil(state, net, value):
    """Set the output weights of G or D in a checkpoint's *state* to *value*."""
    weights = state["model" if net == "G" else "criterion"]
    names = [name for name in weights if name.endswith(("fc_out.weight", "output.weight"))]
    weights[(names or list(weights))[-1]].fill_(value)


@pytest.mark.parametrize(
    ("net", "value", "options", "phase", "tensor"),
    [
        ("G", float("nan"), [], "a draw of negatives", "the policy's log-probability"),
        ("G", float("inf"), ["--pretrain-d-steps", 0], "a generator step", "log-probability"),
        ("D", float("nan"), [], "a pretrain step", "the loss"),
        ("D", float("inf"), ["--pretrain-d-steps", 0], "a generator step", "the reward"),
    ],
)
def test_nan_stops_before_the_update(net, value, options, phase, tensor, folder, played):
    """NaN or infinity ends the training; the error names phase and tensor; no weight has moved."""
    state = load(played.last)
    spoil(state, net, value)
    torch.save(state, folder / "spoiled.pt")
    options = [*"--reset-optimizer --reset-dataloader --reset-meters".split(), *options]
    arguments = gan(folder, folder.parent / "gan", None, "--restore-file", folder / "spoiled.pt")
    result = fork("train", folder.parent, [*arguments, *options])
    assert result.returncode == 3
    assert "Traceback" not in result.output
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith("error: ")
    assert phase in line and tensor in line
    # fairseq keeps what it had in crash.pt, and writes no other checkpoint.
    assert [path.name for path in folder.parent.glob("gan/*.pt")] == ["crash.pt"]
    after = load(folder.parent / "gan" / "crash.pt")
    for part in ("model", "criterion"):
        assert differences(bits(state[part]), bits(after[part])) == []


def bits(weights):
    """Return *weights* as integers, where NaN equals NaN."""
    return {name: weight.view(torch.int32) for name, weight in weights.items()}
