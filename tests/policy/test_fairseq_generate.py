"""fairseq-generate and fairseq-interactive with task seqgan: how many samples, of what, which."""

import subprocess

import pytest
import torch
from helpers.commands import LENGTH, PLUGIN, WORDS, fork, generate, load, mle, program
from helpers.samples import TRANSFORMER, hypotheses

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def draw(data, played, tmp_path_factory):
    """A function that samples from ``played``: options of fairseq-generate → [(id, words)]."""
    folder = tmp_path_factory.mktemp("samples")
    return lambda *options: hypotheses(
        fork("generate", folder, generate(data, played.last, *options))
    )


@pytest.fixture(scope="session")
def drawn(draw):
    """100 samples with seed 1."""
    return draw("--num-samples", 100)


def test_exactly_the_samples_asked_for(drawn):
    """100 of them, in order, each of exactly T words of the data and no banned symbol.

    T is the checkpoint's: the command line does not say it.
    """
    assert [number for number, _ in drawn] == list(range(100))
    words = {str(i) for i in range(WORDS)}
    assert all(len(sample) == LENGTH and words.issuperset(sample) for _, sample in drawn)


def test_seed_decides(draw, drawn):
    """The same seed gives the same samples, whatever the batch size; another seed gives others."""
    assert draw("--num-samples", 100, "--batch-size", 7) == drawn
    others = draw("--num-samples", 100, "--seed", 2)
    assert sum(a == b for a, b in zip(others, drawn, strict=True)) <= 1


def test_prefixes_are_continued(draw, data):
    """``--prefix-size 3`` keeps the first three words of each test sentence, and draws the rest."""
    sentences = [line.split() for line in (data / "test.txt").read_text().splitlines()]
    continued = draw("--prefix-size", 3)
    assert [number for number, _ in continued] == list(range(len(sentences)))
    assert [sample[:3] for _, sample in continued] == [words[:3] for words in sentences]
    assert all(len(sample) == LENGTH for _, sample in continued)
    same = sum(s == words for (_, s), words in zip(continued, sentences, strict=True))
    assert same < 5, "copies of the test sentences"


def test_a_prompt_as_long_as_a_sequence_is_refused(data, played, tmp_path):
    """There would be nothing to draw."""
    result = fork("generate", tmp_path, generate(data, played.last, "--prefix-size", LENGTH))
    assert result.returncode == 2
    assert (
        f"a prompt of {LENGTH} tokens: sequences of this model have at most {LENGTH}"
        in (result.stderr.strip().splitlines()[-1])
    )


def test_prefixes_repeat_to_num_samples(draw):
    """With both options the sentences are used again from the first."""
    continued = [sample[:2] for _, sample in draw("--prefix-size", 2, "--num-samples", 53)]
    assert len(continued) == 53
    assert continued[50:] == continued[:3]


def test_top_1_is_greedy(draw):
    """``--sampling-topk 1`` always gives the same sequence; no seed changes it."""
    greedy = [draw("--num-samples", 5, "--sampling-topk", 1, "--seed", seed) for seed in (1, 2)]
    assert greedy[0] == greedy[1]
    assert len({tuple(sample) for _, sample in greedy[0]}) == 1


@pytest.mark.parametrize("options", [["--temperature", 0.2], ["--sampling-topp", 0.1]])
def test_sharper_distributions_use_fewer_words(options, draw, drawn):
    """A low temperature and a small nucleus each keep to the likely words."""
    count = len({word for _, sample in drawn for word in sample})
    sharp = draw("--num-samples", 100, *options)
    assert len({word for _, sample in sharp for word in sample}) < count
    assert all(len(sample) == LENGTH for _, sample in sharp)


def test_nbest_draws_more_for_each_item(draw):
    """``--nbest 3`` gives three different samples under every number."""
    numbers = [number for number, _ in draw("--num-samples", 4, "--nbest", 3, "--beam", 3)]
    assert numbers == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_search_keeps_to_the_length_and_the_words(data, played, tmp_path):
    """Beam search, too, gives T words, none of them banned."""
    options = [data, "--user-dir", PLUGIN, "--task", "seqgan", "--path", played.last, "--cpu"]
    options += ["--num-samples", 2, "--beam", 4]
    result = fork("generate", tmp_path, options)
    (_, first), (_, second) = hypotheses(result)
    assert "--num-samples 2 without --sampling: a search finds the most likely" in result.output
    assert first == second
    assert len(first) == LENGTH and {str(i) for i in range(WORDS)}.issuperset(first)


def test_interactive_continues_what_is_typed(data, played):
    """fairseq-interactive --sampling takes a line as the beginning of a sample."""
    options = f"--user-dir {PLUGIN} --task seqgan --path {played.last} --sampling --cpu".split()
    options += ["--fixed-length", str(LENGTH), "--buffer-size", "3"]
    typed = ["3 4 5", "", "7 7"]
    result = subprocess.run(
        [program("fairseq-interactive"), data, *options],
        input="\n".join(typed) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in result.stdout.splitlines() if line.startswith("H-")]
    samples = [line.split("\t")[2] for line in lines]
    assert all(
        s.startswith(t) and len(s.split()) == LENGTH for s, t in zip(samples, typed, strict=True)
    )


