"""``fairseq-seqgan evaluate`` on tiny data, against numbers that plain definitions give."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from fairseq.data import Dictionary
from helpers.commands import fork, run_python
from helpers.evaluate_command import evaluate
from helpers.evaluate_data import (
    LENGTH,
    OFFSET,
    SAMPLES,
    WORDS,
    PlainLM,
    binarize,
    make_data,
    make_sentences,
    oracle_nll,
    split_ids,
    train,
    words_of,
    write_samples,
)
from sacrebleu.metrics import BLEU

from fairseq_seqgan import version
from fairseq_seqgan.cli import main


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return make_data(tmp_path_factory.mktemp("evaluate") / "data")


@pytest.fixture(scope="module")
def sentences(tmp_path_factory) -> Path:
    return make_sentences(tmp_path_factory.mktemp("sentences"))


@pytest.fixture(scope="module")
def fixed_model(data, tmp_path_factory) -> Path:
    """A checkpoint of task seqgan that was trained with --fixed-length."""
    return train(data, tmp_path_factory.mktemp("fixed"))


@pytest.fixture(scope="module")
def stock_model(sentences, tmp_path_factory) -> Path:
    """A checkpoint of fairseq's own task, trained without the plugin on sentences."""
    folder = tmp_path_factory.mktemp("stock")
    options = (
        "--task language_modeling --sample-break-mode eos --tokens-per-sample 9 --cpu "
        "--arch lstm_lm --decoder-embed-dim 8 --decoder-hidden-size 8 --decoder-out-embed-dim 8 "
        "--optimizer adam --lr 0.02 --batch-size 8 --max-epoch 3 --no-epoch-checkpoints "
        "--num-workers 0 --required-batch-size-multiple 1"
    )
    arguments = [sentences, *options.split(), "--save-dir", folder]
    fork("train", folder, arguments).check()
    return folder / "checkpoint_last.pt"


@pytest.fixture
def samples(tmp_path) -> Path:
    return write_samples(tmp_path / "samples.txt", SAMPLES)


# --- the numbers


@pytest.mark.slow
def test_the_command(data, fixed_model, samples, tmp_path):
    """As a user runs it: the table on stdout, the JSON in the file, every number as defined."""
    output = tmp_path / "out.json"
    options = ["--samples", samples, "--data", data, "--oracle", data / "oracle.npz"]
    options += ["--model", fixed_model, "--json", output, "--num-eval-samples", 4000]
    result = run_python("-m", "fairseq_seqgan.cli", "evaluate", *options, cwd=Path.cwd()).check()
    found = json.loads(output.read_text(encoding="utf-8"))

    heldout, lm = words_of(data, "test"), PlainLM(fixed_model, fixed=True)
    assert found["nll_oracle"] == pytest.approx(oracle_nll(data / "oracle.npz", SAMPLES), abs=1e-5)
    assert found["oracle_nll"] == pytest.approx(oracle_nll(data / "oracle.npz", heldout), abs=1e-5)
    ids = [row[:-1] for row in split_ids(data, "test")]
    assert found["nll"] == pytest.approx(lm.nll(ids), abs=1e-5)
    assert abs(found["entropy"] - lm.entropy()) < 4 * found["entropy_stderr"] < 0.1
    assert lm.entropy() < math.log(WORDS) - 0.1, "too close to uniform to prove anything"
    assert (found["heldout_split"], found["fixed_length"]) == ("test", LENGTH)
    assert (found["samples"], found["heldout_sequences"]) == (5, 40)
    assert (found["entropy_samples"], found["training_sequences"]) == (4000, 60)

    for text in ("NLL_oracle of the samples", "the oracle's own NLL", "entropy of the model"):
        assert text in result.stdout
    for name in ("nll_oracle", "oracle_nll", "nll", "entropy"):
        assert f"{found[name]:.4f}" in result.stdout
    assert "duplicates" in result.stdout
    assert "20.00%" in result.stdout


