"""Sampling with D: the distribution of what is kept, the real command, and what is refused."""

import math
import weakref
from itertools import product

import pytest
import torch
from fairseq.data import Dictionary
from helpers.commands import LENGTH, fork, gan, generate, load
from helpers.models import make_dictionary, make_lm
from scipy import stats

from fairseq_seqgan.criterions.saved_discriminator import load_discriminator
from fairseq_seqgan.policy.guided import EffectiveCandidates, Guide, _choose, guided_sample
from fairseq_seqgan.policy.policy import Policy
from fairseq_seqgan.policy.rollouts import sample
from fairseq_seqgan.support.rng import seeded_rng

STEPS, SLOPE = 3, 0.8
EVERYTHING = torch.tensor(list(product([4, 5], repeat=STEPS)))
LOG_ODDS = torch.tensor([1.2, -0.9, 0.3, 0.8, -1.5, 1.0, 0.0, -0.4])


def numbers(tokens):
    """The number of each sequence over {0, 1} among the 8."""
    bits = tokens - 4
    return bits[:, 0] * 4 + bits[:, 1] * 2 + bits[:, 2]


@pytest.fixture(scope="module")
def policy():
    dictionary = make_dictionary(2)
    model = make_lm("lstm_lm", dictionary, 8, scale=4.0).eval()
    return Policy(model, dictionary, fixed_length=STEPS)


def draw(policy, num, candidates, seed=1, log_odds=LOG_ODDS, **options):
    guide = Guide(lambda tokens: log_odds[numbers(tokens)], SLOPE, candidates)
    streams = [seeded_rng("stream", seed, k) for k in range(candidates)]
    choices = [seeded_rng("choice", seed, k) for k in range(candidates)]
    return guided_sample(policy, num, guide, streams, choices, **options)


@torch.no_grad()
def exact(policy, candidates):
    """The probabilities of the 8 sequences: of G, and of the one kept among *candidates*."""
    own = policy.log_probs(EVERYTHING).sum(dim=1).exp().double()
    own /= own.sum()
    weights = (SLOPE * LOG_ODDS.double()).exp()
    if candidates == math.inf:
        return own * weights / (own * weights).sum()
    kept = torch.zeros(8, dtype=torch.float64)
    for chosen in product(range(8), repeat=candidates):
        among = torch.tensor(chosen)
        probability = own[among].prod()
        kept.index_add_(0, among, probability * weights[among] / weights[among].sum())
    return kept


@pytest.mark.parametrize("candidates", [1, 2, 4])
def test_kept_with_the_exact_probability(policy, candidates):
    """Chi-square against the enumeration of all tuples of candidates."""
    num = 30_000
    counts = torch.bincount(numbers(draw(policy, num, candidates).samples.tokens), minlength=8)
    expected = exact(policy, candidates) * num
    assert stats.chisquare(counts, expected).pvalue > 0.001


def test_approaches_the_residual_model_as_k_grows(policy):
    """The distance to p falls with K, and for K = 64 chi-square sees no difference."""
    num, target = 20_000, exact(policy, math.inf)
    distance = {}
    for candidates in (1, 4, 64):
        found = numbers(draw(policy, num, candidates).samples.tokens)
        counts = torch.bincount(found, minlength=8)
        distance[candidates] = float((counts / num - target).abs().sum() / 2)
    assert distance[1] > 2 * distance[4] > 2 * distance[64]
    assert stats.chisquare(counts, target * num).pvalue > 0.001


def test_one_candidate_is_plain_sampling(policy):
    """The same bits, whatever D says."""
    plain = sample(policy, 500, seeded_rng("stream", 1, 0))
    assert all(map(torch.equal, draw(policy, 500, 1).samples, plain))


def test_what_is_reported(policy):
    """a d(x) of what was kept, G's own log-probabilities, and the effective candidates."""
    found = draw(policy, 200, 5)
    weights = SLOPE * LOG_ODDS[numbers(found.samples.tokens)].double()
    torch.testing.assert_close(found.log_weights, weights)
    own = policy.log_probs(found.samples.tokens)
    torch.testing.assert_close(found.samples.log_probs, own, atol=1e-5, rtol=1e-4)
    assert ((found.effective >= 1 - 1e-9) & (found.effective <= 5 + 1e-9)).all()
    equal = draw(policy, 50, 5, log_odds=torch.zeros(8))
    torch.testing.assert_close(equal.effective, torch.full((50,), 5.0, dtype=torch.float64))
    steep = draw(policy, 50, 5, log_odds=100 * torch.arange(8.0))
    assert steep.effective.mean() < 2.5


