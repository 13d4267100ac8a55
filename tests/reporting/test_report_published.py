"""Published run folders: they keep their metrics and validations, and no scores of samples."""

import json

import pytest
from helpers.reports import change, refused, report

NUMBERS = {"score": "nll_oracle", "samples": 40}


@pytest.fixture
def published(folder):
    """Return the stored run folders, seed 1 of which is as it is published."""
    for path in folder.glob("*-seed1"):
        (path / "scores.npz").unlink()
        change(path / "run.json", published=NUMBERS)
    return folder


def test_its_row_is_that_of_the_whole_folder(tmp_path, folder):
    whole = report(tmp_path / "whole", folder)
    for path in folder.glob("*-seed1"):
        (path / "scores.npz").unlink()
        change(path / "run.json", published=NUMBERS)
    found = report(tmp_path / "out", folder)
    assert found["rows"] == [row | {"welch_over_samples": None} for row in whole["rows"]]
    assert found | {"rows": None} == whole | {"rows": None}
    words = "The scores of single samples are not published"
    assert words in (tmp_path / "out" / "report.md").read_text()
    assert words not in (tmp_path / "whole" / "report.md").read_text()


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({"samples": 40}, "published: score is None"),
        (NUMBERS | {"score": "bleu2_sentence"}, "published: score is 'bleu2_sentence'"),
        (NUMBERS | {"samples": 0}, "published: samples is 0"),
        (NUMBERS | {"samples": True}, "published: samples is True"),
        (NUMBERS | {"samples": 80}, "seeds of one system with 80 and 40 samples"),
    ],
)
def test_refuses_what_it_says(tmp_path, published, numbers, words):
    change(published / "mle-seed1" / "run.json", published=numbers)
    assert words in refused(tmp_path / "out", published)


def test_refuses_a_score_that_is_not_in_its_metrics(tmp_path, published):
    path = published / "mle-seed1" / "metrics.json"
    metrics = json.loads(path.read_text())
    del metrics["nll_oracle"]
    path.write_text(json.dumps(metrics))
    assert "does not say nll_oracle" in refused(tmp_path / "out", published)


def test_refuses_to_choose_among_scores_that_are_not_there(tmp_path, published):
    assert "--num-samples cannot" in refused(tmp_path / "out", published, "--num-samples", 10)
