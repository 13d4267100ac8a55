"""What examples/ makes of several seeds: which runs count, which are paired, and the intervals."""

import json

import pytest
import yaml
from helpers.examples import figure, table, teaching


def run(folder, name, seed, **metrics):
    """Make the run folder of the row *name*."""
    own = folder / f"{name}-seed{seed}"
    own.mkdir(parents=True)
    about = {"system": name, "label": name, "seed": seed, "finished": True, "selection": "last"}
    about |= {"position": ["mle", "guided", "student"].index(name), "temperature": 1.0}
    (own / "run.json").write_text(json.dumps(about))
    (own / "metrics.json").write_text(json.dumps(metrics))
    return own


def with_d(gain):
    return {"nll": 2.0, "nll_with_d": 1.9, "d_gain": gain, "d_gain_per_token": gain / 10}


def test_a_run_that_was_interrupted_before_it_began_does_not_count(tmp_path):
    run(tmp_path, "mle", 1, nll=2.0)
    (tmp_path / "real-seed2").mkdir()
    assert [row.seeds for row in table.read_rows(tmp_path)] == [[1]]


def test_a_run_folder_of_ones_own_comes_last(tmp_path):
    """It needs no position and no temperature, says docs/run-folders.md."""
    run(tmp_path, "mle", 1, nll=2.0)
    run(tmp_path, "guided", 1, nll=2.0)
    for name, system in (("a", "own"), ("b", "own"), ("c", "another")):
        about = {"system": system, "label": name, "finished": True, "selection": "last", "seed": 1}
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps(about))
        (tmp_path / name / "metrics.json").write_text("{}")
    rows = table.read_rows(tmp_path)
    systems = [(row.about["system"], len(row.seeds)) for row in rows]
    assert systems == [("mle", 1), ("guided", 1), ("another", 1), ("own", 2)]


def test_only_the_same_seeds_are_paired(tmp_path):
    """A student of seeds 1 and 3 has no share of what D is worth with seeds 1 and 2."""
    for seed in (1, 2):
        run(tmp_path, "mle", seed, nll=2.0)
        run(tmp_path, "guided", seed, **with_d(1.0))
    for seed in (1, 3):
        run(tmp_path, "student", seed, nll=1.95)
    rows = table.read_rows(tmp_path)
    assert "| student" not in teaching.markdown(rows)
    (tmp_path / "student-seed3" / "run.json").unlink()
    run(tmp_path, "student", 2, nll=1.95)
    assert "50.0" in teaching.markdown(table.read_rows(tmp_path))


def test_where_d_knows_nothing_there_is_no_share(tmp_path):
    run(tmp_path, "mle", 1, nll=2.0)
    run(tmp_path, "guided", 1, **with_d(0.0) | {"d_gain": -0.0, "d_gain_per_token": -0.0})
    run(tmp_path, "student", 1, nll=1.95)
    assert teaching.markdown(table.read_rows(tmp_path)) is None


def publish_gain(tmp_path, gain):
    """Write the published result of a preset; return its folder."""
    own = tmp_path / "v200-n10000"
    own.mkdir()
    guided = {"d_gain": {"values": [gain] * 4, "mean": gain, "sd": 0.06}}
    guided |= {
        "d_gain_stderr": {"values": [0.04] * 4},
        "nll": {"mean": 2.0},
        "d_auc": {"mean": 0.6},
    }
    rows = [{"system": "oracle", "nll": {"mean": 1.0}}, {"system": "guided", **guided}]
    (own / "report.json").write_text(json.dumps({"systems": rows, "rows": rows}))
    recipe = {"data": {"vocab-size": 200, "num-train": 10000, "length": 10}}
    (own / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    return own


@pytest.mark.parametrize(("gain", "words"), [(-0.5, "-5.00"), (0.05, "0 is inside")])
def test_the_interval_over_seeds(tmp_path, gain, words):
    """The seeds share the held-out sequences, so only the spread falls with their number."""
    publish_gain(tmp_path, gain)
    (point,) = figure.read(tmp_path)
    assert (point.oracle, point.words, point.sequences) == ("fresh", 200, 10_000)
    assert point.error == pytest.approx(0.05)  # sqrt(0.04² + (0.06 / sqrt 4)²)
    assert words in figure.table([point])


def test_the_authors_oracle_comes_last(tmp_path):
    """Its recipe leaves the number of sequences to the script that makes them."""
    own = publish_gain(tmp_path, 0.5)
    own.rename(tmp_path / "authors_oracle")
    recipe = {"data": {"vocab-size": 100, "length": 10}}
    (tmp_path / "authors_oracle" / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    publish_gain(tmp_path, 0.5)
    points = figure.read(tmp_path)
    assert [(p.oracle, p.words) for p in points] == [("fresh", 200), ("the authors'", 100)]
    assert points[1].sequences == 10_000
    labels = figure.draw(points).axes[0].get_legend_handles_labels()[1]
    assert labels == ["200 words", "100 words, the authors' oracle"]


def test_the_legend_is_inside_the_picture():
    point = figure.Point("fresh", 0, 10_000, 1, 10.0, 0.1, 0.01, 0.6)
    points = [point._replace(words=words) for words in (200, 1_000, 5_000)]
    picture = figure.draw([*points, points[-1]._replace(oracle="the authors'")])
    picture.canvas.draw()
    legend = picture.legends[0].get_window_extent()
    assert legend.x0 >= 0 and legend.x1 <= picture.bbox.width


@pytest.mark.parametrize("name", ["gain.png", "gain.md"])
def test_a_figure_that_is_there_stays(tmp_path, capsys, name):
    publish_gain(tmp_path, 0.5)
    (tmp_path / name).write_text("mine")
    assert figure.main([str(tmp_path)]) == 2
    expected = f"error: {tmp_path / name}: exists; nothing is overwritten, move it away\n"
    assert capsys.readouterr().err == expected
    assert (tmp_path / name).read_text() == "mine"
    (tmp_path / name).unlink()
    assert figure.main([str(tmp_path)]) == 0
    assert "# How much data D needs" in (tmp_path / "gain.md").read_text()


def test_one_folder_at_a_time(tmp_path, capsys):
    assert figure.main([str(tmp_path), str(tmp_path)]) == 2
    assert capsys.readouterr().err == "error: one folder is needed, or none\n"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("report.json", "{", "report.json, or recipe.yaml beside it: not a published result (JSON"),
        ("report.json", '{"rows": []}', "not a published result (StopIteration"),
        ("recipe.yaml", "data: [", "not a published result (Parser"),
        ("recipe.yaml", "data: 5", "not a published result (TypeError"),
        ("recipe.yaml", None, "recipe.yaml: No such file or directory"),
    ],
)
def test_a_broken_result_is_one_line(tmp_path, capsys, name, content, expected):
    path = publish_gain(tmp_path, 0.5) / name
    path.unlink() if content is None else path.write_text(content)
    assert figure.main([str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {path.parent}") and expected in error
    assert error.count("\n") == 1
