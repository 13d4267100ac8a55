"""``evaluate --bleu``, ``--music`` and ``--real-split``, against sacrebleu and plain loops."""

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import run_python
from helpers.evaluate_command import evaluate, refusal
from helpers.evaluate_data import (
    OFFSET,
    SAMPLES,
    UNK,
    make_data,
    make_sentences,
    words_of,
    write_samples,
)
from sacrebleu.metrics import BLEU

from fairseq_seqgan.cli import main


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return make_data(tmp_path_factory.mktemp("evaluate") / "data")


@pytest.fixture
def samples(tmp_path) -> Path:
    return write_samples(tmp_path / "samples.txt", SAMPLES)


# --- BLEU


def plain_bleu(hypotheses: list, references: list, order: int) -> tuple[float, list[float]]:
    """The definition, by sacrebleu: corpus BLEU, and that of every sentence."""
    metric = BLEU(tokenize="none", max_ngram_order=order, force=True)
    texts, streams = [" ".join(map(str, row)) for row in hypotheses], []
    for row in references:
        streams.append([" ".join(map(str, row))] * len(texts))
    single = [[stream[0]] for stream in streams]
    each = [metric.corpus_score([text], single).score / 100 for text in texts]
    return metric.corpus_score(texts, streams).score / 100, each


def check_bleu(found: dict, samples: list, heldout: list, orders: list[int]) -> None:
    for prefix, own, real in (("", samples, heldout), ("backward_", heldout, samples)):
        for order in orders:
            corpus, each = plain_bleu(own, real, order)
            name = f"{prefix}bleu{order}"
            assert found[f"{name}_corpus"] == pytest.approx(corpus, abs=1e-12)
            assert found[f"{name}_sentence"] == pytest.approx(np.mean(each), abs=1e-12)
            size = f"hyps:{len(own)}|refs:{len(real)}"
            signature = f"BLEU-{order}|{size}|eff:no|tok:none|smooth:exp|scale:0-1"
            assert found[f"{name}_signature"] == signature
            assert 0.01 < corpus < 0.99
    stated = {key.split("_")[-2] for key in found if key.endswith("_corpus")}
    assert stated == {f"bleu{order}" for order in orders}


def test_bleu(data, samples, capsys, tmp_path):
    """All held-out sequences are references of every sample, and the other way round."""
    path = tmp_path / "scores.npz"
    options = ["--samples", samples, "--data", data, "--per-sample", path, "--overwrite"]
    heldout = words_of(data, "test")
    check_bleu(evaluate(capsys, *options, "--bleu", 3, 2, 3), SAMPLES, heldout, [2, 3])
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays.files == ["bleu3_sentence"]  # the largest order
        scores = arrays["bleu3_sentence"]
    assert scores.dtype == np.float64
    assert scores == pytest.approx(plain_bleu(SAMPLES, heldout, 3)[1], abs=1e-12)
    assert scores.std() > 0.01
    check_bleu(evaluate(capsys, *options, "--bleu"), SAMPLES, heldout, [2, 3, 4])
    assert not [key for key in evaluate(capsys, *options[:4]) if "bleu2" in key]


def test_bleu_is_in_the_table(data, samples, capsys):
    options = ["--samples", samples, "--data", data, "--bleu", 2]
    found = evaluate(capsys, *options)
    assert main(["evaluate", *map(str, options)]) == 0
    lines = {line.split("  ")[0]: line for line in capsys.readouterr().out.splitlines()}
    for title, name, size in (
        ("BLEU-2", "bleu2", "5 against 40"),
        ("backward BLEU-2", "backward_bleu2", "40 against 5"),
    ):
        numbers = [f"{found[f'{name}_{kind}']:.4f}" for kind in ("corpus", "sentence")]
        assert lines[title].split()[-5:] == [*numbers, *size.split()]


def test_bleu_of_a_subset(data, tmp_path, capsys):
    """N samples, chosen with the seed, as hypotheses and as references."""
    rows = words_of(data, "train")
    file = write_samples(tmp_path / "many.txt", rows)
    options = ["--samples", file, "--data", data, "--bleu", 2, "--bleu-samples", 7]
    found = evaluate(capsys, *options, "--per-sample", tmp_path / "x.npz")
    chosen = [rows[i] for i in sorted(np.random.default_rng(1).permutation(len(rows))[:7])]
    check_bleu(found, chosen, words_of(data, "test"), [2])
    with np.load(tmp_path / "x.npz") as arrays:
        assert arrays["bleu2_sentence"].shape == (7,)
    assert evaluate(capsys, *options) == found
    assert evaluate(capsys, *options, "--seed", 2)["bleu2_corpus"] != found["bleu2_corpus"]
    assert "hyps:60|" in evaluate(capsys, *options[:-1], 999)["bleu2_signature"]