@pytest.mark.parametrize("candidates", [3, 50])
def test_few_candidates_are_in_memory_whatever_k_is(policy, candidates):
    """The one that is kept, and the one that D looks at."""
    seen, alive = [], []

    def log_odds(tokens):
        seen.append(weakref.ref(tokens))
        alive.append(sum(tokens() is not None for tokens in seen))
        return LOG_ODDS[numbers(tokens)]

    streams, choices = ([seeded_rng(n, k) for k in range(candidates)] for n in ("a", "b"))
    guided_sample(policy, 20, Guide(log_odds, SLOPE, candidates), streams, choices)
    assert len(seen) == candidates and max(alive) <= 2


def test_the_discriminators_verdict_may_be_on_another_device():
    """D's log-odds come to the CPU, where the samples of a GPU are not."""
    new, old = (torch.empty(2, 3, device="meta") for _ in range(2))
    assert _choose(torch.tensor([True, False]), new, old).shape == (2, 3)


def test_prefixes_are_kept(policy):
    prefix = torch.tensor([[4, 5]]).expand(100, 2)
    found = draw(policy, 100, 4, prefix=prefix)
    assert torch.equal(found.samples.tokens[:, :2], prefix)
    assert found.samples.tokens[:, 2].unique().numel() == 2


def test_a_warning_where_the_best_one_is_always_kept(caplog):
    for effective, warns in ((3.0, False), (1.1, True)):
        caplog.clear()
        counted = EffectiveCandidates(8)
        counted.add(torch.full((10,), effective))
        with caplog.at_level("INFO"):
            counted.report()
        assert f"{effective:.2f} effective candidates" in caplog.text
        assert ("favourites" in caplog.text) == warns


def samples_of(result):
    """(id, score in nats, text) of every hypothesis, in the order in which they were printed."""
    lines = [line for line in result.check().stdout.splitlines() if line.startswith("H-")]
    fields = [line[2:].split("\t") for line in lines]
    return [(int(i), float(score) * math.log(2), text) for i, score, text in fields]


@pytest.fixture(scope="module")
def guided(data, played, tmp_path_factory):
    """A function that runs fairseq-generate on the checkpoint of a whole training."""
    folder = tmp_path_factory.mktemp("guided")

    def run(*options):
        options = ["--num-samples", 30, "--batch-size", 30, *options]
        return fork("generate", folder, generate(data, played.last, *options))

    return run


def test_the_command(guided):
    """So many lines, in order; the same seed gives the same bytes, whatever the batch size."""
    first = guided("--guide", 8)
    found = samples_of(first)
    assert [number for number, *_ in found] == list(range(30))
    assert all(len(text.split()) == LENGTH for *_, text in found)
    assert "30 sequences with --guide 8" in first.output
    assert samples_of(guided("--guide", 8)) == found
    for (number, score, text), other in zip(
        found, samples_of(guided("--guide", 8, "--batch-size", 7)), strict=True
    ):
        assert (number, pytest.approx(score, abs=1e-4), text) == other
    assert {t for *_, t in samples_of(guided("--guide", 8, "--guide-scale", 9))} != {
        text for *_, text in found
    }


def test_the_command_with_one_candidate(guided):
    """--guide 1 is plain sampling, bit for bit."""
    one, plain = guided("--guide", 1), guided()
    assert samples_of(one) == samples_of(plain)


@pytest.mark.parametrize(
    "options",
    [("--sampling-topk", 1), ("--sampling-topp", 1e-6), ("--temperature", 1e-3)],
    ids=lambda options: options[0],
)
def test_restrictions_and_temperatures_hold_for_every_candidate(guided, options):
    """Where G can draw one sequence only, D has no choice."""
    greedy = {text for *_, text in samples_of(guided("--sampling-topk", 1))}
    assert {text for *_, text in samples_of(guided("--guide", 3, *options))} == greedy
    assert len(greedy) == 1


