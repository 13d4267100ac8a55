"""``evaluate --music``, against plain loops."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from fairseq.data import Dictionary
from fairseq.data.indexed_dataset import make_builder
from helpers.commands import fork, mle
from helpers.evaluate_command import evaluate, refusal
from helpers.evaluate_data import (
    EOS,
    OFFSET,
    PlainLM,
    split_ids,
    write_samples,
)

from fairseq_seqgan.cli import main

KEYS = 12  # words of the music: the keys 40 ... 50 of a piano, and 0


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
    rows = (ids[:-1] for ids in split_ids(folder, split))
    return [[0 if i == OFFSET else i - OFFSET + 39 for i in ids] for ids in rows]


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
