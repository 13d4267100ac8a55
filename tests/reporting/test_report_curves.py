"""The pictures of the report: learning curves, panels, and the frontier."""

import dataclasses
import json
import re
import shutil

import numpy as np
import pytest
from helpers import make_runs
from helpers.reports import change, report
from matplotlib.figure import Figure

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

PNG = b"\x89PNG\r\n"


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


def test_a_split_of_any_name_is_validated(tmp_path):
    """``--valid-subset dev,other``: the first counts, and no line of the training."""
    text = make_runs.log_lines(make_runs.curve(9.0, 7.7, "mle")[:3])
    dev = text.replace("valid", "dev")
    inner = dev.replace("dev", "train").replace('"train_nll": "', '"train_nll": "2')
    other = dev.replace("dev", "other").replace('"other_nll": "', '"other_nll": "1')
    mixed, expected = tmp_path / "mixed.log", tmp_path / "expected.log"
    lines = zip(*(part.splitlines() for part in (inner, dev, other)), strict=True)
    mixed.write_text("\n".join(line for three in lines for line in three))
    expected.write_text(text)
    assert len(training_log.validations(expected)) == 3
    assert training_log.validations(mixed) == training_log.validations(expected)


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


def test_neighbours_of_one_temperature_are_named_once(folder):
    """Names on top of each other cannot be read."""
    rows = aggregate.make_rows(runs.collect([folder]), "seqgan")
    (row,) = [row for row in rows if row.system.temperature == 0.8]
    shown, colour = frontier.plane(rows), {row.system.name: "black"}
    for far, names in ((False, ["T = 0.8"]), (True, ["T = 0.8", "T = 0.8"])):
        axis = Figure().subplots()
        x, y = row.metrics[shown.x].mean, row.metrics[shown.y].mean
        axis.set(xlim=(x - 1, x + 1), ylim=(y - 1, y + 1))
        moved = row.metrics[shown.x]._replace(mean=x + (0.9 if far else 0.01))
        other = dataclasses.replace(row, metrics={**row.metrics, shown.x: moved})
        frontier._temperatures(axis, [row, other], colour, shown)
        assert [text.get_text() for text in axis.texts] == names


@pytest.mark.parametrize(("temperature", "word"), [(0.9, "lower"), (1.1, "other")])
def test_a_line_says_which_temperatures_it_is_of(folder, temperature, word):
    for path in folder.glob("mle-t0.8-seed*/run.json"):
        change(path, temperature=temperature)
    rows = aggregate.make_rows(runs.collect([folder]), "seqgan")
    axis = Figure().subplots()
    frontier._sweeps(
        axis, rows, style.colours(row.system.name for row in rows), frontier.plane(rows)
    )
    assert f"MLE at {word} temperatures T" in axis.get_legend_handles_labels()[1]
