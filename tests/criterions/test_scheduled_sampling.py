"""Criterion ``scheduled_sampling``: the schedule, the coin, what is fed, and the loss."""

import re
from types import SimpleNamespace

import pytest
import torch
from fairseq.criterions.cross_entropy import CrossEntropyCriterion
from helpers.commands import differences, fork, gan, load, mle, run, run_python
from helpers.models import make_dictionary, make_lm
from scipy.stats import binomtest, chisquare

from fairseq_seqgan.criterions.scheduled_sampling import ScheduledSamplingCriterion
from fairseq_seqgan.policy.policy import Policy
from fairseq_seqgan.support.errors import InputError
from fairseq_seqgan.support.rng import seeded_rng

WORDS, BATCH, LENGTH = 30, 40, 7
PAD, EOS, UNK = 1, 2, 3
ARCHS = ["lstm_lm", "transformer_lm"]


@pytest.fixture
def task():
    """What the criterion asks of task seqgan."""
    dictionary = make_dictionary(WORDS)
    options = SimpleNamespace(sample_break_mode="eos", add_bos_token=False, seed=1)
    return SimpleNamespace(
        epoch=1, args=options, source_dictionary=dictionary, target_dictionary=dictionary
    )


def make_batch(words, update=5):
    """Return one of fairseq's batches: *words* (B, T) after the start symbol."""
    edge = torch.full((len(words), 1), EOS)
    ended = torch.cat([words, torch.full_like(edge, PAD)], dim=1)
    ended[torch.arange(len(words)), (words != PAD).sum(dim=1)] = EOS
    return {
        "id": torch.arange(len(words)) + 17,
        "ntokens": int((ended != PAD).sum()),
        "net_input": {
            "src_tokens": torch.cat([edge, words], dim=1),
            "src_lengths": (ended != PAD).sum(dim=1),
        },
        "target": ended,
        "update": update,
    }


def random_words(lengths=LENGTH):
    """Return (B, T) words, each row as long as *lengths* says and then padded."""
    words = torch.randint(4, 4 + WORDS, (BATCH, LENGTH), generator=seeded_rng("words"))
    return words.masked_fill(torch.arange(LENGTH) >= torch.as_tensor(lengths).view(-1, 1), PAD)


def learn(criterion, model, batch):
    """Return loss, sample size, gradients, and torch's random state after an update's passes."""
    torch.manual_seed(3)
    model.zero_grad()
    loss, size, _ = criterion(model, batch)
    loss.backward()
    return loss.detach(), size, [p.grad.clone() for p in model.parameters()], torch.get_rng_state()


# --- the schedule


def test_omega_of_every_epoch(task):
    """It starts at 1 and falls by 0.002 an epoch; never below 0; both are settable."""
    criterion = ScheduledSamplingCriterion(task, False, 1.0, 0.002)
    omegas = [criterion.omega(epoch) for epoch in (1, 2, 3, 120, 500, 501, 502, 9999)]
    assert omegas == pytest.approx([1.0, 0.998, 0.996, 0.762, 0.002, 0.0, 0.0, 0.0], abs=1e-12)
    assert min(omegas) == 0.0
    criterion = ScheduledSamplingCriterion(task, False, 0.7, 0.25)
    assert [criterion.omega(epoch) for epoch in (1, 2, 3, 4)] == pytest.approx([0.7, 0.45, 0.2, 0])


# --- the loss


@pytest.mark.parametrize("arch", ARCHS)
def test_at_omega_1_it_is_cross_entropy(arch, task):
    """The same loss, gradients and random state, to the last bit, dropout and all."""
    model, batch = make_lm(arch, task.source_dictionary), make_batch(random_words())
    ours, fairseqs = (
        learn(criterion, model, batch)
        for criterion in (
            ScheduledSamplingCriterion(task, False, 1.0, 0.002),
            CrossEntropyCriterion(task, False),
        )
    )
    assert differences(ours, fairseqs) == []


@pytest.mark.parametrize("arch", ARCHS)
def test_below_1_it_is_cross_entropy_on_what_was_fed(arch, task):
    """Against the true tokens; the draws take nothing from torch's own random numbers."""
    model, batch = make_lm(arch, task.source_dictionary), make_batch(random_words())
    criterion = ScheduledSamplingCriterion(task, False, 0.5, 0.1)
    task.epoch = 3
    true = batch["net_input"]["src_tokens"]
    fed = criterion.mix(model, true, 0.3, criterion._random(batch))
    assert 0.4 < (fed != true)[:, 1:].float().mean() < 0.9
    mixed = {**batch, "net_input": {**batch["net_input"], "src_tokens": fed}}
    ours = learn(criterion, model, batch)
    assert differences(ours, learn(CrossEntropyCriterion(task, False), model, mixed)) == []
    assert ours[0] != learn(CrossEntropyCriterion(task, False), model, batch)[0]
    assert model.training and all(module.training for module in model.modules())


