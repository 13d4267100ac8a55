"""examples/poem, obama and nottingham with tiny recipes and made-up raw data, every step run."""

import json
import re
from pathlib import Path

import mido
import pytest
from helpers.run_sh import finish, kill_at, write
from helpers.tiny_real import EPOCHS, SAMPLES, SHOWN, poems, speeches, start, tiny, tunes


def metrics(dest: Path, run: str) -> dict:
    return json.loads((dest / "runs" / run / "metrics.json").read_text())


def check(task: str, dest: Path, runs: list[str]) -> dict[str, dict]:
    """Check what every task leaves; return the metrics of every run."""
    found = {run: metrics(dest, run) for run in runs}
    assert sorted(path.name for path in (dest / "runs").iterdir()) == sorted(runs)
    about = [json.loads((dest / "runs" / run / "run.json").read_text()) for run in runs]
    steps = json.loads((dest / "experiment.json").read_text())["seconds"]
    # Each training is counted once, also where only its best checkpoint has a row.
    counted = sum(
        took for step, took in steps.items() if re.match("train-|samples-|metrics-", step)
    )
    assert sum(each["wall_seconds"] for each in about) == pytest.approx(
        counted, abs=0.1 * len(runs)
    )
    for run, values in found.items():
        about = json.loads((dest / "runs" / run / "run.json").read_text())
        assert about["finished"] is True
        # The folder that the test is in may lie below the checkout.
        assert not [line for line in about["commands"] if str(dest) in line]
        assert "DEST/data" in about["commands"][0] and "SOURCE" in about["commands"][0]
        for order in (2, 3, 4):
            assert 0 <= values[f"bleu{order}_corpus"] <= 1, run
        samples = dest / "runs" / run / "samples.txt"
        assert samples.exists() == (not run.startswith("real"))
        if samples.exists():
            assert len(samples.read_text(encoding="utf-8").splitlines()) == SAMPLES
    table = (dest / "report" / "table.md").read_text(encoding="utf-8")
    assert f"{found['real-seed1']['bleu2_corpus']:.3f}" in table or task != "poem"
    assert (dest / "report" / "report.md").exists()
    page = (dest / "turing" / "test.html").read_text(encoding="utf-8")
    assert "SeqGAN" not in page
    key = json.loads((dest / "turing" / "test.key.json").read_text())
    assert "SeqGAN" in json.dumps(key)
    return found


# --- the whole way


@pytest.fixture(scope="module")
def poem(tmp_path_factory) -> tuple[Path, Path, Path, list[str], str]:
    """Recipe, source, folder and outputs of an experiment that was killed in a training."""
    folder = tmp_path_factory.mktemp("poem")
    recipe = tiny("poem", ["real", "mle", "seqgan"])
    path, source, dest = write(folder / "tiny.yaml", recipe), poems(folder), folder / "out"
    first = kill_at(start("poem", path, "--dest", dest, SOURCE=str(source)), "epoch 2 ")
    second = finish(start("poem", path, "--dest", dest, "--source", source))
    return path, source, dest, first, second


@pytest.mark.slow
def test_poems_interrupted_and_resumed(poem):
    _, _, dest, first, second = poem
    assert "== data\n" in "".join(first)
    for done in ("== data: done before", "evaluating: real (valid split), seed 1: done before"):
        assert done in second
    assert "epoch 1 " not in second and f"epoch {EPOCHS} " in second
    told = re.findall(r"^   (\d+) of (\d+) steps done$", second, re.MULTILINE)
    assert told[0] == ("3", "8") and told[-1] == ("8", "8")  # a training and two pairs were left
    found = check("poem", dest, ["real-seed1", "mle-best-seed1", "seqgan-seed1"])
    assert "entropy" in found["seqgan-seed1"]
    assert "nll" not in found["real-seed1"]


@pytest.mark.slow
def test_poems_are_shown_as_four_lines_side_by_side(poem):
    _, _, dest, _, _ = poem
    lines = (dest / "report" / "samples.md").read_text(encoding="utf-8").splitlines()
    rows = [line.strip("|").split("|") for line in lines if line.startswith("|")]
    assert [cell.strip() for cell in rows[0]] == ["real", "MLE", "SeqGAN"]
    assert len(rows) == 2 + SHOWN
    test = (dest / "data" / "test.txt").read_text(encoding="utf-8").replace(" ", "")
    for row in rows[2:]:
        for cell in row:
            assert [len(line) for line in cell.strip().split("<br>")] == [6, 6, 6, 6]
        real = "".join(c for c in row[0].replace("<br>", "") if c not in "，。 ")
        assert real in test.split("\n")


