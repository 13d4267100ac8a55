"""A metric in a user's folder: ``evaluate --user-dir`` and ``report --user-dir`` take it up."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from helpers import make_runs
from helpers.commands import REPO, Result, run
from helpers.evaluate_data import LENGTH, SAMPLES, make_data, write_samples

from fairseq_seqgan.cli import user_module
from fairseq_seqgan.support.errors import InputError

METRIC = '''
import numpy as np

from fairseq_seqgan.metrics.base import Direction, Metric, Score, register_metric
from fairseq_seqgan.support.errors import InputError


@register_metric("share_of_word")
class ShareOfWord(Metric):
    """How much of the samples is one word, the one of --word."""

    title, unit, direction = "share of one word", "share", Direction.NEITHER
    formula = "mean over the samples of (number of tokens that are `--word`) / (number of tokens)"

    def compute(self, inputs):
        return self._measure(inputs.samples, inputs)

    def compute_heldout(self, inputs):
        return self._measure(inputs.heldout, inputs)

    def _measure(self, sequences, inputs):
        word = inputs.dictionary.index(inputs.options.word)
        shares = np.array([sequence.count(word) / len(sequence) for sequence in sequences])
        error = shares.std(ddof=1) / len(shares) ** 0.5
        over, signature = f"{len(shares)} samples", f"word:{inputs.options.word}"
        details = {"share_sequences": len(shares)}
        return Score(float(shares.mean()), float(error), over, signature, details)

    @classmethod
    def add_arguments(cls, parser):
        parser.add_argument("--word", default="7")

    @classmethod
    def check(cls, options):
        if " " in options.word:
            raise InputError(f"--word '{options.word}': one word, please")
'''


@pytest.fixture
def own(tmp_path) -> Path:
    folder = tmp_path / "my_metrics"
    folder.mkdir()
    (folder / "__init__.py").write_text("from . import share\n")
    (folder / "share.py").write_text(METRIC)
    return folder


@pytest.fixture
def arguments(tmp_path) -> list:
    data = make_data(tmp_path / "data")
    return ["--samples", write_samples(tmp_path / "samples.txt", SAMPLES), "--data", data]


def command(*arguments: object) -> Result:
    return run("fairseq-seqgan", *arguments, env={"PYTHONPATH": str(REPO)})


def refusal(result: Result) -> str:
    assert result.returncode == 2
    assert "Traceback" not in result.output
    return result.stderr.splitlines()[-1]


@pytest.mark.slow
def test_evaluate(own, arguments, tmp_path):
    """In the table and in the JSON, with its standard error and its signature."""
    options = [*arguments, "--user-dir", own, "--overwrite", "--json", tmp_path / "out.json"]
    printed = command("evaluate", *options).check().stdout
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["share_of_word"] == pytest.approx(1 / len(SAMPLES))
    assert found["share_of_word_stderr"] == pytest.approx(1 / len(SAMPLES))
    assert found["share_of_word_signature"] == "word:7"
    (line,) = (line for line in printed.splitlines() if line.startswith("share of one word"))
    heldout = f"{found['heldout_share_of_word']:.4f}"
    assert line.split()[4:] == ["(share)", "0.2000", "0.2000", heldout, "5", "samples"]
    assert found["share_sequences"] == len(SAMPLES)
    assert found["heldout_share_sequences"] == found["heldout_sequences"] != len(SAMPLES)

    zero = command("evaluate", *options, "--word", "0").check()
    assert "share of one word" in zero.stdout
    zeros = sum(row.count(0) for row in SAMPLES) / len(SAMPLES) / LENGTH
    assert json.loads((tmp_path / "out.json").read_text())["share_of_word"] == pytest.approx(zeros)
    assert refusal(command("evaluate", *options, "--word", "a b")).startswith("error: --word 'a b'")


@pytest.mark.slow
def test_report(own, tmp_path):
    """A column of the report with a note below the table, and of results.csv."""
    runs = tmp_path / "runs"
    shutil.copytree(make_runs.RUNS, runs)
    for path in runs.glob("*/metrics.json"):
        seed = int(path.parent.name[-1])
        made = {"share_of_word": 0.1 * seed, "share_of_word_signature": "word:7"}
        path.write_text(json.dumps(json.loads(path.read_text()) | made))
    command("report", runs, "--user-dir", own, "--output", tmp_path / "out").check()
    text = (tmp_path / "out" / "report.md").read_text()
    head, _, *lines = (line for line in text.splitlines() if line.startswith("|"))
    assert head.split("|")[-2].strip() == "share of one word"
    seqgan = next(line for line in lines if line.startswith("| SeqGAN"))
    assert seqgan.split("|")[-2].strip() == "0.200 ± 0.100"
    assert "\n\nShare of one word: mean over the samples of" in text
    assert "share; neither lower nor higher is better" in text
    assert "\n\nShare of one word: `word:7`.\n" in text
    table = pd.read_csv(tmp_path / "out" / "results.csv")
    assert table[table.seed == 3].share_of_word.unique() == pytest.approx([0.3])

    command("report", runs, "--output", tmp_path / "without").check()
    assert "share of one word" not in (tmp_path / "without" / "report.md").read_text()


@pytest.mark.slow
def test_a_folder_that_cannot_be_imported(own, arguments):
    """One line that names the folder, and the file and line of the mistake."""
    missing = refusal(command("evaluate", *arguments, "--user-dir", own / "nowhere"))
    assert missing == f"error: --user-dir {own / 'nowhere'}: no such folder"
    (own / "share.py").write_text("x = 1\nx.register()\n")
    message = refusal(command("evaluate", *arguments, "--user-dir", own))
    assert f"--user-dir {own}: the import fails in {own / 'share.py'}, line 2" in message
    assert "AttributeError" in message


def test_a_mistake_in_the_spelling_of_a_metric(own):
    """Its line, not one of Python's import; in this process, where nothing is registered then."""
    (own / "share.py").write_text("x = 1\nx = = 2\n")
    with pytest.raises(InputError, match=rf"fails in {own / 'share.py'}, line 2 \(SyntaxError"):
        user_module.import_from(["--user-dir", str(own)])


@pytest.mark.slow
def test_run_folder(own, data, played, tmp_path):
    """The metric is in the folder that ``report`` reads."""
    write_samples(tmp_path / "samples.txt", [[1, 2, 3, 4, 5, 6, 7, 8]] * 3)
    options = ["--samples", tmp_path / "samples.txt", "--num-eval-samples", 10, "--user-dir", own]
    command("run-folder", played.last, *options, "--dest", tmp_path / "run").check()
    found = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert found["share_of_word"] == pytest.approx(1 / 8)
