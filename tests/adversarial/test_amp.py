"""``--amp``: with torch's scaler at work, as on a GPU, training is the same but for rounding."""

import pytest
from helpers.commands import differences, fork, gan, load, mle, training_state

pytestmark = pytest.mark.slow

# Without a GPU, torch's scaler and autocast do nothing. A CPU's scaler multiplies the loss by a
# power of two; the arithmetic stays in float32, so nothing is rounded.
SCALER = """
import torch
torch.cuda.amp.GradScaler = lambda **_: torch.amp.GradScaler(
    "cpu", init_scale=2.0**7, growth_interval=5
)
"""


def trained(folder, arguments, before=""):
    fork("train", folder, arguments, before).check()
    return load(folder / "checkpoint_last.pt")


@pytest.mark.parametrize("phase", ["MLE", "adversarial"])
def test_gradients_are_unscaled_once(phase, data, pretrained, tmp_path):
    """Scaled and unscaled, the gradients are what they were, and so are the nets and Adam."""

    def arguments(folder):
        if phase == "MLE":
            return mle(data, folder, "--max-epoch", 1)
        return gan(data, folder, pretrained.best, "--rounds", 1)

    plain = trained(tmp_path / "plain", arguments(tmp_path / "plain"))
    scaled = trained(tmp_path / "amp", [*arguments(tmp_path / "amp"), "--amp"], SCALER)
    for part in ("model", "criterion"):
        assert differences(plain[part], scaled[part]) == []
    moments = [state["last_optimizer_state"]["state"] for state in (plain, scaled)]
    assert differences(*moments) == []


def test_skipped_updates(data, pretrained, tmp_path):
    """D's pre-training ends early, so some updates train nothing."""
    options = "--rounds 1 --pretrain-d-steps 8 --pretrain-d-patience 1 --pretrain-d-keep best"
    arguments = gan(data, tmp_path, pretrained.best, *options.split(), "--amp")
    result = fork("train", tmp_path, arguments, SCALER).check()
    assert "D's pre-training ends: no better one for 1 pools" in result.stdout


def test_resume_is_exact(data, pretrained, tmp_path):
    """The loss scale, which grows every five updates, is stored."""
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    options = ["--rounds", 1, "--amp"]
    trained(straight, gan(data, straight, pretrained.best, *options), SCALER)
    whole = training_state(straight / "checkpoint_last.pt")
    stored = load(straight / "checkpoint_last.pt")["last_optimizer_state"]["loss_scale"]
    assert stored["scale"] == 2.0 ** (7 + whole["updates"] // 5)
    arguments = gan(data, resumed, pretrained.best, *options)
    trained(resumed, [*arguments, "--max-update", 7], SCALER)
    found = trained(resumed, arguments, SCALER)
    assert differences(training_state(resumed / "checkpoint_last.pt"), whole) == []
    assert found["last_optimizer_state"]["loss_scale"] == stored
