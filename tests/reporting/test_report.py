"""``fairseq-seqgan report`` on stored run folders: the golden report, and what is refused."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers import make_runs
from helpers.commands import REPO, run
from markdown_it import MarkdownIt
from matplotlib.figure import Figure

from fairseq_seqgan.cli import main
from fairseq_seqgan.reporting import (
    aggregate,
    curves,
    frontier,
    learning_curves,
    panels,
    runs,
    style,
    training_log,
)
from fairseq_seqgan.support.errors import InputError

DATA = Path(__file__).parent / "data"
GOLDEN = DATA / "report"
PNG = b"\x89PNG\r\n"


@pytest.fixture
def folder(tmp_path) -> Path:
    """A copy of the stored run folders, to break."""
    shutil.copytree(make_runs.RUNS, tmp_path / "runs")
    return tmp_path / "runs"


def report(output, *arguments) -> dict:
    """Run the command in this process; return ``report.json``."""
    assert main(["report", *map(str, arguments), "--output", str(output)]) == 0
    return json.loads((output / "report.json").read_text())


def refused(output, *arguments) -> str:
    """Return the error that the command ends with; nothing may have been written."""
    with pytest.raises(InputError) as error:
        main(["report", *map(str, arguments), "--output", str(output)])
    assert not output.exists()
    message = str(error.value)
    assert "\n" not in message
    return message


def change(path: Path, **values) -> None:
    """Change entries of a JSON file; None removes one."""
    content = json.loads(path.read_text()) | values
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))


def find(found: dict, system: str, selection: str = "last", temperature: float = 1.0) -> dict:
    key = (system, selection, temperature)
    return next(r for r in found["rows"] if (r["system"], r["selection"], r["temperature"]) == key)


# --- what it writes


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
    found = report(tmp_path / "out", folder, "--against", "nothing")
    assert found["tested_against"] is None
    assert all(row["welch_over_samples"] is None for row in found["rows"])
    text = (tmp_path / "out" / "report.md").read_text()
    assert "no last-update run of `nothing`" in text


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


# --- the learning curves


def curves_of(folder, axis):
    return learning_curves.make_curves(aggregate.make_rows(runs.collect([folder]), "seqgan"), axis)


def test_curves_over_updates_of_g():
    drawn = curves_of(make_runs.RUNS, "updates")
    assert [c.name for c in drawn.pretraining] == ["mle", "scheduled_sampling"]
    by_name = {c.name: c for c in drawn.fine_tuning}
    assert list(by_name) == ["seqgan", "constant_reward", "mle_continued"]
    assert by_name["mle_continued"].x.tolist() == [0, 5, 10, 15, 20]
    assert by_name["seqgan"].x.tolist() == [0, 5, 10, 15, 20]  # D's pre-training is left out
    assert drawn.ends == [6.0]
    mle = next(c for c in drawn.pretraining if c.name == "mle")
    assert by_name["seqgan"].mean["nll_oracle"][0] == mle.mean["nll_oracle"][-1]
    assert by_name["mle_continued"].sd is None
    assert (by_name["seqgan"].sd["nll_oracle"] > 0).all()


def test_every_system_has_a_colour_and_the_legend_fits():
    names = [f"system {i}" for i in range(20)]
    assert len(set(style.colours(names).values()) - set(style.colours([]).values())) == 20
    assert style.legend_columns(["MLE (selected on validation)"], 13) == 4
    assert style.legend_columns(["MLE", "x" * 47], 13) == 2
    assert style.legend_columns(["x" * 200], 7.5) == 1


def test_what_ends_below_the_oracle_leaves_the_others_room():
    """It says so, and the limits of NLL_oracle are those of the others."""
    found = curves_of(make_runs.RUNS, learning_curves.UPDATES)
    assert curves.collapsed(found, make_runs.ENTROPY) == curves.collapsed(found, None) == []
    ends = {c.name: c.mean["nll_oracle"][-1] for c in found.fine_tuning}
    seqgan = next(c for c in found.fine_tuning if c.name == "seqgan")
    below = curves.collapsed(found, ends["seqgan"] + 1e-6)
    assert [c.name for c in below] == [name for name, end in ends.items() if end <= ends["seqgan"]]
    seqgan.mean["nll_oracle"] -= 5
    axis = Figure().subplots()
    curves._limit(axis, found, "nll_oracle", curves.collapsed(found, make_runs.ENTROPY))
    assert axis.get_ylim()[0] > 8
    curves._limit(axis, found, "nll_oracle", [])
    assert axis.get_ylim()[0] < 4


def test_curves_over_rounds():
    drawn = curves_of(make_runs.RUNS, "rounds")
    assert all(c.x.tolist() == [0, 1, 2, 3, 4] for c in drawn.fine_tuning)


def test_panels_are_drawn_for_the_systems_alone(tmp_path, monkeypatch):
    """One column for each fine-tuned system, none for its controls or for MLE; on request only."""
    drawn = []
    monkeypatch.setattr(panels, "png", lambda picture: drawn.append(picture) or PNG)
    report(tmp_path / "without", make_runs.RUNS)
    assert not drawn
    assert not (tmp_path / "without" / "panels.png").exists()
    report(tmp_path / "out", make_runs.RUNS, "--panels", "--curve-axis", "rounds")
    assert (tmp_path / "out" / "panels.png").read_bytes() == PNG
    above, below = drawn[0].axes
    curve = next(c for c in curves_of(make_runs.RUNS, "rounds").fine_tuning if c.kind == "system")
    assert above.get_title() == curve.label
    assert below.get_xlabel() == "rounds"
    for axis, metric in ((above, "nll_oracle"), (below, "nll")):
        line, begin = axis.get_lines()
        assert list(line.get_ydata()) == list(curve.mean[metric])
        assert set(begin.get_ydata()) == {curve.mean[metric][0]}


def test_curves_begin_at_the_selected_checkpoint(folder):
    """The start is the best epoch, by what fairseq logs of it, if the run says so."""
    log = folder / "mle-seed1" / "train.log"
    text = log.read_text().replace('"valid_best_loss": "7.7"', '"valid_best_loss": "7.1"')
    log.write_text(text)  # so the sixth epoch is not the best any more
    about = folder / "seqgan-seed1" / "run.json"
    start = {"system": "mle", "selection": "best-on-validation"}
    change(about, training=json.loads(about.read_text())["training"] | {"start": start})
    drawn = curves_of(folder, "updates")
    assert drawn.ends == [5.0, 6.0]


def test_a_selected_checkpoint_may_hold_the_log(folder):
    """Where no run is of the last update, the curve is that of the selected one."""
    expected = curves_of(folder, "updates")
    for own in folder.glob("mle-best*"):
        shutil.rmtree(own)
    for own in folder.glob("mle-seed*"):
        change(own / "run.json", selection="best-on-validation")
    found = curves_of(folder, "updates")
    for side in ("pretraining", "fine_tuning"):
        pairs = zip(getattr(found, side), getattr(expected, side), strict=True)
        assert all(np.array_equal(a.mean["nll"], b.mean["nll"]) for a, b in pairs)


def test_a_lone_row_at_another_temperature_is_a_point(tmp_path, folder, monkeypatch):
    """A line needs two rows."""
    for own in folder.glob("mle-*"):
        if "t0.8" not in own.name:
            shutil.rmtree(own)
    drawn = []
    monkeypatch.setattr(frontier, "_point", lambda axis, row, *rest: drawn.append(row.label))
    report(tmp_path / "report", folder)
    label = json.loads(next(folder.glob("mle-t0.8*/run.json")).read_text())["label"]
    assert label in drawn


def test_a_validation_that_has_diverged_is_no_point(tmp_path):
    log = tmp_path / "train.log"
    lines = make_runs.log_lines(make_runs.curve(9.0, 7.7, "mle")[:3])
    log.write_text(re.sub(r'("valid_nll": )"[^"]*"', r'\1"nan"', lines, count=1))
    assert [r["epoch"] for r in training_log.validations(log)] == [2.0, 3.0]


def test_a_repeated_epoch_counts_once(tmp_path):
    records = make_runs.curve(9.0, 7.7, "mle")
    log = tmp_path / "train.log"
    log.write_text(
        make_runs.log_lines(records[:3])
        + '2026-11-21 10:00:00 | INFO | valid | {"epoch": 4, "valid_lo\n'
        + make_runs.log_lines(make_runs.curve(9.5, 7.7, "mle")[2:])
    )
    found = runs.validations(log)
    assert [r["epoch"] for r in found] == [1, 2, 3, 4, 5, 6]
    assert found[2]["nll_oracle"] == make_runs.curve(9.5, 7.7, "mle")[2]["nll_oracle"]


# --- what is refused


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [("oracle", "f" * 64, "oracle (sha256)"), ("vocab_size", 4999, "vocabulary")],
)
def test_refuses_runs_that_do_not_belong_together(tmp_path, folder, key, value, words):
    change(folder / "seqgan-seed2" / "run.json", **{key: value})
    message = refused(tmp_path / "out", folder)
    assert "seqgan-seed2" in message
    assert "constant_reward-seed1" in message  # the first one
    assert words in message
    assert str(value) in message


def test_refuses_the_same_seed_twice(tmp_path, folder):
    shutil.copytree(folder / "mle-seed1", folder / "mle-again")
    message = refused(tmp_path / "out", folder)
    assert "mle-again" in message and "mle-seed1" in message and "seed 1" in message


def test_refuses_different_numbers_of_samples(tmp_path, folder):
    path = folder / "mle-seed3" / "scores.npz"
    with np.load(path) as file:
        scores = file["nll_oracle"]
    np.savez(path, nll_oracle=np.repeat(scores, 2))
    message = refused(tmp_path / "out", folder)
    assert "mle-seed3" in message and "40 and 80 samples" in message
    assert report(tmp_path / "out", folder, "--num-samples", 40)


@pytest.mark.parametrize(
    ("path", "content", "words"),
    [
        ("mle-seed1/run.json", b"{", "not readable JSON"),
        ("mle-seed1/run.json", b"[]", "not a JSON object"),
        ("mle-seed1/run.json", b'{"format": 1}', "does not say 'system'"),
        ("mle-seed1/metrics.json", b"{", "not readable JSON"),
        ("mle-seed1/metrics.json", b'{"nll": NaN}', "nll is nan"),
        ("mle-seed1/metrics.json", b"{}", "is not the nll_oracle of metrics.json, None"),
        ("mle-seed1/scores.npz", b"PK\x03\x04", "not readable"),
        ("mle-seed1/scores.npz", b"\x80\x04K\x01.", "not readable"),  # a pickle
        ("mle-seed1/train.log", b"nothing", "logs no validation"),
    ],
)
def test_refuses_broken_files(tmp_path, folder, path, content, words):
    (folder / path).write_bytes(content)
    message = refused(tmp_path / "out", folder)
    assert words in message
    assert path in message or "mle-seed1" in message


class Trap:
    """An object that makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_scores_run_no_code(tmp_path, folder):
    trap = np.empty(1, dtype=object)
    trap[0] = Trap(tmp_path / "sprung")
    np.savez(folder / "mle-seed1" / "scores.npz", nll_oracle=trap)
    message = refused(tmp_path / "out", folder)
    assert "mle-seed1/scores.npz: not readable" in message
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"format": 2}, "format 2"),
        ({"kind": "winner"}, "kind is 'winner'"),
        ({"selection": "first"}, "selection is 'first'"),
        ({"seed": "1"}, "seed is '1'"),
        ({"seed": True}, "seed is True"),
        ({"training": {"phase": "nap"}}, "phase is 'nap'"),
        ({"training": {"phase": "fine-tuning", "g_steps": 0}}, "g_steps is 0"),
        ({"training": {"phase": "fine-tuning", "start": "mle"}}, "start is 'mle'"),
    ],
)
def test_refuses_a_malformed_run_json(tmp_path, folder, values, words):
    change(folder / "seqgan-seed1" / "run.json", **values)
    message = refused(tmp_path / "out", folder)
    assert words in message
    assert "seqgan-seed1/run.json" in message


def test_refuses_scores_of_other_samples(tmp_path, folder):
    shutil.copy(folder / "mle-seed1" / "scores.npz", folder / "seqgan-seed1" / "scores.npz")
    message = refused(tmp_path / "out", folder)
    assert "seqgan-seed1: the mean of scores.npz" in message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["{tmp}"], "none in it (run.json is missing)"),
        (["{runs}", "--num-samples", "0"], "--num-samples"),
        (["{runs}", "--num-samples", "41"], "40 samples, --num-samples asks for 41"),
        (["{runs}/constant_reward-seed3"], "there is no finished run"),
    ],
)
def test_refuses_arguments(tmp_path, arguments, words):
    (tmp_path / "empty").mkdir()
    places = {"tmp": tmp_path / "empty", "runs": make_runs.RUNS}
    message = refused(tmp_path / "out", *(a.format(**places) for a in arguments))
    assert words in message


def test_refuses_an_output_that_is_a_file(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(InputError, match="--output"):
        main(["report", str(make_runs.RUNS), "--output", str(tmp_path / "out")])
    assert (tmp_path / "out").read_text() == "mine"