def test_variety(data, samples, capsys):
    """Without oracle and model: what the samples alone say, and the same of held-out data."""
    found = evaluate(capsys, "--samples", samples, "--data", data, "--ngram", 2)
    training = words_of(data, "train")
    for prefix, rows in (("", SAMPLES), ("heldout_", words_of(data, "test"))):
        assert found[prefix + "distinct_tokens"] == len({w for row in rows for w in row})
        different = len({tuple(row) for row in rows})
        assert found[prefix + "duplicates"] == pytest.approx(1 - different / len(rows))
        copied = sum(row in training for row in rows) / len(rows)
        assert found[prefix + "copied_samples"] == pytest.approx(copied)
        known = {(t[i], t[i + 1]) for t in training for i in range(LENGTH - 1)}
        pairs = [(row[i], row[i + 1]) for row in rows for i in range(LENGTH - 1)]
        share = sum(pair in known for pair in pairs) / len(pairs)
        assert share > 0
        assert found[prefix + "copied_2grams"] == pytest.approx(share)
    assert found["distinct_tokens"] == 8
    assert found["duplicates"] == pytest.approx(0.2)
    assert not {"nll", "entropy", "nll_oracle"} & found.keys()


def test_training_data_is_all_copied(data, tmp_path, capsys):
    copies = write_samples(tmp_path / "copies.txt", words_of(data, "train"))
    found = evaluate(capsys, "--samples", copies, "--data", data, "--oracle", data / "oracle.npz")
    assert found["copied_samples"] == found["copied_4grams"] == 1.0
    assert found["heldout_copied_samples"] < 1.0


def test_shards_of_the_training_data_are_one(data, samples, tmp_path, capsys):
    """fairseq trains on train, train1 ...; a sample that stands in train1 is copied."""
    folder = tmp_path / "sharded"
    shutil.copytree(data, folder)
    binarize(folder, "train1", [[w + OFFSET for w in SAMPLES[1]]])
    found = evaluate(capsys, "--samples", samples, "--data", folder)
    assert found["training_sequences"] == 61
    assert found["copied_samples"] == pytest.approx(0.2)


def test_no_4gram_is_null_and_a_dash(sentences, tmp_path, capsys):
    short = write_samples(tmp_path / "short.txt", [[1, 2], []])
    options = ["--samples", short, "--data", sentences]
    assert evaluate(capsys, *options)["copied_4grams"] is None
    main(["evaluate", *map(str, options)])
    line = next(r for r in capsys.readouterr().out.splitlines() if r.startswith("4-grams"))
    assert line.split()[-2] == "-"


def test_generated_output_is_read_by_id(data, samples, tmp_path, capsys):
    """The raw output of fairseq-generate, in batch order, gives what the plain text gives."""
    raw = tmp_path / "generate-test.txt"
    lines = ["2026-01-01 | INFO | not a sample", "S-0\t5"]
    for index in (3, 0, 4, 2, 1):
        text = " ".join(map(str, SAMPLES[index]))
        lines += [f"H-{index}\t-1.5\t{text}", f"D-{index}\t-1.5\tdetokenized", f"P-{index}\t-1 -2"]
    raw.write_text("\n".join([*lines, "Generate test with beam=1"]) + "\n", encoding="utf-8")
    options = ["--data", data, "--oracle", data / "oracle.npz"]
    plain = evaluate(capsys, "--samples", samples, *options)
    generated = evaluate(capsys, "--samples", raw, *options)
    assert generated.pop("samples_file") != plain.pop("samples_file")
    assert generated == plain

    from fairseq_seqgan.cli.inputs import read_samples

    ids = [sample.ids for sample in read_samples(raw, Dictionary.load(str(data / "dict.txt")))]
    assert ids == [tuple(w + OFFSET for w in row) for row in SAMPLES]


