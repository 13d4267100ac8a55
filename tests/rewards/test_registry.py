"""The registry in which ``--reward`` finds a reward, and fairseq its options."""

from dataclasses import dataclass, field

import pytest
import torch
from fairseq import options
from fairseq.dataclass import FairseqDataclass
from helpers.commands import PLUGIN, run

from fairseq_seqgan.rewards import base
from fairseq_seqgan.rewards.base import REWARDS, Reward, register_reward, reward_class
from fairseq_seqgan.support import compat
from fairseq_seqgan.support.errors import InputError
from fairseq_seqgan.tasks import seqgan as task
from fairseq_seqgan.tasks.config import make_config

BUILT_IN = ["discriminator", "logit", "bleu", "constant", "random", "shuffled"]


@dataclass
class EvenConfig(FairseqDataclass):
    even_weight: float = field(default=2.0, metadata={"help": "what an even word is worth"})


class Even(Reward):
    """The share of even words."""

    @classmethod
    def build(cls, options, inputs):
        return cls()

    def __call__(self, tokens, generator):
        return (tokens % 2 == 0).float().mean(dim=1)


@pytest.fixture
def registry(monkeypatch):
    """The registry, which is afterwards as it was."""
    rewards, parts = dict(REWARDS), list(base.OPTIONS)
    yield REWARDS
    REWARDS.clear()
    REWARDS.update(rewards)
    base.OPTIONS[:] = parts
    compat.replace_options("task", "seqgan", task.SeqGANTask, make_config())


def parse(*arguments):
    """Parse a command line of fairseq-train, as it does."""
    parser = options.get_training_parser()
    line = [*"/data --task seqgan --arch lstm_lm --criterion seqgan".split(), *arguments]
    return options.parse_args_and_arch(parser, line)


def test_what_there_is():
    """Every module of the folder registers what it defines."""
    assert sorted(REWARDS) == sorted(BUILT_IN)
    assert all(cls.name == name for name, cls in REWARDS.items())


def test_a_registered_reward_becomes_an_option(registry, capsys):
    """Its name is a choice of --reward, and the fields of its dataclass are options."""
    with pytest.raises(SystemExit):
        parse("--reward", "even")
    assert "invalid choice: 'even'" in capsys.readouterr().err
    assert register_reward("even", dataclass=EvenConfig)(Even) is Even
    assert reward_class("even") is Even and Even.name == "even"
    args = parse("--reward", "even", "--even-weight", "7")
    assert (str(args.reward), args.even_weight) == ("even", 7.0)
    assert parse().even_weight == 2.0
    assert make_config()(reward="even").even_weight == 2.0
    assert torch.equal(Even()(torch.tensor([[4, 5]]), None), torch.tensor([0.5]))


def test_a_name_is_taken_once(registry):
    """Nobody replaces the reward of another file unnoticed."""
    with pytest.raises(ValueError, match="reward 'bleu' already: BleuReward"):
        register_reward("bleu")(Even)
    assert registry["bleu"] is not Even and Even.name != "bleu"


def test_only_rewards_are_registered(registry):
    with pytest.raises(ValueError, match="reward 'even': dict must extend Reward"):
        register_reward("even")(dict)
    assert "even" not in registry


def test_a_clash_of_options_names_them(registry):
    """Two rewards with an option of the same name."""

    @dataclass
    class Clashing(FairseqDataclass):
        bleu_order: int = field(default=1, metadata={"help": "another"})

    with pytest.raises(InputError, match="--bleu-order is defined by BleuRewardConfig and by Cla"):
        register_reward("even", dataclass=Clashing)(Even)


def test_unknown_name():
    """The message lists what there is."""
    with pytest.raises(InputError, match=r"^error: --reward 'blue': choose") as refused:
        reward_class("blue")
    assert all(name in str(refused.value) for name in BUILT_IN)


def test_help_shows_rewards_and_their_options():
    """``fairseq-train --help`` lists them, though fairseq's own stops before the task's options."""
    options = ["--user-dir", PLUGIN, "--task", "seqgan", "--criterion", "seqgan", "--help"]
    printed = run("fairseq-train", *options, env={"COLUMNS": "200"}).check().stdout
    assert "--reward {" + ",".join(REWARDS) + "}" in printed
    for option in ("--bleu-order", "--bleu-smoothing", "--rollouts", "--d-hidden-size", "--arch"):
        assert f" {option} " in printed
    assert "the longest n-grams" in printed
    chosen = run("fairseq-train", *options, "--arch", "lstm_lm", env={"COLUMNS": "200"}).check()
    assert " --decoder-hidden-size " in chosen.stdout and " --bleu-order " in chosen.stdout