def test_validation_is_under_the_true_tokens(task):
    model, batch = make_lm("lstm_lm", task.source_dictionary).eval(), make_batch(random_words())
    criterion = ScheduledSamplingCriterion(task, False, 0.0, 0.0).eval()
    loss, _, log = criterion(model, batch)
    assert loss == CrossEntropyCriterion(task, False)(model, batch)[0]
    assert "omega" not in log


# --- the coin


@pytest.mark.parametrize("omega", [0.0, 0.3, 0.9, 1.0])
def test_one_coin_for_every_token(omega, task):
    """True tokens at a share of omega, in every step and sequence alike, independently.

    The true tokens are unknown words, which are never drawn: what was drawn shows.
    """
    words = torch.full((800, LENGTH), UNK)
    model = make_lm("lstm_lm", task.source_dictionary)
    criterion = ScheduledSamplingCriterion(task, False, 1.0, 0.0)
    inputs = make_batch(words)["net_input"]["src_tokens"]
    fed = criterion.mix(model, inputs, omega, seeded_rng(1))
    true = (fed[:, 1:] == UNK).double()
    assert binomtest(int(true.sum()), true.numel(), omega).pvalue > 1e-3
    for t in range(LENGTH):
        assert binomtest(int(true[:, t].sum()), len(true), omega).pvalue > 1e-4
    if 0 < omega < 1:
        # With one coin for a sequence, or for a step, these variances would be 7 or 800 times this.
        variance = omega * (1 - omega)
        assert true.sum(dim=1).var() / (LENGTH * variance) == pytest.approx(1, abs=0.2)
        assert true.sum(dim=0).var() / (len(true) * variance) < 5


# --- what is fed


@pytest.mark.parametrize("arch", ARCHS)
def test_fed_is_the_true_token_or_the_drawn_one(arch, task):
    """Equal to a plain loop: a full pass over all that was fed so far, and one draw."""
    lengths = torch.randint(1, LENGTH + 1, (BATCH,), generator=seeded_rng("lengths"))
    model = make_lm(arch, task.source_dictionary, scale=3.0)
    inputs = make_batch(random_words(lengths))["net_input"]["src_tokens"]
    criterion = ScheduledSamplingCriterion(task, False, 1.0, 0.0)
    fed = criterion.mix(model, inputs, 0.4, seeded_rng("mix"))

    coins, uniforms = torch.rand(2, *inputs.shape, generator=seeded_rng("mix"))
    policy = Policy(model, task.source_dictionary, fixed_length=LENGTH)
    model.eval()
    expected = inputs.clone()
    own = 0
    for t in range(1, LENGTH + 1):
        with torch.no_grad():
            features, _ = model.decoder.extract_features(expected[:, :t], None)
            drawn, _ = policy.draw(features[:, -1], uniforms[:, t])
        for b in range(BATCH):
            if coins[b, t] >= 0.4 and t <= lengths[b]:
                expected[b, t] = drawn[b]
                own += 1
    assert own > BATCH
    assert torch.equal(fed, expected)
    assert (fed != inputs).sum() > BATCH


def test_draws_are_the_policys(task):
    """At the first step, where the model has seen nothing: by its softmax without banned symbols.

    The end symbol is among the banned: a sequence that has ended is not fed.
    """
    model = make_lm("lstm_lm", task.source_dictionary, scale=12.0)
    words = torch.full((6000, 1), 4)
    inputs = make_batch(words)["net_input"]["src_tokens"]
    fed = ScheduledSamplingCriterion(task, False, 1.0, 0.0).mix(model, inputs, 0.0, seeded_rng(2))
    assert (fed[:, 0] == EOS).all()
    found = torch.bincount(fed[:, 1], minlength=4 + WORDS)
    assert found[:4].sum() == 0
    with torch.no_grad():
        model.eval()
        expected = model(inputs[:1, :1])[0][0, 0].double()[4:].softmax(dim=0) * len(words)
    assert expected.min() > 5 and expected.max() > 4 * expected.min()
    assert chisquare(found[4:], expected).pvalue > 1e-3


def test_padding_stays(task):
    model = make_lm("transformer_lm", task.source_dictionary)
    inputs = make_batch(random_words(torch.arange(BATCH) % (LENGTH + 1)))["net_input"]["src_tokens"]
    criterion = ScheduledSamplingCriterion(task, False, 1.0, 0.0)
    fed = criterion.mix(model, inputs, 0.0, seeded_rng(3))
    assert torch.equal(fed == PAD, inputs == PAD)
    assert torch.equal(fed[:, 0], inputs[:, 0])


def test_randomness_is_a_function_of_seed_update_and_batch(task):
    criterion = ScheduledSamplingCriterion(task, False, 1.0, 0.0)

    def numbers(update=5, first=17, seed=1):
        task.args.seed = seed
        batch = {"id": torch.tensor([first, 2]), "update": update}
        return torch.rand(4, generator=criterion._random(batch)).tolist()

    assert numbers() == numbers()
    different = [numbers(), numbers(update=6), numbers(first=18), numbers(seed=2)]
    assert len({tuple(found) for found in different}) == 4


