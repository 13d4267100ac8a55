"""``fairseq-seqgan random``: the baselines that look at no word before."""

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from fairseq.data import Dictionary
from helpers.commands import REPO, run_python
from helpers.evaluate_data import UNK, WORDS, binarize, make_sentences
from scipy.stats import chisquare

from fairseq_seqgan.cli import main
from fairseq_seqgan.support.errors import InputError

NUM = 4000


@pytest.fixture
def sentences(tmp_path) -> Path:
    """Data of varying length whose training split has unknown words and one filler word."""
    (tmp_path / "data").mkdir()
    folder = make_sentences(tmp_path / "data")
    rng = np.random.default_rng(1)
    rows = [(rng.zipf(1.6, rng.integers(1, 7)) % WORDS + 4).tolist() for _ in range(300)]
    rows[5] = [UNK, UNK, 4]
    binarize(folder, "train", rows)
    with (folder / "dict.txt").open("a", encoding="utf-8") as file:
        file.write("madeupword0000 0\n")
    return folder


def draw(folder: Path, kind: str, *options: object) -> list[list[str]]:
    """Run the command in this process; return the words that it wrote."""
    output = folder.parent / "samples.txt"
    arguments = ["--data", folder, "--kind", kind, "--output", output, "--num-samples", NUM]
    arguments.append("--overwrite")
    assert main(["random", *map(str, [*arguments, *options])]) == 0
    return [line.split() for line in output.read_text(encoding="utf-8").splitlines()]


def training(folder: Path) -> list[list[int]]:
    from fairseq_seqgan.cli.inputs import read_split

    return read_split(folder, "train", Dictionary.load(str(folder / "dict.txt")))


def test_uniform(sentences, capsys):
    """Every real word alike, and nothing else; lengths as in the training data."""
    samples = draw(sentences, "uniform")
    assert len(samples) == NUM
    assert f"{NUM:,} samples, uniform over {WORDS} words" in capsys.readouterr().out
    counts = Counter(word for sample in samples for word in sample)
    assert counts.keys() == {str(i) for i in range(WORDS)}
    assert chisquare(list(counts.values())).pvalue > 1e-3
    expected, found = (Counter(map(len, part)) for part in (training(sentences), samples))
    assert found.keys() == expected.keys()
    lengths = sorted(expected)
    share = [expected[n] * NUM / 300 for n in lengths]
    assert chisquare([found[n] for n in lengths], share).pvalue > 1e-3


def test_unigram(sentences):
    """Every word as often as in the training data, but for unknown ones."""
    counts = Counter(word for sample in draw(sentences, "unigram") for word in sample)
    known = Counter(i - 4 for row in training(sentences) for i in row if i != UNK)
    assert counts.keys() == {str(i) for i in known}
    scale = counts.total() / known.total()
    pairs = [(counts[str(i)], known[i] * scale) for i in sorted(known)]
    assert chisquare(*zip(*pairs, strict=True)).pvalue > 1e-3
    assert max(known.values()) > 5 * min(known.values()), "too close to uniform to prove anything"


def test_same_seed_same_bytes(sentences):
    assert draw(sentences, "unigram") == draw(sentences, "unigram")
    assert draw(sentences, "unigram") != draw(sentences, "unigram", "--seed", 2)
    assert draw(sentences, "unigram") != draw(sentences, "uniform")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--num-samples", 0], "--num-samples is 0"),
        (["--num-samples", 10**12], "--num-samples is 1000000000000: it must be at most"),
        (["--output", "no/such/folder/x"], "--output no/such/folder/x: there is no such folder"),
        (["--data", "nowhere"], "nowhere: no such folder"),
    ],
)
def test_bad_input(sentences, options, message):
    with pytest.raises(InputError, match=re.escape(message)):
        draw(sentences, "uniform", *options)
    assert not (sentences.parent / "samples.txt").exists()


def test_a_folder_with_a_colon_in_its_name(sentences):
    """fairseq would look for several folders."""
    folder = sentences.rename(sentences.with_name("a:b"))
    with pytest.raises(InputError, match=f"{folder}: fairseq takes what stands between colons"):
        draw(folder, "uniform")


@pytest.mark.parametrize("name", ["dict.txt", "train.bin", "train.idx"])
def test_the_data_are_no_output(sentences, name):
    before = (sentences / name).read_bytes()
    with pytest.raises(InputError, match=rf"--output .*{name}: the command reads it"):
        draw(sentences, "uniform", "--output", sentences / name)
    assert (sentences / name).read_bytes() == before


def test_training_data_without_words(sentences):
    binarize(sentences, "train", [[UNK], []])
    with pytest.raises(InputError, match="holds no word"):
        draw(sentences, "unigram")


@pytest.mark.slow
def test_under_the_authors_oracle(authors_npz, tmp_path):
    """What the authors' oracle is known to say of both kinds, 11.43 and about 10.29."""
    data, samples, out = tmp_path / "data", tmp_path / "samples.txt", tmp_path / "out.json"
    options = ["--dest", data, "--params", authors_npz, "--num-valid", 10, "--num-test", 10]
    run_python(REPO / "preprocess" / "oracle.py", *options).check()
    for kind, expected in (("uniform", 11.43), ("unigram", 10.29)):
        options = ["--data", data, "--kind", kind, "--num-samples", 3000, "--output", samples]
        main(["random", *map(str, options), "--overwrite"])
        options = ["--samples", samples, "--data", data, "--oracle", data / "oracle.npz"]
        main(["evaluate", *map(str, options), "--json", str(out), "--overwrite"])
        assert json.loads(out.read_text())["nll_oracle"] == pytest.approx(expected, abs=0.05)


@pytest.mark.slow
def test_the_command(sentences, tmp_path):
    """As a user runs it."""
    options = ["--data", sentences, "--kind", "uniform", "--output", tmp_path / "samples.txt"]
    result = run_python("-m", "fairseq_seqgan.cli", "random", *options, cwd=REPO).check()
    assert result.stdout == f"10,000 samples, uniform over 8 words: {tmp_path / 'samples.txt'}\n"
    result = run_python("-m", "fairseq_seqgan.cli", "random", *options, "--seed", "x", cwd=REPO)
    assert result.returncode == 2 and "Traceback" not in result.output
