"""The report's comparison at equal held-out NLL."""

import json
import shutil
from pathlib import Path

import pytest
from helpers import make_runs
from scipy import stats

from fairseq_seqgan.cli import main
from fairseq_seqgan.metrics.significance import paired
from fairseq_seqgan.reporting.matched_nll import at
from fairseq_seqgan.support.errors import InputError

START = (7.7, 9.05)  # of the stored runs: held-out NLL and NLL_oracle, as MLE's log ends


def comparisons(runs: Path, output: Path) -> dict[str, dict]:
    assert main(["report", str(runs), "--output", str(output)]) == 0
    found = json.loads((output / "report.json").read_text()).get("equal_heldout_nll", [])
    return {each["against"]: each for each in found}


def validations(folder: str) -> list[tuple[float, float]]:
    """Return (held-out NLL, NLL_oracle) of every validation in the log of a stored run."""
    lines = (make_runs.RUNS / folder / "train.log").read_text().splitlines()
    logged = [json.loads(line.split(" | ")[-1]) for line in lines if "| valid |" in line]
    return [(float(each["valid_nll"]), float(each["valid_nll_oracle"])) for each in logged]


@pytest.mark.parametrize(
    ("level", "expected"), [(1.0, 9.0), (1.5, 8.5), (2.0, 8.0), (2.5, 7.0), (3.0, 6.0)]
)
def test_between_validations_it_is_linear(level, expected):
    path = [(1.0, 9.0), (2.0, 8.0), (1.8, 7.0), (2.0, 8.0), (3.0, 6.0)]
    assert at(path, level) == pytest.approx(expected)


def test_where_the_path_first_gets_there_counts():
    assert at([(1.0, 9.0), (2.0, 8.0), (1.0, 5.0), (2.0, 4.0)], 1.5) == pytest.approx(8.5)


def test_against_a_control_by_hand(tmp_path):
    """SeqGAN's held-out NLL ends at 7.80, the control's at 7.84: they are compared at 7.80."""
    found = comparisons(make_runs.RUNS, tmp_path / "out")["constant_reward"]
    assert found["seeds"] == [1, 2]  # the control's third run is incomplete
    for seed, price, difference in zip(
        found["seeds"], found["nll_above_start"], found["nll_oracle_difference"], strict=True
    ):
        start = validations(f"mle-seed{seed}")[-1]
        ours = validations(f"seqgan-seed{seed}")[-1]
        theirs = validations(f"constant_reward-seed{seed}")
        after = next(i for i, (nll, _) in enumerate(theirs) if nll >= ours[0])
        (low, value), (high, next_value) = theirs[after - 1], theirs[after]
        level = value + (next_value - value) * (ours[0] - low) / (high - low)
        assert price == pytest.approx(ours[0] - start[0])
        assert difference == pytest.approx(ours[1] - level)
    expected = stats.ttest_rel(found["nll_oracle_difference"], [0.0, 0.0])
    assert found["paired_over_seeds"]["t"] == pytest.approx(expected.statistic)
    assert found["paired_over_seeds"]["p"] == pytest.approx(expected.pvalue)


def test_against_its_own_control(tmp_path):
    """Whatever the report's reference is, and with the numbers that the reference would have."""
    shutil.copytree(make_runs.RUNS, tmp_path / "runs")
    expected = comparisons(tmp_path / "runs", tmp_path / "without")["constant_reward"]
    written = (tmp_path / "without" / "report.md").read_text()
    assert "its own control" not in written
    for path in (tmp_path / "runs").glob("seqgan-seed*/run.json"):
        about = json.loads(path.read_text())
        path.write_text(json.dumps(about | {"control": "constant_reward"}))
    arguments = ["report", str(tmp_path / "runs"), "--output", str(tmp_path / "with")]
    assert main([*arguments, "--against", "mle_continued"]) == 0
    (found,) = json.loads((tmp_path / "with" / "report.json").read_text())["against_own_control"]
    assert found.pop("d_auc_heldout_before_and_after") == []  # the stored logs have none
    assert found == {"system": "seqgan", **expected}
    section = (tmp_path / "with" / "report.md").read_text().split("own control\n")[1]
    line = next(line for line in section.splitlines() if line.startswith("| SeqGAN"))
    assert [cell.strip() for cell in line.split("|")][2:4] == ["constant reward", "2"]