def test_an_empty_hypothesis_is_an_empty_sample(sentences, tmp_path, capsys):
    raw = tmp_path / "raw.txt"
    raw.write_text("H-1\t-0.1\t\nH-0\t-0.1\t1 2\n", encoding="utf-8")
    found = evaluate(capsys, "--samples", raw, "--data", sentences)
    assert (found["samples"], found["distinct_tokens"]) == (2, 2)


def test_sentences_of_any_length(sentences, stock_model, samples, capsys):
    """A stock checkpoint: the end symbol counts, an unknown word does not, valid stands in."""
    options = ["--samples", samples, "--data", sentences, "--model", stock_model]
    main(["evaluate", *map(str, options), "--json", "--num-eval-samples", "50"])
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert found["heldout_split"] == "valid"
    assert found["fixed_length"] == 0
    expected = PlainLM(stock_model, fixed=False).nll(split_ids(sentences, "valid"))
    assert found["nll"] == pytest.approx(expected, abs=1e-5)
    assert "2 tokens of split 'valid', unknown words" in printed.err


def test_many_small_batches_change_nothing(sentences, stock_model, samples, capsys, monkeypatch):
    from fairseq_seqgan.cli import model_scores

    options = ["--samples", samples, "--data", sentences, "--model", stock_model]
    options += ["--num-eval-samples", 50]
    whole = evaluate(capsys, *options)["nll"]
    monkeypatch.setattr(model_scores, "_LOGITS", 200)
    assert evaluate(capsys, *options)["nll"] == pytest.approx(whole, abs=1e-6)


def test_fixed_length_is_inferred_with_an_oracle(data, stock_model, samples, capsys):
    """And said; ``--fixed-length 0`` contradicts it; the option works without an oracle too."""
    options = ["--samples", samples, "--data", data, "--model", stock_model]
    options += ["--num-eval-samples", 50]
    main(["evaluate", *map(str, options), "--oracle", str(data / "oracle.npz"), "--json"])
    printed = capsys.readouterr()
    assert f"all sequences of split 'test' have {LENGTH} tokens" in printed.err
    found = json.loads(printed.out)
    rows = split_ids(data, "test")
    expected = PlainLM(stock_model, fixed=True).nll([row[:-1] for row in rows])
    assert found["nll"] == pytest.approx(expected, abs=1e-5)
    assert found["fixed_length"] == LENGTH
    assert evaluate(capsys, *options, "--fixed-length", LENGTH)["nll"] == found["nll"]

    varying = evaluate(capsys, *options, "--oracle", data / "oracle.npz", "--fixed-length", 0)
    expected = PlainLM(stock_model, fixed=False).nll(rows)
    assert varying["nll"] == pytest.approx(expected, abs=1e-5)


def test_temperature_seed_and_split(data, fixed_model, samples, capsys):
    """The temperature is that of NLL and entropy; the seed is that of the fresh samples."""
    options = ["--samples", samples, "--data", data, "--model", fixed_model]
    options += ["--num-eval-samples", 2000, "--temperature", 0.5, "--valid-subset", "valid"]
    found = evaluate(capsys, *options, "--seed", 4)
    lm = PlainLM(fixed_model, fixed=True, temperature=0.5)
    assert found["heldout_split"] == "valid"
    rows = [row[:-1] for row in split_ids(data, "valid")]
    assert found["nll"] == pytest.approx(lm.nll(rows), abs=1e-5)
    assert abs(found["entropy"] - lm.entropy()) < 4 * found["entropy_stderr"]
    assert lm.entropy() < PlainLM(fixed_model, fixed=True).entropy() - 0.1
    assert evaluate(capsys, *options, "--seed", 4) == found
    other = evaluate(capsys, *options, "--seed", 5)
    assert other["entropy"] != found["entropy"]
    assert other["nll"] == found["nll"]


