"""``fairseq-seqgan report`` on stored run folders: the golden report, and what is in it."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers import make_runs
from helpers.commands import REPO, run
from helpers.reports import change, refused, report
from markdown_it import MarkdownIt

from fairseq_seqgan.cli import main
from fairseq_seqgan.reporting import (
    aggregate,
    learning_curves,
    runs,
)
from fairseq_seqgan.support.errors import InputError

DATA = Path(__file__).parent / "data"
GOLDEN = DATA / "report"
PNG = b"\x89PNG\r\n"


def find(found: dict, system: str, selection: str = "last", temperature: float = 1.0) -> dict:
    key = (system, selection, temperature)
    return next(r for r in found["rows"] if (r["system"], r["selection"], r["temperature"]) == key)


def test_golden(tmp_path):
    """The command as a user runs it; the stored report was read by hand."""
    arguments = ["report", make_runs.RUNS, "--output", tmp_path / "out"]
    result = run("fairseq-seqgan", *arguments, env={"PYTHONPATH": str(REPO)}).check()
    for name in ("report.md", "report.json"):
        assert (tmp_path / "out" / name).read_text() == (GOLDEN / name).read_text(), name
    for name in ("learning_curves.png", "frontier.png"):
        assert (tmp_path / "out" / name).read_bytes().startswith(PNG)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "frontier.png",
        "learning_curves.png",
        "report.json",
        "report.md",
        "results.csv",
    ]
    assert "incomplete, and in no number: constant_reward-seed3" in result.stdout
    assert "scheduled_sampling-seed2/train.log" in result.stdout
    assert result.stderr == ""


def test_a_file_that_is_there_stays(tmp_path):
    """Without --overwrite nothing is replaced, and nothing is written beside it."""
    (tmp_path / "report.md").write_text("all my work")
    with pytest.raises(InputError, match=r"--output .*report\.md: exists; give --overwrite"):
        main(["report", str(make_runs.RUNS), "--output", str(tmp_path)])
    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]
    assert (tmp_path / "report.md").read_text() == "all my work"
    main(["report", str(make_runs.RUNS), "--output", str(tmp_path), "--overwrite"])
    assert (tmp_path / "report.md").read_text() == (GOLDEN / "report.md").read_text()


def test_a_label_has_no_effect_in_the_report(tmp_path, folder):
    """A heading, a script and a pipe in a label; a signature that is no text."""
    label = "SeqGAN\n\n# heading <script>alert(1)</script> | ![](http://a/b.png)"
    for path in folder.glob("seqgan-seed*/run.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"label": label}))
    report(tmp_path / "out", folder)
    text = (tmp_path / "out" / "report.md").read_text()
    tokens = MarkdownIt("gfm-like", {"html": True, "linkify": False}).parse(text)
    tokens += [child for token in tokens for child in token.children or ()]
    kinds = {token.type for token in tokens}
    assert not kinds & {"html_block", "html_inline", "image", "link_open"}
    assert [token.tag for token in tokens if token.type == "heading_open"].count("h1") == 1
    shown = label.replace("\n", "\\n")
    cells = [tokens[i + 1].children for i, token in enumerate(tokens) if token.type == "td_open"]
    assert shown in ["".join(child.content for child in cell or ()) for cell in cells]


@pytest.mark.parametrize("value", [[], {}, 5, True])
def test_a_signature_is_a_text(tmp_path, folder, value):
    path = folder / "seqgan-seed1" / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"self_bleu_signature": value}))
    assert f"self_bleu_signature is {value!r}, not a text" in refused(tmp_path / "out", folder)


def test_same_input_same_bytes(tmp_path, folder):
    """Another place, another order of arguments: the same four files."""
    report(tmp_path / "a", make_runs.RUNS)
    report(tmp_path / "b", *sorted(folder.iterdir(), reverse=True))
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_stored_runs_are_what_the_script_makes(tmp_path):
    make_runs.main(tmp_path / "runs")
    made = {p.relative_to(tmp_path / "runs"): p for p in (tmp_path / "runs").rglob("*.*")}
    stored = {p.relative_to(make_runs.RUNS): p for p in make_runs.RUNS.rglob("*.*")}
    assert made.keys() == stored.keys()
    for name, path in made.items():
        if path.is_file() and path.suffix != ".npz":  # bytes of .npz are numpy's business
            assert path.read_text() == stored[name].read_text(), name


def test_a_dead_run_is_in_no_number(tmp_path, folder):
    found = report(tmp_path / "out", folder)
    assert find(found, "constant_reward")["seeds"] == [1, 2]
    assert [entry["run"] for entry in found["incomplete"]] == ["constant_reward-seed3"]
    shutil.rmtree(folder / "constant_reward-seed3")
    without = report(tmp_path / "without", folder)
    assert without["rows"] == found["rows"]


@pytest.mark.parametrize("name", ["run.json", "metrics.json", "scores.npz"])
def test_a_run_without_a_file_is_incomplete(tmp_path, folder, name):
    (folder / "seqgan-seed2" / name).unlink()
    found = report(tmp_path / "out", folder)
    assert {"run": "seqgan-seed2", "reason": f"there is no {name}"} in found["incomplete"]
    assert find(found, "seqgan")["seeds"] == [1, 3]
    text = (tmp_path / "out" / "report.md").read_text()
    assert f"- incomplete, and in no number above: `seqgan-seed2` (there is no {name})" in text


def test_one_seed_has_no_deviation_and_no_test_over_seeds(tmp_path, folder):
    found = report(tmp_path / "out", *folder.glob("*-seed1"))
    for row in found["rows"]:
        assert row["nll_oracle"]["sd"] is None
        assert row["welch_over_seeds"] is None
        assert (row["welch_over_samples"] is None) == (row["system"] == "seqgan")
    text = (tmp_path / "out" / "report.md").read_text()
    assert (
        "**There is only one seed**, so neither a standard deviation nor a t-test over seeds"
        in text
    )
    assert "±" not in text


def test_missing_log(tmp_path, folder):
    """The training is in the table, and its curve is that of the other seeds."""
    found = report(tmp_path / "out", folder)
    assert found["missing_logs"] == ["scheduled_sampling-seed2/train.log"]
    assert find(found, "scheduled_sampling")["seeds"] == [1, 2, 3]
    table = aggregate.make_rows(runs.collect([folder]), "seqgan")
    curves = {c.name: c for c in learning_curves.make_curves(table, "updates").pretraining}
    two = [runs.validations(folder / f"scheduled_sampling-seed{s}" / "train.log") for s in (1, 3)]
    means = [np.mean([r["nll_oracle"] for r in pair]) for pair in zip(*two, strict=True)]
    assert curves["scheduled_sampling"].mean["nll_oracle"] == pytest.approx(means)


def test_num_samples(tmp_path, folder):
    """The first N scores count, and only for NLL_oracle."""
    found, whole = (
        report(tmp_path / n, folder, *a) for n, a in (("a", ["--num-samples", 10]), ("b", []))
    )
    row, all_of_it = find(found, "mle"), find(whole, "mle")
    assert row["samples"] == 10
    with np.load(folder / "mle-seed2" / "scores.npz") as file:
        expected = file["nll_oracle"][:10].mean()
    assert row["nll_oracle"]["values"][1] == pytest.approx(expected, rel=1e-9)
    assert row["self_bleu"] == all_of_it["self_bleu"]


def test_the_oracle_is_its_own_model(tmp_path, folder):
    oracle = find(report(tmp_path / "out", folder), "oracle")
    assert oracle["nll"]["mean"] == make_runs.ENTROPY  # the oracle's NLL of held-out data
    assert oracle["entropy"] == oracle["nll_oracle"]


def test_the_papers_numbers_stand_beside_the_authors_oracle_only(tmp_path, folder):
    assert "the paper's NLL" not in (GOLDEN / "report.md").read_text()
    for path in folder.glob("*/run.json"):
        change(path, oracle=aggregate.AUTHORS_ORACLE)
    found = report(tmp_path / "out", folder)
    stated = {
        (r["system"], r["selection"], r["temperature"]): r["paper_nll_oracle"]
        for r in found["rows"]
        if r["paper_nll_oracle"]
    }
    last = {name: stated[name, "last", 1.0] for name in ("mle", "seqgan", "random_unigram")}
    assert last == {"mle": 9.038, "seqgan": 8.736, "random_unigram": 10.310}
    assert len(stated) == 4  # and scheduled sampling: nothing tempered, nothing selected
    text = (tmp_path / "out" / "report.md").read_text()
    assert "the paper's NLL_oracle" in text and " oracle (the authors' oracle) with" in text


def test_the_authors_oracle_is_known(tmp_path, authors_npz):
    """Its sha256 is that of the file that preprocess/oracle.py makes of the authors' one."""
    import hashlib

    from fairseq_seqgan.oracle.lstm import Oracle

    Oracle.load(authors_npz).save(tmp_path / "oracle.npz")
    found = hashlib.sha256((tmp_path / "oracle.npz").read_bytes()).hexdigest()
    assert found == aggregate.AUTHORS_ORACLE


def test_without_the_system_to_test_against(tmp_path, folder):
    for path in folder.glob("seqgan-seed*"):
        shutil.rmtree(path)
    found = report(tmp_path / "out", folder)
    assert found["tested_against"] is None
    assert all(row["welch_over_samples"] is None for row in found["rows"])
    text = (tmp_path / "out" / "report.md").read_text()
    assert "no last-update run of `seqgan`" in text
    with pytest.raises(InputError, match=r"--against seqgan: no run is of that; there are .*mle"):
        report(tmp_path / "refused", folder, "--against", "seqgan")


def test_selected_rows_are_marked(tmp_path):
    lines = (GOLDEN / "report.md").read_text().splitlines()
    selected = [line for line in lines if re.match(r"\| MLE +\| baseline \| selected on val", line)]
    assert len(selected) == 1
    assert "SeqGAN" not in selected[0]


def test_without_logs_there_is_still_a_report(tmp_path, folder):
    for path in folder.glob("*/train.log"):
        path.unlink()
    found = report(tmp_path / "out", folder)
    assert len(found["missing_logs"]) == 12
    assert (tmp_path / "out" / "learning_curves.png").read_bytes().startswith(PNG)