def rewrite(log: Path, change) -> None:
    """Let *change* edit the validations in *log*, a list of dictionaries."""
    lines = log.read_text().splitlines()
    where = [i for i, line in enumerate(lines) if "| valid |" in line]
    records = [json.loads(lines[i].split(" | ")[-1]) for i in where]
    change(records)
    for i, record in zip(where, records, strict=True):
        lines[i] = " | ".join([*lines[i].split(" | ")[:-1], json.dumps(record)])
    log.write_text("\n".join(lines) + "\n")


def test_a_training_that_pays_nothing_is_taken_as_it_ended(tmp_path):
    """Against what the other one has for nothing: its start."""
    shutil.copytree(make_runs.RUNS, tmp_path / "runs")
    start = validations("mle-seed1")[-1]

    def fall(records):
        for i, record in enumerate(records):
            record["valid_nll"] = str(start[0] - 0.01 * i)
            record["valid_nll_oracle"] = str(start[1] - 0.02 * i)
        fall.end = start[1] - 0.02 * (len(records) - 1)

    rewrite(tmp_path / "runs" / "seqgan-seed1" / "train.log", fall)
    found = comparisons(tmp_path / "runs", tmp_path / "out")["constant_reward"]
    assert found["seeds"] == [1, 2]
    assert found["nll_above_start"][0] == pytest.approx(0, abs=1e-9)
    assert found["nll_oracle_difference"][0] == pytest.approx(fall.end - start[1])


def test_d_before_and_after_the_game(tmp_path):
    """The last validation of its pre-training, and the last of all."""
    shutil.copytree(make_runs.RUNS, tmp_path / "runs")

    def add_aucs(records):
        for i, record in enumerate(records):
            record["valid_d_auc_heldout"] = str(0.5 + 0.01 * i)

    for path in (tmp_path / "runs").glob("seqgan-seed*/run.json"):
        about = json.loads(path.read_text())
        path.write_text(json.dumps(about | {"control": "constant_reward"}))
        rewrite(path.with_name("train.log"), add_aucs)
    assert main(["report", str(tmp_path / "runs"), "--output", str(tmp_path / "out")]) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    (found,) = report["against_own_control"]
    last = 0.5 + 0.01 * (make_runs.PRETRAIN + make_runs.ROUNDS - 1)
    before = 0.5 + 0.01 * (make_runs.PRETRAIN - 1)
    for pair in found["d_auc_heldout_before_and_after"]:
        assert pair == pytest.approx([before, last])
    text = (tmp_path / "out" / "report.md").read_text().split("own control\n")[1]
    assert f"{before:.3f} ± 0.000 | " in text and f"{last:.3f} ± 0.000 |" in text


def test_against_temperatures_on_test_data(tmp_path):
    """The reference's last row against the line from MLE's through its lower temperatures."""
    found = comparisons(make_runs.RUNS, tmp_path / "out")["mle_temperatures"]
    assert found["seeds"] == [1, 2, 3]
    for seed, difference in zip(found["seeds"], found["nll_oracle_difference"], strict=True):
        rows = [
            json.loads((make_runs.RUNS / f"{name}-seed{seed}" / "metrics.json").read_text())
            for name in ("mle", "mle-t0.8", "seqgan")
        ]
        (nll, value), (cool, cool_value), (ours, our_value) = (
            (row["nll"], row["nll_oracle"]) for row in rows
        )
        share = (ours - nll) / (cool - nll)
        assert 0 < share < 1
        assert difference == pytest.approx(our_value - value - share * (cool_value - value))


def test_one_seed_has_no_test(tmp_path):
    for path in make_runs.RUNS.glob("*seed1"):
        shutil.copytree(path, tmp_path / "runs" / path.name)
    found = comparisons(tmp_path / "runs", tmp_path / "out")
    assert found["constant_reward"]["paired_over_seeds"] is None
    text = (tmp_path / "out" / "report.md").read_text()
    line = next(
        line for line in text.split("equal held-out NLL")[1].splitlines() if "const" in line
    )
    assert line.count("–") == 2 and "±" not in line


def test_without_logs_there_is_no_comparison_of_trainings(tmp_path):
    shutil.copytree(make_runs.RUNS, tmp_path / "runs")
    for path in (tmp_path / "runs").glob("seqgan*/train.log"):
        path.unlink()
    assert set(comparisons(tmp_path / "runs", tmp_path / "out")) == {"mle_temperatures"}


def test_paired_is_scipys():
    values = [0.1, -0.2, 0.4, 0.3]
    expected = stats.ttest_rel(values, [0.0] * 4)
    assert paired(values) == pytest.approx((expected.statistic, 3, expected.pvalue))
    assert paired([0.1]) is None and paired([0.2, 0.2]) is None
    with pytest.raises(InputError, match="finite"):
        paired([0.1, float("nan")])
