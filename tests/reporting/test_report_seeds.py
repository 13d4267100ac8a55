"""What the seeds of one system share, numbers that a log or a run may state, and DIR among RUNS."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers import make_runs
from helpers.reports import change, report
from scipy import stats

from fairseq_seqgan.reporting import training_log
from fairseq_seqgan.support.errors import InputError

SEQGAN = ("seqgan-seed1", "seqgan-seed2", "seqgan-seed3")


@pytest.mark.parametrize(
    ("name", "value", "before"),
    [
        ("label", "SeqGAN, lr 1", "SeqGAN"),
        ("kind", "control", "system"),
        ("control", "constant_reward", "None"),
    ],
)
def test_seeds_of_one_system_say_the_same_of_it(folder, tmp_path, name, value, before):
    change(folder / "seqgan-seed2" / "run.json", **{name: value})
    with pytest.raises(InputError) as error:
        report(tmp_path / "out", folder)
    assert str(error.value).endswith(
        f"{folder / 'seqgan-seed1'} and {folder / 'seqgan-seed2'}: seeds of one system with "
        f"different '{name}': {before} and {value}"
    )
    assert not (tmp_path / "out").exists()


def test_a_whole_number_is_a_number(folder, tmp_path):
    """JavaScript writes 6.0 as 6."""
    run = folder / "seqgan-seed1"
    change(run / "metrics.json", nll_oracle=6)
    make_runs.npz(run / "scores.npz", np.full(make_runs.SAMPLES, 6.0))
    rows = report(tmp_path / "out", folder)["rows"]
    own = next(row for row in rows if row["system"] == "seqgan")
    assert own["nll_oracle"]["values"][0] == 6.0


def test_true_is_no_number(folder, tmp_path):
    make_runs.npz(folder / "seqgan-seed1" / "scores.npz", np.ones(make_runs.SAMPLES))
    change(folder / "seqgan-seed1" / "metrics.json", nll_oracle=True)
    with pytest.raises(InputError, match="nll_oracle is no number but True"):
        report(tmp_path / "out", folder)


@pytest.mark.parametrize("value", ["1.7e308", "-1.1e100", "inf"])
def test_a_validation_whose_squares_are_not_finite_is_no_point(folder, tmp_path, value):
    for name in SEQGAN:
        log = folder / name / "train.log"
        log.write_text(re.sub(r'("valid_nll": )"[^"]*"', rf'\1"{value}"', log.read_text(), count=1))
        epochs = [record["epoch"] for record in training_log.validations(log)]
        assert epochs == list(range(2, make_runs.PRETRAIN + make_runs.ROUNDS + 1))
    report(tmp_path / "out", folder)


def with_aucs(folder: Path, pretrain: object) -> None:
    """Name SeqGAN's control, and let the logs tell D's AUC: that of the seed, in every epoch."""
    for seed, name in enumerate(SEQGAN, start=1):
        log, about = folder / name / "train.log", folder / name / "run.json"
        added = rf'\1"valid_d_auc_heldout": "0.{seed}", '
        log.write_text(re.sub(r"(\| valid \| \{)", added, log.read_text()))
        training = json.loads(about.read_text())["training"] | {"pretrain_d_steps": pretrain}
        change(about, control="constant_reward", training=training)


def test_d_is_shown_for_the_seeds_that_both_have(folder, tmp_path):
    with_aucs(folder, make_runs.PRETRAIN)
    (found,) = report(tmp_path / "out", folder)["against_own_control"]
    assert found["seeds"] == [1, 2]  # the control's third run is incomplete
    assert found["d_auc_heldout_before_and_after"] == [[0.1, 0.1], [0.2, 0.2]]


def test_a_training_without_pretraining_of_d(folder, tmp_path):
    """null says what a missing entry says."""
    with_aucs(folder, None)
    (found,) = report(tmp_path / "out", folder)["against_own_control"]
    assert found["d_auc_heldout_before_and_after"] == []


def test_pretraining_of_d_is_a_number_of_epochs(folder, tmp_path):
    with_aucs(folder, "2")
    with pytest.raises(InputError, match="pretrain_d_steps is '2', not a whole number from 0 on"):
        report(tmp_path / "out", folder)


def test_a_report_among_its_runs_is_none_of_them(folder):
    """Written again, it has the same bytes."""
    output = folder / "report"
    first = report(output, folder)
    text = (output / "report.md").read_bytes()
    assert report(output, folder, "--overwrite") == first
    assert (output / "report.md").read_bytes() == text
    assert [each["run"] for each in first["incomplete"]] == ["constant_reward-seed3"]


def test_each_seed_is_paired_with_the_same_seed_of_the_reference(folder, tmp_path):
    """The constant reward has no seed 3, MLE has all three."""
    found = report(tmp_path / "out", folder)
    values = {
        row["system"]: {
            name: dict(zip(row["seeds"], row[name]["values"], strict=True))
            for name in ("nll_oracle", "nll")
        }
        for row in found["rows"]
        if row["selection"] == "last" and row["temperature"] == 1.0 and "nll" in row
    }
    last = [
        pairs
        for pairs in found["paired_over_seeds"]
        if pairs["selection"] == "last" and pairs["temperature"] == 1.0
    ]
    seeds = {pairs["system"]: pairs["seeds"] for pairs in last}
    assert seeds == {
        "mle": [1, 2, 3],
        "scheduled_sampling": [1, 2, 3],
        "constant_reward": [1, 2],
    }
    for pairs in last:
        for name in ("nll_oracle", "nll"):
            own, theirs = (
                [values[system][name][seed] for seed in pairs["seeds"]]
                for system in (pairs["system"], "seqgan")
            )
            tested = stats.ttest_rel(own, theirs)
            assert pairs[name]["test"]["t"] == pytest.approx(tested.statistic)
            assert pairs[name]["test"]["p"] == pytest.approx(tested.pvalue)


def test_one_seed_is_no_pair(folder, tmp_path):
    for run in folder.iterdir():
        if not run.name.endswith("seed1"):
            shutil.rmtree(run)
    assert "paired_over_seeds" not in report(tmp_path / "out", folder)
    assert "Each seed against" not in (tmp_path / "out" / "report.md").read_text()