def test_interactive_refuses_what_the_model_has_no_positions_for(text, tmp_path):
    """In one line, with and without --sampling."""
    form = {"model": TRANSFORMER, "shape": "--tokens-per-sample 12"}
    fork("train", tmp_path, mle(text, tmp_path, "--max-update", 1, **form)).check()
    options = f"--user-dir {PLUGIN} --task seqgan --path {tmp_path}/checkpoint_last.pt --cpu"
    for more in ((), ("--sampling",)):
        result = subprocess.run(
            [program("fairseq-interactive"), text, *options.split(), *more],
            input="a " * 12 + "\n",
            capture_output=True,
            text=True,
        )
        assert result.returncode == 2 and "Traceback" not in result.stderr
        said = result.stderr.strip().splitlines()[-1]
        assert "sequence 1 has 12 tokens and an end symbol; the model has 12 positions" in said


def test_interactive_tells_of_words_that_are_not_known(text, played_text):
    options = f"--user-dir {PLUGIN} --task seqgan --path {played_text} --sampling --cpu".split()
    result = subprocess.run(
        [program("fairseq-interactive"), text, *options, "--buffer-size", "3"],
        input="a b\nthe b\n\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert (result.stdout + result.stderr).count("1 of 1 prompts hold words that are not") == 1


@pytest.mark.parametrize(
    ("options", "told"), [("", True), ("--prefix-size 2", False), ("--num-samples 1", False)]
)
def test_a_search_over_whole_sentences_is_told(options, told, text, played_text, tmp_path):
    """Its BLEU is that of the sentences that it was given."""
    options = f"--gen-subset test --user-dir {PLUGIN} --task seqgan --cpu {options}".split()
    result = fork("generate", tmp_path, [text, "--path", played_text, *options]).check()
    assert ("the search continues whole sentences" in result.output) is told


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--max-len-b 5", f"--max-len-b 5: sequences have a fixed length of {LENGTH}"),
        ("--min-len 3", "--min-len: is for a search"),
        ("--no-repeat-ngram-size 2", "--no-repeat-ngram-size: is for a search"),
        ("--lenpen 2", "--lenpen: is for a search"),
        ("--diversity-rate 0.5", "--diversity-rate: is for a search"),
        ("--score-reference", "--score-reference: is for a search"),
        ("--retain-dropout", "--retain-dropout: is for a search"),
        (
            "--distributed-world-size 3 --batch-size 3",
            "--distributed-world-size 3: there are 2 batches for them; a smaller",
        ),
    ],
)
def test_what_would_do_nothing_is_refused(options, words, data, played, tmp_path):
    arguments = generate(data, played.last, "--num-samples", 5, *options.split())
    result = fork("generate", tmp_path, arguments)
    assert result.returncode == 2 and "H-0" not in result.stdout
    assert words in result.stderr.strip().splitlines()[-1]


def test_sentences_that_a_prefix_holds_whole(text, played_text, tmp_path):
    """They are returned as they are, and counted."""
    sentences = [line.split() for line in (text.parent / "test.txt").read_text().splitlines()]
    whole = sum(len(words) < 4 for words in sentences)
    assert 0 < whole < len(sentences)
    options = ["--prefix-size", 4, "--batch-size", 7]
    result = fork("generate", tmp_path, generate(text, played_text, *options))
    assert [w for _, w in hypotheses(result) if len(w) < 4] == [w for w in sentences if len(w) < 4]
    line = f"{whole} of {len(sentences)} sentences end within --prefix-size, so they are returned"
    assert result.output.count(line) == 1


@pytest.mark.parametrize(("temperature", "told"), [(1, True), (0.5, False)])
def test_another_temperature_than_in_training_is_told(temperature, told, data, played, tmp_path):
    state = load(played.last)
    state["cfg"]["task"]["temperature"] = 0.5
    torch.save(state, tmp_path / "cold.pt")
    options = ["--num-samples", 5, "--temperature", temperature]
    result = fork("generate", tmp_path, generate(data, tmp_path / "cold.pt", *options)).check()
    line = "the checkpoint was trained at --temperature 0.5; samples are drawn at 1"
    assert (line in result.output) is told


@pytest.mark.parametrize(
    ("part", "options", "words"),
    [
        ("model", [], "the policy's log-probability of a sample is NaN"),
        ("criterion", ["--guide", 2], "D's verdict of a sample is NaN"),
    ],
)
def test_a_net_that_has_diverged_draws_nothing(part, options, words, data, played, tmp_path):
    """Empty lines, or the first candidates, would look like samples."""
    state = load(played.last)
    for weight in state[part].values():
        if weight.is_floating_point():
            weight.fill_(float("nan"))
    torch.save(state, tmp_path / "nan.pt")
    arguments = generate(data, tmp_path / "nan.pt", "--num-samples", 5, *options)
    result = fork("generate", tmp_path, arguments)
    assert result.returncode == 3 and "Traceback" not in result.output
    assert words in result.stderr.strip().splitlines()[-1]
    assert "H-0" not in result.stdout


def test_shards_draw_different_samples(text, played_text, tmp_path):
    """Two processes share the items; the second has one batch less, and none of the first's."""
    found = []
    for rank in range(2):
        options = "--num-samples 50 --batch-size 10 --distributed-world-size 2".split()
        arguments = generate(text, played_text, *options, "--distributed-rank", rank)
        found.append(hypotheses(fork("generate", tmp_path, arguments)))
    items = [[number for number, _ in shard] for shard in found]
    assert sorted([*items[0], *items[1]]) == list(range(50))
    assert [len(shard) for shard in items] == [30, 20]
    first, second = ([sample for _, sample in shard] for shard in found)
    assert first[:20] != second
