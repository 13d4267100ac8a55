"""``fairseq-seqgan report`` on runs without an oracle: BLEU in place of NLL_oracle."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import REPO, run
from helpers.make_runs import curve, log_lines
from scipy import stats

from fairseq_seqgan.cli import main
from fairseq_seqgan.reporting import aggregate, frontier, learning_curves, runs
from fairseq_seqgan.support.errors import InputError

GOLDEN = Path(__file__).parent / "data" / "report_real"
SAMPLES, HELDOUT, REAL = 40, 30, 20
PNG = b"\x89PNG\r\n"
# name, temperature: label, kind, BLEU-2, backward BLEU-2, held-out NLL
SYSTEMS = {
    ("real", 1.0): ("real poems", "real", 0.60, 0.50, None),
    ("random_unigram", 1.0): ("random, unigram", "baseline", 0.15, 0.20, None),
    ("mle", 1.0): ("MLE", "baseline", 0.45, 0.48, 5.50),
    ("mle", 0.7): ("MLE, T = 0.7", "control", 0.60, 0.42, 5.90),
    ("mle", 0.5): ("MLE, T = 0.5", "control", 0.72, 0.30, 6.80),
    ("seqgan", 1.0): ("SeqGAN", "system", 0.52, 0.46, 5.60),
}


def make_run(folder: Path, key: tuple, seed: int, position: int) -> None:
    """Write one run folder with invented numbers."""
    (name, temperature), (label, kind, bleu, backward, nll) = key, SYSTEMS[key]
    folder.mkdir(parents=True)
    about = {
        "format": 1,
        "system": name,
        "label": label,
        "kind": kind,
        "selection": "last",
        "temperature": temperature,
        "seed": seed,
        "position": position,
        "vocab_size": 90,
        "data": "poems of 20 characters",
        "finished": True,
    }
    rng = np.random.default_rng([position, seed])
    size = REAL if kind == "real" else SAMPLES
    scores = np.clip(bleu + rng.normal(0, 0.01) + rng.normal(0, 0.1, size), 0, 1)
    made = "eff:no|tok:none|smooth:exp|scale:0-1"
    metrics = {
        "samples": size,
        "heldout_split": "test",
        "heldout_sequences": HELDOUT,
        "bleu2_corpus": float(scores.mean()) + 0.05,
        "bleu2_sentence": float(scores.mean()),
        "bleu2_signature": f"BLEU-2|hyps:{size}|refs:{HELDOUT}|{made}",
        "backward_bleu2_corpus": backward + 0.04,
        "backward_bleu2_sentence": backward,
        "backward_bleu2_signature": f"BLEU-2|hyps:{HELDOUT}|refs:{size}|{made}",
        "self_bleu": 0.3,
        "copied_samples": 0.0,
        "mse_nearest": 11.5 + seed,
        "mse_mean": 60.0,
    }
    if nll is not None:
        metrics |= {"nll": nll + 0.01 * seed, "entropy": nll - 0.2, "mse_one_step": 9.25}
    if nll is not None and temperature == 1.0:
        records = curve(9.0, nll, name)
        for record in records:
            del record["nll_oracle"]
        (folder / "train.log").write_text(log_lines(records))
        about["training"] = {"phase": "pre-training"}
        if name != "mle":
            start = {"system": "mle", "selection": "last"}
            phase = {"phase": "fine-tuning", "start": start, "g_steps": 5, "pretrain_d_steps": 2}
            about["training"] = phase
    (folder / "run.json").write_text(json.dumps(about))
    (folder / "metrics.json").write_text(json.dumps(metrics))
    np.savez(folder / "scores.npz", bleu2_sentence=scores)


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> Path:
    """Run folders of two seeds, one of the real data."""
    folder = tmp_path_factory.mktemp("real") / "runs"
    for position, key in enumerate(SYSTEMS):
        for seed in (1,) if key[0] == "real" else (1, 2):
            make_run(folder / f"{key[0]}-t{key[1]}-seed{seed}", key, seed, position)
    return folder


@pytest.fixture
def folder(stored, tmp_path) -> Path:
    """A copy of them, to break."""
    shutil.copytree(stored, tmp_path / "runs")
    return tmp_path / "runs"


def report(output: Path, *arguments) -> dict:
    """Run the command in this process; return ``report.json``."""
    assert main(["report", *map(str, arguments), "--output", str(output)]) == 0
    return json.loads((output / "report.json").read_text())


def refused(output: Path, *arguments) -> str:
    """Return the error that the command ends with; nothing may have been written."""
    with pytest.raises(InputError) as error:
        main(["report", *map(str, arguments), "--output", str(output)])
    assert not output.exists()
    assert "\n" not in str(error.value)
    return str(error.value)


def change(path: Path, **values) -> None:
    """Change entries of a JSON file; None removes one."""
    content = json.loads(path.read_text()) | values
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))


def scores_of(folder: Path, system: str) -> list[np.ndarray]:
    files = sorted(folder.glob(f"{system}-t1.0-seed*/scores.npz"))
    return [np.load(file)["bleu2_sentence"] for file in files]


def test_golden(stored, tmp_path):
    """The command as a user runs it; the stored report was read by hand."""
    arguments = ["report", stored, "--output", tmp_path / "out"]
    result = run("fairseq-seqgan", *arguments, env={"PYTHONPATH": str(REPO)}).check()
    assert (tmp_path / "out" / "report.md").read_text() == (GOLDEN / "report.md").read_text()
    for name in ("learning_curves.png", "frontier.png"):
        assert (tmp_path / "out" / name).read_bytes().startswith(PNG)
    assert result.stderr == ""


def test_numbers(stored, tmp_path):
    """Means, deviations and Welch's tests, from the files and by scipy."""
    found = report(tmp_path / "out", stored)
    assert found["oracle"] is None
    assert found["score"] == "bleu2_sentence"
    by_name = {(row["system"], row["temperature"]): row for row in found["rows"]}
    mle, seqgan = scores_of(stored, "mle"), scores_of(stored, "seqgan")
    row = by_name["mle", 1.0]
    means = [scores.mean() for scores in mle]
    assert row["bleu2_sentence"]["values"] == pytest.approx(means, rel=1e-9)
    assert row["bleu2_sentence"]["sd"] == pytest.approx(np.std(means, ddof=1), rel=1e-8)
    welch = stats.ttest_ind(np.concatenate(mle), np.concatenate(seqgan), equal_var=False)
    assert row["welch_over_samples"]["p"] == pytest.approx(welch.pvalue, rel=1e-8)
    welch = stats.ttest_ind(means, [s.mean() for s in seqgan], equal_var=False)
    assert row["welch_over_seeds"]["t"] == pytest.approx(welch.statistic, rel=1e-8)
    assert row["mse_nearest"]["mean"] == 13.0
    assert row["nll"]["mean"] == pytest.approx(5.515)
    assert by_name["real", 1.0]["samples"] == REAL
    assert "nll" not in by_name["real", 1.0]
    assert not [name for row in found["rows"] for name in row if name == "nll_oracle"]


