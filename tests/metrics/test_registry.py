"""The registry of metrics, and the page that is generated from it."""

import argparse

import pytest

from fairseq_seqgan.metrics import base
from fairseq_seqgan.metrics.base import METRICS, Direction, Metric, Score, register_metric
from fairseq_seqgan.reporting import columns, metrics_table

WAYS, KINDS = ("", "backward_"), ("corpus", "sentence")


@pytest.fixture
def registry(monkeypatch):
    """A copy of the registry, to change."""
    monkeypatch.setattr(base, "METRICS", dict(METRICS))
    return base.METRICS


class Length(Metric):
    """A metric that states only what it must."""

    title, unit, direction, formula = "length", "tokens", Direction.HIGHER, "mean number of tokens"

    def compute(self, inputs):
        return Score(2.0)


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("--oracle", "--model"):
        parser.add_argument(name)
    base.add_arguments(parser)
    return parser.parse_args(arguments)


def test_the_page_has_the_table_of_the_registry():
    page = metrics_table.PAGE.read_text(encoding="utf-8")
    assert metrics_table.with_table(page) == page, "run python -m " + metrics_table.__name__
    for name, cls in METRICS.items():
        assert cls.formula and cls.unit, name
        assert metrics_table.table().count(f"| `{name}` ") == 1
    changed = page.replace("`oracle_nll`    ", "`oracle`        ")
    assert changed != page
    assert metrics_table.with_table(changed) == page


def test_a_registered_metric_is_selected_found_and_in_the_table(registry):
    names = [metric.name for metric in base.select(options())]
    register_metric("length")(Length)
    assert [metric.name for metric in base.select(options())] == [*names, "length"]
    metric = base.find("length")
    assert isinstance(metric, Length)
    assert metric.note == "Length: mean number of tokens, tokens; higher is better."
    assert base.find("lengths") is None


@pytest.mark.parametrize(
    ("arguments", "added"),
    [
        ([], []),
        (["--oracle", "x"], ["nll_oracle", "oracle_nll"]),
        (["--model", "x"], ["nll", "entropy", "unfinished"]),
        (["--music"], ["mse_nearest", "mse_mean"]),
        (
            ["--music", "--model", "x"],
            ["nll", "entropy", "mse_nearest", "mse_mean", "mse_one_step", "unfinished"],
        ),
        (
            ["--bleu", "5", "2"],
            [f"{way}bleu{n}_{kind}" for way in WAYS for kind in KINDS for n in (2, 5)],
        ),
    ],
)
def test_a_metric_is_measured_where_its_options_are_given(arguments, added):
    always = ["self_bleu", "distinct_tokens", "duplicates", "copied_samples", "copied_4grams"]
    always += ["length_mean", "length_sd", "length_distance"]
    names = [metric.name for metric in base.select(options(*arguments))]
    assert [name for name in names if name not in always] == added
    assert [name for name in names if name in always] == always


def test_a_number_in_the_name():
    metric = base.find("backward_bleu12_sentence")
    assert (metric.n, metric.name) == (12, "backward_bleu12_sentence")
    assert metric.title == "backward BLEU-12, sentence"
    assert metric.signature_key == "backward_bleu12_signature"
    assert base.find("copied_3grams").title == "copied 3-grams (%)"
    for name in ("bleu0_corpus", "bleuN_corpus", "bleu2", "xbleu2_corpus", "heldout_duplicates"):
        assert base.find(name) is None, name


def test_columns_in_their_order():
    stated = ["copied_4grams", "bleu10_corpus", "duplicates", "nll", "bleu2_sentence", "samples"]
    stated += ["bleu2_corpus", "self_bleu", "oracle_nll", "entropy", "mse_mean", "nll_oracle"]
    assert columns.order(stated) == [
        "nll_oracle",
        "nll",
        "entropy",
        "bleu2_corpus",
        "bleu10_corpus",
        "bleu2_sentence",
        "self_bleu",
        "mse_mean",
        "copied_4grams",
    ]


def test_what_cannot_be_registered(registry):
    with pytest.raises(ValueError, match="there is a metric 'entropy' already"):
        register_metric("entropy")(Length)
    with pytest.raises(ValueError, match="must extend Metric"):
        register_metric("other")(dict)