def test_prefixes_by_the_command(guided, data):
    """Every sample begins with the words of its test sentence; D chooses the rest."""
    sentences = [line.split() for line in (data / "test.txt").read_text().splitlines()][:30]
    found = samples_of(guided("--guide", 4, "--prefix-size", 3))
    assert [text.split()[:3] for *_, text in found] == [words[:3] for words in sentences]
    plain = samples_of(guided("--prefix-size", 3))
    assert [text for *_, text in found] != [text for *_, text in plain]


def test_the_score_is_that_of_g_and_d(guided, data, played):
    """(log G + a d) / T, with the log-probabilities of the tokens and the D of the checkpoint."""
    result = guided("--guide", 6, "--guide-scale", 0.7).check()
    own = {
        int(line[2:].split("\t")[0]): [float(x) for x in line.split("\t")[1].split()]
        for line in result.stdout.splitlines()
        if line.startswith("P-")
    }
    dictionary = Dictionary.load(str(data / "dict.txt"))
    discriminator = load_discriminator(str(played.last), dictionary)
    for number, score, text in samples_of(result):
        tokens = torch.tensor([[dictionary.index(word) for word in text.split()]])
        log_odds = float(discriminator.log_odds(tokens))
        total = math.log(2) * sum(own[number]) + 0.7 * log_odds
        assert score == pytest.approx(total / LENGTH, abs=2e-4)  # printed with four digits


def test_all_weights_on_one_candidate(guided):
    result = guided("--guide", 4, "--guide-scale", 1e6).check()
    lines = [line for line in result.output.splitlines() if "favourites" in line]
    assert len(lines) == 1 and "the weights lie on 1.00 candidates on average" in lines[0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--guide", 0], "--guide is 0"),
        (["--guide", 4, "--guide-scale", -1], "--guide-scale is -1"),
        (["--guide-scale", 1], "--guide-scale needs --guide"),
    ],
)
def test_refused(guided, options, words):
    result = guided(*options)
    assert result.returncode == 2
    assert words in result.stderr.strip().splitlines()[-1]
    assert "Traceback" not in result.output


def test_without_sampling(data, played, tmp_path):
    """A search has no samples to choose among."""
    arguments = generate(data, played.last, "--guide", 4, "--num-samples", 1)
    arguments.remove("--sampling")
    result = fork("generate", tmp_path, arguments)
    assert result.returncode == 2
    assert "--guide needs --sampling" in result.stderr.strip().splitlines()[-1]


def test_a_checkpoint_without_a_discriminator(data, pretrained, tmp_path):
    result = fork(
        "generate", tmp_path, generate(data, pretrained.best, "--num-samples", 3, "--guide", 4)
    )
    assert result.returncode == 2
    assert "holds no discriminator" in result.stderr.strip().splitlines()[-1]


def test_a_checkpoint_without_a_slope(data, played, tmp_path):
    state = load(played.last)
    del state["extra_state"]["SeqGANTask"]["slope"]
    torch.save(state, tmp_path / "no_slope.pt")
    options = ["--num-samples", 3, "--guide", 4]
    result = fork("generate", tmp_path, generate(data, tmp_path / "no_slope.pt", *options))
    assert result.returncode == 2
    assert "give --guide-scale" in result.stderr.strip().splitlines()[-1]


def test_a_discriminator_of_another_vocabulary(data, played, tmp_path):
    state = load(played.last)
    weight = state["criterion"]["discriminator.embed.weight"]
    state["criterion"]["discriminator.embed.weight"] = weight[:-3]
    torch.save(state, tmp_path / "other.pt")
    options = ["--num-samples", 3, "--guide", 4]
    result = fork("generate", tmp_path, generate(data, tmp_path / "other.pt", *options))
    assert result.returncode == 2
    assert "another vocabulary" in result.stderr.strip().splitlines()[-1]


def test_an_ensemble_of_variable_length(text, tmp_path):
    """The whole way: D of two nets with token dropout, trained on text, guides the samples."""
    shape = "--tokens-per-sample 12"
    options = ["--d-ensemble", 2, "--d-token-dropout", 0.1, "--discriminator", "rcnn"]
    options += ["--d-hidden-size", 8, "--d-features", 8]
    arguments = gan(text, tmp_path / "gan", None, *options, shape=shape)
    fork("train", tmp_path, arguments).check()
    checkpoint = tmp_path / "gan" / "checkpoint_last.pt"
    result = fork(
        "generate", tmp_path, generate(text, checkpoint, "--num-samples", 20, "--guide", 4)
    )
    assert len(samples_of(result)) == 20
