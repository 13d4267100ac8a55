"""``evaluate --bleu``, ``--music`` and ``--real-split``, against sacrebleu and plain loops."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from fairseq.data import Dictionary
from fairseq.data.indexed_dataset import make_builder
from helpers.commands import fork, mle, run_python
from helpers.evaluate_data import (
    EOS,
    OFFSET,
    SAMPLES,
    UNK,
    PlainLM,
    make_data,
    make_sentences,
    words_of,
    write_samples,
)
from sacrebleu.metrics import BLEU

from fairseq_seqgan.cli import main
from fairseq_seqgan.support import compat_checkpoints
from fairseq_seqgan.support.errors import InputError

KEYS = 12  # words of the music: the keys 40 ... 50 of a piano, and 0


@pytest.fixture(autouse=True)
def _allowed_checkpoints():
    """A test that leaves ``torch.serialization.safe_globals`` takes the plugin's list with it."""
    compat_checkpoints.allow_checkpoints()


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return make_data(tmp_path_factory.mktemp("evaluate") / "data")


@pytest.fixture
def samples(tmp_path) -> Path:
    return write_samples(tmp_path / "samples.txt", SAMPLES)


def evaluate(capsys, *arguments: object) -> dict:
    """Run the command in this process; return the JSON that it prints."""
    assert main(["evaluate", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refusal(capsys, *arguments: object) -> str:
    """Return the one line with which the command refuses; nothing else may be printed."""
    with pytest.raises(InputError) as caught:
        main(["evaluate", *map(str, arguments)])
    assert capsys.readouterr().out == ""
    message = str(caught.value)
    assert "\n" not in message
    return message


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


@pytest.fixture(scope="module")
def music(tmp_path_factory) -> Path:
    """Tunes of 3 to 6 steps with silences; none of train and test is silent throughout."""
    folder = tmp_path_factory.mktemp("music")
    dictionary = Dictionary()
    for word in ["0", *map(str, range(40, 40 + KEYS - 1))]:
        dictionary.add_symbol(word)
    dictionary.save(str(folder / "dict.txt"))
    rng = np.random.default_rng(8)
    for split, size in (("train", 80), ("valid", 12), ("test", 15)):
        builder = make_builder(str(folder / f"{split}.bin"), "mmap", len(dictionary))
        for _ in range(size):
            tune = rng.integers(0, KEYS, rng.integers(3, 7)) * (rng.random() < 0.98)
            tune[rng.integers(3)] = 5
            builder.add_item(torch.tensor([*(tune + OFFSET).tolist(), EOS]))
        builder.finalize(str(folder / f"{split}.idx"))
    return folder


@pytest.fixture(scope="module")
def musician(music, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("musician")
    fork("train", folder, mle(music, folder, "--max-epoch", 2, shape="")).check()
    return folder / "checkpoint_last.pt"


def keys_of(folder: Path, split: str) -> list[list[int]]:
    return [[0 if i == OFFSET else i - OFFSET + 39 for i in ids] for ids in read_ids(folder, split)]


def held(tune: list[int]) -> list[int]:
    """The definition: the key before goes on, and the first stands in front too."""
    now, found = next((key for key in tune if key), 0), []
    for key in tune:
        now = key or now
        found.append(now)
    return found


def plain_errors(tunes: list, references: list) -> tuple[list[float], list[float]]:
    to_nearest, to_mean = [], []
    for tune in tunes:
        real = [held(r) for r in references if len(r) == len(tune) and any(r)]
        if not real or not any(tune):
            continue
        own, size = held(tune), len(tune)
        errors = [sum((a - b) ** 2 for a, b in zip(own, r, strict=True)) / size for r in real]
        mean = [sum(column) / len(real) for column in zip(*real, strict=True)]
        to_nearest.append(min(errors))
        to_mean.append(sum((a - b) ** 2 for a, b in zip(own, mean, strict=True)) / size)
    return to_nearest, to_mean


def test_pitch_errors(music, tmp_path, capsys):
    """Of tunes with silences, a silent one and one whose length no held-out tune has."""
    tunes = [[40, 0, 43], [0, 0, 50, 41], [45] * 6, [0, 0, 0], [44] * 9, [0, 41, 42, 0, 49]]
    file = write_samples(tmp_path / "tunes.txt", tunes)
    found = evaluate(capsys, "--samples", file, "--data", music, "--music")
    to_nearest, to_mean = plain_errors(tunes, keys_of(music, "test"))
    assert len(to_nearest) == 4
    assert found["mse_nearest"] == pytest.approx(np.mean(to_nearest), rel=1e-12)
    assert found["mse_mean"] == pytest.approx(np.mean(to_mean), rel=1e-12)
    assert found["mse_left_out"] == 2
    assert "mse_one_step" not in found
    assert main(["evaluate", "--samples", str(file), "--data", str(music), "--music"]) == 0
    printed = capsys.readouterr().out
    assert f"{found['mse_nearest']:.3f}" in printed
    assert "another length" in printed


def test_pitch_errors_in_small_chunks(monkeypatch):
    from fairseq_seqgan.metrics import pitch

    rng = np.random.default_rng(3)
    tunes, real = rng.integers(0, 89, (50, 8)).tolist(), rng.integers(0, 89, (9, 8)).tolist()
    real[4] = [0] * 8  # silent throughout, so no reference
    expected, to_mean = plain_errors(tunes, real)
    assert pitch.nearest(tunes, real).tolist() == expected  # exact: whole numbers
    assert pitch.to_mean(tunes, real) == pytest.approx(to_mean, rel=1e-12)
    monkeypatch.setattr(pitch, "_PAIRS", 20)
    assert pitch.nearest(tunes, real).tolist() == expected


def test_nothing_to_compare_with_is_null(music, tmp_path, capsys):
    file = write_samples(tmp_path / "tunes.txt", [[0, 0, 0], [44] * 9])
    found = evaluate(capsys, "--samples", file, "--data", music, "--music")
    assert (found["mse_nearest"], found["mse_mean"], found["mse_left_out"]) == (None, None, 2)


def plain_one_step(checkpoint: Path, tunes: list, temperature: float) -> float:
    """The definition, one step after the other; silence stands for the key that is held."""
    lm, errors = PlainLM(checkpoint, fixed=False, temperature=temperature), []
    lm.allowed = [EOS, *range(OFFSET, OFFSET + KEYS)]
    for tune in tunes:
        ids = [OFFSET + (key - 39 if key else 0) for key in tune]
        now = 0
        for step, key in enumerate(tune):
            chances = {}
            for index in range(OFFSET, OFFSET + KEYS):
                log_prob = lm.token_log_probs([*ids[:step], index])[-1]
                chances[index - OFFSET] = math.exp(log_prob)
            values = {i: 39 + i if i else now for i in chances if i or now}
            total = sum(chances[i] for i in values)
            now = key or now
            if now:
                drawn = [chances[i] * (values[i] - now) ** 2 for i in values]
                errors.append(sum(drawn) / total)
    return sum(errors) / len(errors)


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_one_step_error(music, musician, tmp_path, capsys, monkeypatch, temperature):
    file = write_samples(tmp_path / "tunes.txt", [[44] * 3])
    options = ["--samples", file, "--data", music, "--music", "--model", musician]
    options += ["--num-eval-samples", 10, "--temperature", temperature]
    found = evaluate(capsys, *options)["mse_one_step"]
    expected = plain_one_step(musician, keys_of(music, "test"), temperature)
    assert found == pytest.approx(expected, rel=1e-4)
    from fairseq_seqgan.cli import model_scores

    monkeypatch.setattr(model_scores, "_LOGITS", 200)
    assert evaluate(capsys, *options)["mse_one_step"] == pytest.approx(found, rel=1e-5)


def test_leading_silence_is_not_due_and_silence_holds():
    """By hand: certain of silence, the model goes on with the key that is held."""
    from fairseq_seqgan.metrics import pitch

    pitches = torch.tensor([math.nan, 0.0, 40.0, 44.0])  # the end, silence and two keys
    silence, even, end = [0.0, 1, 0, 0], [0.5, 0, 0.25, 0.25], [0.9, 0.05, 0.05, 0]
    keys = torch.tensor([[0, 44, 0, 40], [40, 44, -1, -1]])
    probs = torch.tensor([[silence, even, silence, silence], [end, even, even, even]])
    found = pitch.one_step(probs.log(), pitches.double(), keys)
    # 40 or 44, 44, 44 where 44, 44 held, 40 are due; then 40 where 40 is, 40 or 44 where 44 is.
    assert found.tolist() == pytest.approx([8, 0, 16, 0, 8], abs=1e-5)


@pytest.mark.parametrize("symbol", [0, 1])
def test_what_has_nearly_all_the_mass_and_is_left_out(symbol):
    """The end symbol, or silence before the first note, at a low temperature."""
    from fairseq_seqgan.metrics import pitch

    logits = torch.zeros(1, 1, 4)
    logits[..., symbol] = 3
    pitches = torch.tensor([math.nan, 0.0, 40.0, 44.0]).double()
    for temperature in (0.02, 1e-6):
        logits[..., 2] = temperature * math.log(3)  # p(40) is ¾, p(44) ¼
        log_probs = (logits.double() / temperature).log_softmax(dim=2)
        found = pitch.one_step(log_probs, pitches, torch.tensor([[44]]))
        assert found.tolist() == pytest.approx([12])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("40 41 42\n40 <unk> 42\n", r"tunes.txt, line 2: '<unk>' is not a pitch"),
        ("40 41 42\n\n", r"tunes.txt, line 2: an empty line, not a tune"),
    ],
)
def test_a_token_that_is_no_pitch(music, tmp_path, capsys, text, words):
    (tmp_path / "tunes.txt").write_text(text)
    message = refusal(capsys, "--samples", tmp_path / "tunes.txt", "--data", music, "--music")
    assert words in message


def test_a_held_out_token_that_is_no_pitch(music, tmp_path, capsys):
    for path in music.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    words = tmp_path / "dict.txt"
    words.write_text(words.read_text().replace("44 1", "rest 1"))
    message = refusal(capsys, "--real-split", "valid", "--data", tmp_path, "--music")
    assert "split 'valid', sequence " in message
    assert "'rest' is not a pitch (1 to 88, or 0 for silence)" in message


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