@pytest.mark.slow
def test_the_papers_table_2_beside_ours(poem):
    _, _, dest, _, _ = poem
    table = (dest / "report" / "table.md").read_text(encoding="utf-8")
    lines = [line for line in table.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    column = cells[0].index("**the paper's BLEU-2**")
    paper = {row[0]: row[column] for row in cells[2:]}
    assert paper == {
        "real (valid split)": "**0.746**",
        "MLE": "**0.667**",
        "SeqGAN": "**0.7389**",
    }
    found = metrics(dest, "seqgan-seed1")
    ours = {row[0]: row[column + 1 : column + 3] for row in cells[2:]}
    wanted = [f"{found[f'bleu2_{kind}']:.3f}" for kind in ("corpus", "sentence")]
    assert ours["SeqGAN"] == wanted
    assert "Nearest to the paper's BLEU-2 of 0.746 for real (valid split)" in table


@pytest.mark.slow
def test_again_it_does_nothing_again_and_publishes(poem, tmp_path):
    """The same data elsewhere are the same experiment."""
    recipe, source, dest, _, _ = poem
    (tmp_path / "moved").write_bytes(source.read_bytes())
    made = {p: p.stat().st_mtime_ns for p in dest.glob("[drt][aru]*/*/*")}
    made |= {p: p.stat().st_mtime_ns for p in (dest / "data").iterdir()}
    options = ["--source", tmp_path / "moved", "--publish", tmp_path / "results"]
    printed = finish(start("poem", recipe, "--dest", dest, *options))
    assert printed.count("\n$ ") == 1  # the report
    assert {p: p.stat().st_mtime_ns for p in made} == made
    published = {str(p.relative_to(tmp_path / "results")) for p in tmp_path.rglob("*.*")}
    assert {"report.md", "table.md", "samples.md", "recipe.yaml"} <= published
    assert "runs/seqgan-seed1/run.json" in published
    assert not [name for name in published if name.endswith((".pt", ".html", ".key.json"))]
    # What is shown of real data is for the user's eyes; it is not ours to publish.
    assert "samples/mle.txt" in published and "samples/real.txt" not in published
    shown = (tmp_path / "results" / "samples.md").read_text(encoding="utf-8").splitlines()
    header = next(line for line in shown if line.startswith("|"))
    assert [cell.strip() for cell in header.strip("|").split("|")] == ["MLE", "SeqGAN"]
    assert "real" not in "".join(shown)
    assert (dest / "report" / "samples" / "real.txt").is_file()


@pytest.mark.slow
def test_speeches(tmp_path):
    recipe = tiny("obama", ["real", "mle", "seqgan"])
    recipe["systems"]["mle"]["checkpoints"] = ["last", "best"]
    path, dest = write(tmp_path / "tiny.yaml", recipe), tmp_path / "out"
    finish(start("obama", path, "--dest", dest, "--source", speeches(tmp_path)))
    check("obama", dest, ["real-seed1", "mle-seed1", "mle-best-seed1", "seqgan-seed1"])
    log = (dest / "runs" / "mle-seed1" / "train.log").read_text()
    assert log.count(" | valid | {") == EPOCHS
    table = (dest / "report" / "table.md").read_text(encoding="utf-8")
    assert "the paper's BLEU-3" in table and "**0.427**" in table
    assert "not paragraphs" in table


@pytest.mark.slow
def test_tunes(tmp_path):
    recipe = tiny("nottingham", ["real", "mle", "seqgan"])
    recipe, dest = write(tmp_path / "tiny.yaml", recipe), tmp_path / "out"
    options = ["--source", tunes(tmp_path), "--publish", tmp_path / "results", "--publish-page"]
    finish(start("nottingham", recipe, "--dest", dest, *options))
    assert (tmp_path / "results" / "tunes" / "mle" / "tune-0001.mid").is_file()
    assert not (tmp_path / "results" / "tunes" / "real").exists()
    for name in ("test.html", "test.key.json"):
        page = (dest / "turing" / name).read_bytes()
        assert (tmp_path / "results" / "turing" / name).read_bytes() == page
    found = check("nottingham", dest, ["real-seed1", "mle-best-seed1", "seqgan-seed1"])
    assert {"mse_nearest", "mse_mean"} <= set(found["real-seed1"])
    assert "mse_one_step" in found["seqgan-seed1"]
    assert {"d_gain", "d_gain_stderr", "d_gain_per_token"} <= set(found["seqgan-seed1"])
    assert "d_gain" not in found["mle-best-seed1"]
    shown = (dest / "report" / "samples.md").read_text(encoding="utf-8")
    for name in ("real", "mle", "seqgan"):
        for number in range(1, SHOWN + 1):
            place = f"tunes/{name}/tune-{number:04d}"
            assert f"{place}.png" in shown and f"{place}.mid" in shown
            assert mido.MidiFile(dest / "report" / f"{place}.mid").length > 1
            assert (dest / "report" / f"{place}.png").stat().st_size > 1000
