"""``evaluate --calibrate``: the model at the temperature that another split chooses."""

import json
import shutil

import pytest
from helpers.evaluate_data import OFFSET, binarize

from fairseq_seqgan.cli import main
from fairseq_seqgan.support.errors import InputError


@pytest.fixture
def measure(data, pretrained, tmp_path):
    """A function that evaluates the pre-trained G, and returns the JSON."""

    def run(*options):
        out = tmp_path / "out.json"
        command = ["evaluate", "--data", data, "--samples", data / "valid.txt", "--json", out]
        command += ["--model", pretrained.best, "--num-eval-samples", 10, "--overwrite"]
        main(list(map(str, [*command, *options])))
        return json.loads(out.read_text())

    return run


def test_the_other_split_chooses(measure):
    """Its NLL is lower at this temperature than beside it; the held-out NLL is that of it."""
    found = measure("--calibrate", "valid", "--valid-subset", "test")
    chosen = found["calibrated_temperature"]
    assert chosen != pytest.approx(1, abs=0.01)
    around = [
        measure("--valid-subset", "valid", "--temperature", chosen * factor)["nll"]
        for factor in (0.99, 1, 1.01)
    ]
    assert around[1] < min(around[0], around[2])
    at_it = measure("--valid-subset", "test", "--temperature", chosen)
    assert found["nll_calibrated"] == pytest.approx(at_it["nll"], abs=1e-6)
    assert found["nll_calibrated_stderr"] == pytest.approx(at_it["nll_stderr"], abs=1e-6)
    assert found["nll"] != pytest.approx(found["nll_calibrated"], abs=1e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--calibrate", "valid"], "--calibrate needs --model"),
        (["--model", "{mle}", "--calibrate", "train"], "--calibrate train: the model was trained"),
        (
            ["--model", "{mle}", "--calibrate", "valid", "--valid-subset", "valid"],
            "--calibrate valid: that is the held-out split",
        ),
        (["--model", "{mle}", "--calibrate", "no-split"], "no-split"),
        (
            ["--model", "{mle}", "--calibrate", "longer"],
            "--fixed-length 8: sequence 1 of split 'longer' has 16 tokens",
        ),
    ],
)
def test_refused(data, pretrained, tmp_path, options, words):
    """One line each; ``longer`` is a split whose sequences are twice as long."""
    data = shutil.copytree(data, tmp_path / "data")
    lines = (data / "valid.txt").read_text().splitlines()
    binarize(data, "longer", [2 * [OFFSET + int(word) for word in line.split()] for line in lines])
    options = [option.format(mle=pretrained.best) for option in options]
    command = ["evaluate", "--data", str(data), "--samples", str(data / "valid.txt"), *options]
    with pytest.raises(InputError, match=words):
        main(command)