def test_every_column_has_its_sentence(stored, tmp_path):
    report(tmp_path / "out", stored)
    text = (tmp_path / "out" / "report.md").read_text()
    head = next(line for line in text.splitlines() if line.startswith("| system"))
    titles = [title.strip() for title in head.strip("|").split("|")]
    assert not [title for title in titles if "NLL_oracle" in title]
    wanted = {t for t in titles if re.match("BLEU|backward|MSE", t)}
    assert wanted == {
        "BLEU-2, corpus",
        "BLEU-2, sentence",
        "backward BLEU-2, corpus",
        "backward BLEU-2, sentence",
        "MSE, nearest",
        "MSE, mean",
        "MSE, one step",
    }
    for title in wanted:
        sentence = f"\n{title[0].upper()}{title[1:]}: ".replace("BLEU-2", "BLEU-n")
        assert text.count(sentence) == 1, title


def test_the_largest_order_counts(folder, tmp_path):
    """Orders 2 and 10 in every file: the scores are those of 10."""
    for run_folder in folder.iterdir():
        with np.load(run_folder / "scores.npz") as file:
            scores = file["bleu2_sentence"]
        np.savez(run_folder / "scores.npz", bleu2_sentence=scores, bleu10_sentence=scores / 2)
        half = float(scores.mean() / 2)
        backward = {"backward_bleu10_sentence": 0.1}
        change(run_folder / "metrics.json", bleu10_sentence=half, bleu10_corpus=0.1, **backward)
    assert report(tmp_path / "out", folder)["score"] == "bleu10_sentence"
    table = aggregate.make_rows(runs.collect([folder]), "seqgan")
    shown = frontier.plane(table)
    assert (shown.x, shown.y) == ("backward_bleu10_sentence", "bleu10_sentence")
    asked = frontier.plane(table, 2)
    assert (asked.x, asked.y) == ("backward_bleu2_sentence", "bleu2_sentence")
    assert frontier.orders(table) == [2, 10]
    names = [name for name in table[0].metrics if "bleu" in name and "self" not in name]
    assert names[:4] == ["bleu2_corpus", "bleu10_corpus", "bleu2_sentence", "bleu10_sentence"]
    text = (tmp_path / "out" / "report.md").read_text()
    assert text.count("\nBLEU-n, corpus: ") == 1  # one sentence for both orders


def test_the_order_that_is_asked_for(folder, tmp_path, capsys):
    """It is in the picture and in the paired tests; another one is refused."""
    for number, run_folder in enumerate(sorted(folder.iterdir())):
        more = {"bleu10_sentence": 0.01 * number, "backward_bleu10_sentence": 0.1}
        change(run_folder / "metrics.json", **more)
    pictures = []
    for options in ([], ["--bleu", 10], ["--bleu", 2]):
        out = tmp_path / str(len(pictures))
        report(out, folder, *options)
        pictures.append((out / "frontier.png").read_bytes())
        text = (out / "report.md").read_text().partition("of the same seed\n")[2]
        assert ("BLEU-2" in text.splitlines()[1]) == (options == ["--bleu", 2])
    assert pictures[0] == pictures[1] != pictures[2]
    with pytest.raises(InputError, match=r"--bleu is 3: .* of that order \(they have: 2, 10\)"):
        report(tmp_path / "refused", folder, "--bleu", 3)
    assert not (tmp_path / "refused").exists()


