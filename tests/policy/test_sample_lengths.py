"""How long samples are: as in the training, or as an option says."""

import pytest
from helpers.commands import LENGTH, PLUGIN, fork, gan, generate, mle
from helpers.samples import TRANSFORMER, hypotheses
from helpers.trainings import made_once

from fairseq_seqgan.pretrained import SeqGAN

pytestmark = pytest.mark.slow

LEARNED = f"{TRANSFORMER} --decoder-learned-pos"


@pytest.fixture(scope="session")
def learned_positions(text, tmp_path_factory):
    """A language model with 12 learned positions."""
    form = {"model": LEARNED, "shape": "--tokens-per-sample 12"}

    def make(folder):
        fork("train", folder, mle(text, folder, "--max-epoch", 1, **form)).check()

    return made_once(tmp_path_factory, "learned", make) / "checkpoint_last.pt"


@pytest.mark.parametrize("of", ["played", "mle"])
def test_variable_length(of, text, played_text, tmp_path):
    """Text without a fixed length: samples of several lengths, as in the training.

    The model has positions for 11 words; the longest training sequence has 6. From Python likewise.
    Samples of MLE, which stands beside it in a report, are as long.
    """
    played_text = {"played": played_text, "mle": played_text.parent / "mle" / "checkpoint_best.pt"}[
        of
    ]
    options = ["--num-samples", 50, "--temperature", 3]
    result = fork("generate", tmp_path, generate(text, played_text, *options))
    samples = hypotheses(result)
    lengths = {len(sample) for _, sample in samples}
    assert len(samples) == 50
    assert len(lengths) > 2 and max(lengths) == 6
    assert "did not end within 6 tokens" in result.output
    assert SeqGAN.from_pretrained(played_text, text).max_length == 6
    assert set("abcdefgh").issuperset(word for _, sample in samples for word in sample)


@pytest.mark.parametrize("option", ["--max-length", "--max-len-b"])
def test_samples_end_within_the_maximal_length(option, text, played_text, tmp_path):
    """``--max-length 3``, or fairseq's own option, is the most words of a sample.

    Sentences have 2 to 6 words, so many samples are cut off, which is said once.
    """
    options = ["--num-samples", 50, option, 3, "--batch-size", 20]
    result = fork("generate", tmp_path, generate(text, played_text, *options))
    samples = hypotheses(result)
    assert max(len(sample) for _, sample in samples) == 3
    assert result.output.count("samples did not end within 3 tokens and were cut off there") == 1
    assert "of 50 samples did not end" in result.output


@pytest.fixture(scope="session")
def trained_to_six(text, played_text, tmp_path_factory):
    """The same, trained with ``--max-length 6``, which its checkpoint holds."""

    def make(folder):
        form = {"model": TRANSFORMER, "shape": "--tokens-per-sample 12 --max-length 6"}
        start = played_text.parent / "mle" / "checkpoint_best.pt"
        fork("train", folder, gan(text, folder, start, "--rounds", 1, **form)).check()

    return made_once(tmp_path_factory, "longest", make) / "checkpoint_last.pt"


@pytest.mark.parametrize("options", [["--max-len-b", 3], ["--max-length", 5, "--max-len-b", 3]])
def test_shorter_than_the_training_asked_for(options, text, trained_to_six, tmp_path):
    """fairseq's own option also where the checkpoint, or the command line, holds a length."""
    arguments = generate(text, trained_to_six, "--num-samples", 50, *options)
    assert max(len(words) for _, words in hypotheses(fork("generate", tmp_path, arguments))) == 3


def test_search_keeps_to_the_maximal_length(text, trained_to_six, tmp_path):
    """A search finds no longer sequence than sampling does."""
    options = [text, "--user-dir", PLUGIN, "--task", "seqgan", "--path", trained_to_six, "--cpu"]
    options += [
        "--num-samples",
        1,
        "--beam",
        4,
        "--min-len",
        3,
        "--lenpen",
        50,
    ]  # long ones are best
    for more, most in (([], 6), (["--max-length", 3], 3)):
        (_, words), *_ = hypotheses(fork("generate", tmp_path, [*options, *more]))
        assert 3 <= len(words) <= most


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--max-length 50", "--max-length: the model has learned 12 positions, so a sequence has"),
        ("--fixed-length 50", "at most 12 tokens, not 50"),
        ("--max-len-a 2", "--max-len-a: a language model has no source"),
    ],
)
def test_refused_lengths(options, words, text, learned_positions, tmp_path):
    """torch would fail at the first token beyond the last position."""
    arguments = generate(text, learned_positions, "--num-samples", 5, *options.split())
    result = fork("generate", tmp_path, arguments)
    assert result.returncode == 2 and "Traceback" not in result.output
    assert words in result.stderr.strip().splitlines()[-1]


def test_training_beyond_the_positions_is_refused(text, learned_positions, tmp_path):
    """Before D's pre-training, not at the first sequence that is so long."""
    form = {"model": LEARNED, "shape": "--tokens-per-sample 12 --max-length 50"}
    result = fork("train", tmp_path, gan(text, tmp_path / "gan", learned_positions, **form))
    assert result.returncode == 2 and "Traceback" not in result.output
    assert "has learned 12 positions" in result.stderr.strip().splitlines()[-1]


def test_no_maximal_length_where_it_is_fixed(data, played, tmp_path):
    """Sequences without an end symbol cannot end earlier."""
    arguments = generate(data, played.last, "--num-samples", 5, "--max-length", 5)
    result = fork("generate", tmp_path, arguments)
    assert result.returncode == 2
    words = f"--max-length 5: the checkpoint's sequences have a fixed length of {LENGTH} tokens"
    assert words in result.stderr.strip().splitlines()[-1]
