"""``results.csv``, one line for each run."""

import json

import pandas as pd
from helpers import make_runs

from fairseq_seqgan.cli import main
from fairseq_seqgan.reporting import aggregate, runs
from fairseq_seqgan.reporting.results_csv import results_csv


def test_a_line_for_each_run(tmp_path):
    assert main(["report", str(make_runs.RUNS), "--output", str(tmp_path)]) == 0
    table = pd.read_csv(tmp_path / "results.csv")
    about = ["system", "label", "kind", "selection", "temperature", "seed"]
    assert list(table)[: len(about)] == about
    assert len(table) == 25  # the incomplete run is not in it
    assert not table.duplicated(["system", "selection", "temperature", "seed"]).any()
    report = json.loads((tmp_path / "report.json").read_text())
    for row in report["rows"]:
        same = table[
            (table.system == row["system"])
            & (table.selection == row["selection"])
            & (table.temperature == row["temperature"])
        ]
        assert same.seed.tolist() == row["seeds"]
        for name in ("nll_oracle", "nll", "entropy", "self_bleu", "copied_4grams"):
            if name in row:
                assert same[name].tolist() == row[name]["values"], (row["label"], name)
            else:
                assert same[name].isna().all()


def test_metrics_that_are_not_columns_are_in_it(tmp_path):
    """And what is not a metric is not."""
    collection = runs.collect([make_runs.RUNS])
    collection.runs[0].metrics["duplicates"] = 0.25
    text = results_csv(aggregate.make_rows(collection, "seqgan"))
    head, *lines = text.splitlines()
    names = head.split(",")
    assert {"duplicates", "oracle_nll"} <= set(names)
    assert not {"samples", "self_bleu_signature"} & set(names)
    place = names.index("duplicates") - len(names)
    assert sorted(line.split(",")[place] for line in lines)[-1] == "0.25"


def test_the_oracle_is_its_own_model():
    table = results_csv(aggregate.make_rows(runs.collect([make_runs.RUNS]), "seqgan"))
    first = dict(zip(*(line.split(",") for line in table.splitlines()[:2]), strict=True))
    assert first["kind"] == "oracle"
    assert float(first["nll"]) == make_runs.ENTROPY
    assert first["entropy"] == first["nll_oracle"]