def test_num_samples_spares_real_data(stored, tmp_path):
    """There are only so many real sequences; of all others the first N count."""
    found = report(tmp_path / "out", stored, "--num-samples", 30)
    sizes = {row["system"]: row["samples"] for row in found["rows"]}
    assert sizes == {"real": REAL, "random_unigram": 30, "mle": 30, "seqgan": 30}
    first = scores_of(stored, "mle")[0][:30].mean()
    row = next(r for r in found["rows"] if r["system"] == "mle" and r["temperature"] == 1)
    assert row["bleu2_sentence"]["values"][0] == pytest.approx(first, rel=1e-9)


def test_learning_curves_are_held_out_nll(stored):
    curves = learning_curves.make_curves(
        aggregate.make_rows(runs.collect([stored]), "seqgan"), "updates"
    )
    assert curves.metrics == ("nll",)
    (seqgan,) = curves.fine_tuning
    assert seqgan.x.tolist() == [0, 5, 10, 15, 20]
    assert list(seqgan.mean) == ["nll"]
    assert seqgan.mean["nll"][-1] == pytest.approx(5.60)
    assert [c.name for c in curves.pretraining] == ["mle"]


def test_without_backward_bleu_there_is_still_a_report(folder, tmp_path):
    for path in folder.glob("*/metrics.json"):
        change(path, backward_bleu2_sentence=None, backward_bleu2_corpus=None)
    report(tmp_path / "out", folder)
    assert (tmp_path / "out" / "frontier.png").read_bytes().startswith(PNG)


def test_same_input_same_bytes(stored, folder, tmp_path):
    report(tmp_path / "a", stored)
    report(tmp_path / "b", *sorted(folder.iterdir(), reverse=True))
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


@pytest.mark.parametrize(
    ("file", "values", "words"),
    [
        ("run.json", {"oracle": "f" * 64}, "seqgan-t1.0-seed2/scores.npz: not readable"),
        ("run.json", {"data": "speeches"}, "different values of data: poems of 20 characters and"),
        ("run.json", {"vocab_size": 91}, "different values of vocabulary: 90 and 91"),
        ("run.json", {"kind": "oracle"}, "kind is 'oracle', and it does not say 'oracle'"),
        ("run.json", {"oracle": 5}, "oracle is 5, which is of the wrong type"),
        ("metrics.json", {"heldout_sequences": 31}, "held-out sequences: 30 and 31"),
        ("metrics.json", {"heldout_split": "valid"}, "held-out split: test and valid"),
        ("metrics.json", {"bleu2_sentence": 0.9}, "is not the bleu2_sentence of metrics.json, 0.9"),
        ("metrics.json", {"backward_bleu2_corpus": "x"}, "backward_bleu2_corpus is no number"),
    ],
)
def test_refuses_what_does_not_belong_together(folder, tmp_path, file, values, words):
    change(folder / "seqgan-t1.0-seed2" / file, **values)
    message = refused(tmp_path / "out", folder)
    assert words in message
    assert "seqgan-t1.0-seed2" in message


def test_refuses_oracles_among_others(folder, tmp_path):
    """Both are named, whichever comes first."""
    for name in ("mle-t0.5-seed1", "seqgan-t1.0-seed2"):
        shutil.copytree(folder, tmp_path / name)
        mixed = tmp_path / name / name
        np.savez(mixed / "scores.npz", nll_oracle=np.array([8.0, 9.0]))
        change(mixed / "metrics.json", nll_oracle=8.5)
        change(mixed / "run.json", oracle="0" * 64)
        message = refused(tmp_path / "out", tmp_path / name)
        assert re.search(f"{name} has an oracle, .*-seed[12] has none", message), message


def test_refuses_scores_of_nothing(folder, tmp_path):
    np.savez(folder / "mle-t1.0-seed1" / "scores.npz", nll_oracle=np.array([8.0]))
    message = refused(tmp_path / "out", folder)
    assert "mle-t1.0-seed1/scores.npz: holds no bleuN_sentence, and " in message
    assert "run.json names no oracle" in message


def test_an_oracle_of_null_is_none(folder, tmp_path):
    """Also where the metrics were made with one."""
    for path in folder.glob("*/run.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"oracle": None}))
        change(path.with_name("metrics.json"), oracle_nll=5.0)
    run = next(folder.glob("seqgan-t1.0-seed1"))
    record = {"epoch": 1, "valid_nll": "2.5", "valid_num_updates": "1"}
    (run / "train.log").write_text(f"INFO | valid | {json.dumps(record)}\n")
    start = {"system": "mle", "selection": "last"}
    change(run / "run.json", training={"phase": "fine-tuning", "start": start, "g_steps": 1})
    assert report(tmp_path / "out", folder)["oracle"] is None