def test_self_bleu(data, samples, capsys):
    """The mean over the samples of sacrebleu's BLEU against all others, and of held-out data."""
    found = evaluate(capsys, "--samples", samples, "--data", data, "--self-bleu-order", 2)
    for prefix, rows in (("", SAMPLES), ("heldout_", words_of(data, "test"))):
        assert found[prefix + "self_bleu"] == pytest.approx(plain_self_bleu(rows, 2), abs=1e-12)
        assert found[prefix + "self_bleu_samples"] == len(rows)
        others = f"hyps:{len(rows)}|refs:{len(rows) - 1}"
        signature = f"BLEU-2|{others}|eff:no|tok:none|smooth:exp|scale:0-1"
        assert found[prefix + "self_bleu_signature"] == signature
    main(["evaluate", "--samples", str(samples), "--data", str(data), "--self-bleu-order", "2"])
    lines = capsys.readouterr().out.splitlines()
    value, heldout = (line.split() for line in lines if "self-BLEU-2" in line)
    assert value[1:] == [f"{found['self_bleu']:.4f}", f"{found['heldout_self_bleu']:.4f}"]
    assert heldout[-2:] == ["5", "40"]


def plain_self_bleu(rows, order):
    """The definition, by sacrebleu: every row against the list without it."""
    metric = BLEU(tokenize="none", max_ngram_order=order, force=True)
    texts = [" ".join(map(str, row)) for row in rows]
    scores = [
        metric.corpus_score([text], [[other] for other in texts[:i] + texts[i + 1 :]]).score
        for i, text in enumerate(texts)
    ]
    return np.mean(scores) / 100


def test_self_bleu_of_a_subset(data, samples, capsys):
    """As many as were asked for, chosen with the seed; the same seed, the same subset."""
    options = ["--samples", samples, "--data", data, "--self-bleu-order", 1]
    options += ["--self-bleu-samples", 10]
    found = [evaluate(capsys, *options, "--seed", seed) for seed in (1, 1, 2)]
    assert found[0] == found[1]
    assert found[0]["heldout_self_bleu"] != found[2]["heldout_self_bleu"]
    assert [found[0][f"{p}self_bleu_samples"] for p in ("", "heldout_")] == [5, 10]


def test_one_sample_has_no_self_bleu(data, tmp_path, capsys):
    one = write_samples(tmp_path / "one.txt", [SAMPLES[0]])
    assert evaluate(capsys, "--samples", one, "--data", data)["self_bleu"] is None


def test_per_sample(data, samples, tmp_path, capsys):
    """The array has each sample's NLL_oracle, in the order of the file; their mean is the mean."""
    path = tmp_path / "scores.npz"
    options = ["--samples", samples, "--data", data, "--oracle", data / "oracle.npz"]
    found = evaluate(capsys, *options, "--per-sample", path)
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays.files == ["nll_oracle"]
        scores = arrays["nll_oracle"]
    expected = [oracle_nll(data / "oracle.npz", [row]) for row in SAMPLES]
    assert scores.dtype == np.float64
    assert scores == pytest.approx(expected, abs=1e-5)
    assert scores.mean() == pytest.approx(found["nll_oracle"], abs=1e-12)
    content = path.read_bytes()
    evaluate(capsys, *options, "--per-sample", path, "--overwrite")
    assert path.read_bytes() == content
    assert sorted(p.name for p in tmp_path.iterdir()) == ["samples.txt", "scores.npz"]


# --- the command around it


def test_user_dir(capsys):
    import fairseq_seqgan

    assert main(["user-dir"]) == 0
    assert capsys.readouterr().out == f"{Path(fairseq_seqgan.__file__).resolve().parent}\n"


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"fairseq-seqgan {version.__version__}\n"


@pytest.mark.parametrize("argv", [[], ["bogus"], ["evaluate"]])
def test_wrong_usage(argv, capsys):
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert "usage: fairseq-seqgan" in capsys.readouterr().err