def test_an_unknown_word_matches_nothing(tmp_path, capsys):
    """Two unknown words are no match, in neither direction."""
    sentences = make_sentences(tmp_path)
    ids = [list(row) for row in read_ids(sentences, "valid")]
    assert sum(row.count(UNK) for row in ids) == 2
    file = tmp_path / "samples.txt"
    file.write_text("<unk> 1 2\n1 <unk>\n0 1 0\n")
    found = evaluate(capsys, "--samples", file, "--data", sentences, "--bleu", 1)
    samples = [["<unk>", 1, 2], [1, "<unk>"], [0, 1, 0]]
    words = [["<unk>" if i == UNK else i - OFFSET for i in row] for row in ids]
    for name, own, real in (("bleu1", samples, words), ("backward_bleu1", words, samples)):
        renamed = [["nothing" if word == "<unk>" else word for word in row] for row in own]
        corpus, each = plain_bleu(renamed, real, 1)
        assert found[f"{name}_corpus"] == pytest.approx(corpus, abs=1e-12)
        assert found[f"{name}_sentence"] == pytest.approx(np.mean(each), abs=1e-12)
        assert corpus < plain_bleu(own, real, 1)[0]


def read_ids(folder: Path, split: str) -> list:
    from fairseq_seqgan.cli import inputs

    return inputs.read_split(folder, split, inputs.read_dictionary(folder))


def test_scores_of_oracle_and_bleu_in_one_file(data, samples, tmp_path, capsys):
    options = ["--samples", samples, "--data", data, "--oracle", data / "oracle.npz"]
    evaluate(capsys, *options, "--bleu", 2, "--per-sample", tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz") as arrays:
        assert sorted(arrays.files) == ["bleu2_sentence", "nll_oracle"]


# --- the row of real data


def test_real_split(data, capsys):
    """Another split's sequences in place of samples, against the held-out one."""
    found = evaluate(capsys, "--real-split", "valid", "--data", data, "--bleu", 2)
    check_bleu(found, words_of(data, "valid"), words_of(data, "test"), [2])
    assert (found["samples_split"], found["heldout_split"]) == ("valid", "test")
    assert (found["samples"], found["heldout_sequences"]) == (25, 40)
    assert "samples_file" not in found
    assert main(["evaluate", "--real-split", "valid", "--data", str(data)]) == 0
    assert capsys.readouterr().out.startswith(f"split 'valid', against {data}")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--real-split", "test"], "--real-split test: that is the held-out split"),
        (["--real-split", "valid", "--valid-subset", "valid"], "--real-split valid: that is the"),
        (["--real-split", "dev"], "there is no split 'dev'"),
        (["--real-split", "valid", "--bleu", 0, 2], "--bleu is 0"),
        (["--real-split", "valid", "--bleu", 2, "--bleu-samples", 0], "--bleu-samples is 0"),
        (["--real-split", "valid", "--bleu-samples", 5], "--bleu-samples needs --bleu"),
        (["--real-split", "valid", "--per-sample", "x.npz"], "needs --oracle or --bleu"),
    ],
)
def test_refusals(data, capsys, options, words):
    assert words in refusal(capsys, "--data", data, *options)


@pytest.mark.parametrize("options", [[], ["--samples", "x", "--real-split", "valid"]])
def test_samples_or_a_split(data, capsys, options):
    with pytest.raises(SystemExit) as caught:
        main(["evaluate", "--data", str(data), *options])
    assert caught.value.code == 2
    assert "--samples" in capsys.readouterr().err


# --- music


@pytest.mark.slow
def test_as_a_user_runs_it(data, tmp_path):
    """--bleu of real data, as the row of the paper's Table 2; and a refusal without a traceback."""
    output = tmp_path / "real.json"
    command = ["-m", "fairseq_seqgan.cli", "evaluate", "--data", data, "--bleu", 2, 3]
    done = run_python(*command, "--real-split", "valid", "--json", output, cwd=Path.cwd()).check()
    check_bleu(
        json.loads(output.read_text()), words_of(data, "valid"), words_of(data, "test"), [2, 3]
    )
    assert "backward BLEU-3" in done.stdout
    refused = run_python(*command, "--real-split", "test", cwd=Path.cwd())
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1].startswith("error: --real-split test")
    assert "Traceback" not in refused.output