# --- bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((1.1, 0.002), "--ss-start is 1.1"),
        ((-0.1, 0.002), "--ss-start is -0.1"),
        ((float("nan"), 0.002), "--ss-start is nan"),
        ((1.0, -0.1), "--ss-decay is -0.1"),
        ((1.0, float("inf")), "--ss-decay is inf"),
    ],
)
def test_bad_options(task, options, message):
    with pytest.raises(InputError, match=re.escape(message)):
        ScheduledSamplingCriterion(task, False, *options)


def test_bad_task(task):
    task.args.sample_break_mode = "none"
    with pytest.raises(InputError, match="--sample-break-mode"):
        ScheduledSamplingCriterion(task, False, 1.0, 0.0)
    del task.epoch
    with pytest.raises(InputError, match="needs --task seqgan"):
        ScheduledSamplingCriterion(task, False, 1.0, 0.0)


# --- the real commands

SHAPE = "--tokens-per-sample 9 --sample-break-mode eos"  # what stock tasks know, too
SS = "--criterion scheduled_sampling --ss-start 0.9 --ss-decay 0.35".split()


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """A training of three epochs: its folder, and what it printed."""
    folder = tmp_path_factory.mktemp("ss")
    arguments = mle(data, folder, *SS, "--update-epoch-batch-itr", True)
    return folder, run("fairseq-train", *arguments).check()


@pytest.mark.slow
def test_training(trained):
    """Omega is logged, it falls with every epoch, and the model learns."""
    _, result = trained
    omegas = [epoch["omega"] for epoch in result.logged("train")]
    assert omegas == pytest.approx([0.9, 0.55, 0.2])
    losses = [validation["loss"] for validation in result.logged("valid")]
    assert losses[-1] < losses[0]
    assert all("omega" not in validation for validation in result.logged("valid"))


@pytest.mark.slow
def test_at_omega_1_the_training_is_mle(data, pretrained, tmp_path):
    """The same weights as fairseq's cross_entropy leaves, bit for bit."""
    options = ["--criterion", "scheduled_sampling", "--ss-decay", 0]
    fork("train", tmp_path, mle(data, tmp_path, *options)).check()
    ours, mles = load(tmp_path / "checkpoint_last.pt"), load(pretrained.last)
    assert differences(ours["model"], mles["model"]) == []


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--update-freq", 2]], ids=["plain", "update_freq"])
def test_resume_is_exact(options, data, trained, tmp_path):
    """Stopped within an epoch and at the end of one: the same weights and moments."""
    straight, arguments = trained[0], [*SS, "--update-epoch-batch-itr", True, *options]
    if options:
        straight = tmp_path / "straight"
        fork("train", straight, mle(data, straight, *arguments)).check()
    folder = tmp_path / "resumed"
    per_epoch = 4 if options else 7
    for stop in (["--max-update", 3], ["--max-update", per_epoch], ["--max-update", 11], []):
        fork("train", folder, mle(data, folder, *arguments, *stop)).check()
    ours, whole = (load(path / "checkpoint_last.pt") for path in (folder, straight))
    updates = [state["optimizer_history"][-1]["num_updates"] for state in (ours, whole)]
    assert updates == [3 * per_epoch] * 2
    for part in ("model", "last_optimizer_state"):
        assert differences(ours[part], whole[part]) == []


@pytest.mark.slow
def test_the_checkpoint_is_an_ordinary_one(data, trained, tmp_path):
    """Adversarial training starts from it, and stock fairseq scores with it."""
    start = trained[0] / "checkpoint_best.pt"
    assert load(start)["criterion"] is None
    fork("train", tmp_path, gan(data, tmp_path, start, "--max-update", 1)).check()
    begun = load(tmp_path / "checkpoint_last.pt")
    assert differences(begun["model"], load(start)["model"]) == []  # the first update is D's
    stock = 'import sys; sys.modules["fairseq_seqgan"] = None; '
    stock += "from fairseq_cli.eval_lm import cli_main; cli_main()"
    options = ["--task", "language_modeling", "--path", start, "--cpu", "--gen-subset", "test"]
    options += ["--sample-break-mode", "eos", "--required-batch-size-multiple", 1]
    result = run_python("-c", stock, data, *options, "--tokens-per-sample", 9, cwd=tmp_path)
    assert "Evaluated 450 tokens" in result.check().output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--ss-start", 2], "error: --ss-start is 2.0: it must be in [0, 1]"),
        (["--task", "language_modeling"], "error: --criterion scheduled_sampling needs --task"),
    ],
)
def test_refused_in_one_line(options, line, data, tmp_path):
    result = fork("train", tmp_path, mle(data, tmp_path, *SS, *options, shape=SHAPE))
    assert result.returncode == 2
    assert result.stderr.strip().splitlines()[-1].startswith(line)
    assert "Traceback" not in result.output
    assert not list(tmp_path.glob("*.pt"))
