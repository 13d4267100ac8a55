"""The demo's second part with a tiny recipe: its table, and what it says of D."""

import importlib
import json
import os
import subprocess

import pytest
from helpers.commands import program
from helpers.examples import EXAMPLES, ExperimentError, load, variants

TINY = """
base: worth
data: {vocab-size: 30, embed-dim: 4, hidden-size: 4, length: 6,
       num-train: 64, num-valid: 32, num-test: 40}
samples: {num-samples: 50, batch-size: 20}
evaluation: {num-eval-samples: 50, self-bleu-samples: ~, discriminator-samples: 200}
options:
  generator: {decoder-embed-dim: 8, decoder-hidden-size: 8, decoder-out-embed-dim: 8,
              fixed-length: 6, tokens-per-sample: 7, num-eval-samples: 20}
  mle: {batch-size: 16, max-epoch: 2}
  adversarial: {batch-size: 8, rounds: 1, g-steps: 2, rollouts: 2}
  discriminator: {negative-pool-size: 32, pretrain-d-steps: 1, d-kernel-widths: "1,2",
                  d-kernel-counts: "4,4"}
  well_trained: {d-kernel-widths: "1,2,6", d-kernel-counts: "4,4,4", pretrain-d-steps: 2}
"""


@pytest.mark.slow
def test_the_table(tmp_path):
    """A row for each way to sample; that of MLE with D has the bound and its own entropy."""
    (tmp_path / "tiny.yaml").write_text(TINY)
    command = [
        EXAMPLES / "demo" / "run.sh",
        "--recipe",
        "tiny.yaml",
        "--dest",
        "out",
        "--seed",
        "3",
    ]
    environment = os.environ | {"PYTHON": str(program("python"))}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((tmp_path / "out" / "report.json").read_text())["rows"]
    labels = ["MLE", "MLE, T = 0.9", "SeqGAN", "MLE with D, K = 16"]
    assert [row["label"] for row in rows] == labels
    plain, guided = rows[0], rows[3]
    assert guided["nll"] == guided["nll_with_d"] != plain["nll"]
    assert guided["entropy"] == guided["entropy_with_d"]
    for row in rows:
        line = next(
            line for line in done.stdout.splitlines() if line.startswith(row["label"] + "  ")
        )
        for column in ("nll", "nll_oracle", "entropy"):
            assert f"{row[column]:.3f}" in line
        assert f"{row['judge_auc']:.2f}" in line
    assert "D's gain over MLE: " in done.stdout


def test_what_is_compared_with_d_is_what_it_begins_with(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("base: worth\nsystems: {mle: {checkpoints: [last, best]}}\n")
    worth, (_, systems) = importlib.import_module("demo.worth"), load("demo", path)
    rows = variants(systems)
    assert rows[0].name == "mle/last" and worth._plain(path, rows).name == "mle/best"
    path.write_text("base: worth\nsystems: {mle: {checkpoints: [last]}}\n")
    with pytest.raises(ExperimentError, match="there is no row mle/best, from which D's row"):
        load("demo", path)


@pytest.mark.parametrize(
    ("gain", "says"), [(0.3, "D knows what MLE does not"), (0.01, "here D has nothing to teach")]
)
def test_says_what_the_gain_is(gain, says):
    worth = importlib.import_module("demo.worth")
    plain = {"guide": 1, "temperature": 1.0, "nll": 3.5, "nll_oracle": 4.0, "judge_auc": 0.7}
    cooler = plain | {"temperature": 0.9, "nll": 3.52, "nll_oracle": 3.8}
    guided = plain | {"guide": 16, "nll": 3.4, "judge_auc": 0.6, "d_gain": gain}
    guided["d_gain_stderr"] = 0.01
    said = worth.explain([plain, cooler, guided], plain)
    assert says in said
    sentence = "makes NLL_oracle 0.200 lower, and changes the held-out NLL by +0.020"
    assert (sentence in said) == (gain == 0.3)
    assert "temperature" not in worth.explain([plain, guided], plain)
