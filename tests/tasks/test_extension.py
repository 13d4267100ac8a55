"""A reward, a discriminator and a task of a user's own, in a package outside of this one."""

import math

import pytest
from helpers.commands import PLUGIN, differences, fork, gan, generate, load, run, training_state

pytestmark = pytest.mark.slow

FILES = {
    "__init__.py": """
import fairseq_seqgan

from . import length_reward, my_d, my_task
""",
    "length_reward.py": '''
from dataclasses import dataclass, field

from fairseq.dataclass import FairseqDataclass

from fairseq_seqgan.rewards.base import Reward, register_reward
from fairseq_seqgan.support.errors import InputError


@dataclass
class LengthRewardConfig(FairseqDataclass):
    length_target: int = field(default=5, metadata={"help": "tokens that a sequence should have"})


@register_reward("length_reward", dataclass=LengthRewardConfig)
class LengthReward(Reward):
    """1 / (1 + the distance of a sequence's length from the target)."""

    def __init__(self, target, pad):
        self.target, self.pad = target, pad

    @classmethod
    def check(cls, options):
        if options.length_target < 1:
            raise InputError(f"--length-target is {options.length_target}: at least 1 is needed")

    @classmethod
    def build(cls, options, inputs):
        return cls(options.length_target, inputs.dictionary.pad())

    def __call__(self, tokens, generator):
        lengths = (tokens != self.pad).sum(dim=1)
        return 1 / (1 + (lengths - self.target).abs().float())


@register_reward("length_of_rollouts")
class LengthOfRollouts(LengthReward):
    needs_rollouts = True
''',
    "my_d.py": '''
from dataclasses import dataclass, field

from fairseq.models import register_model
from torch import nn

from fairseq_seqgan.models.discriminator import (
    Discriminator, DiscriminatorConfig, check_shared_options,
)


@dataclass
class MyDConfig(DiscriminatorConfig):
    my_d_size: int = field(default=8, metadata={"help": "features of the mean embedding"})


@register_model("my_d", dataclass=MyDConfig)
class MyD(Discriminator):
    """The mean of the embeddings, classified."""

    def __init__(self, symbols, size):
        super().__init__()
        self.embed = nn.Embedding(symbols, size)
        self.output = nn.Linear(size, 2)

    @classmethod
    def build_model(cls, cfg, task):
        check_shared_options(cfg)
        return cls(len(task.source_dictionary), cfg.my_d_size)

    def forward(self, tokens):
        return self.output(self.embed(tokens).mean(dim=1))
''',
    "my_task.py": '''
from fairseq.tasks import register_task

from fairseq_seqgan.tasks.config import make_config
from fairseq_seqgan.tasks.seqgan import SeqGANTask


@register_task("my_task", dataclass=make_config())
class MyTask(SeqGANTask):
    """The task under another name."""
''',
}
OURS = [
    *"--reward length_reward --length-target 3 --discriminator my_d --my-d-size 4".split(),
    *"--rollout-ema-decay 0.5".split(),  # so that the task's state holds what nothing else does
]
SENTENCES = "--tokens-per-sample 7"


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The user's package, in a folder of its own."""
    folder = tmp_path_factory.mktemp("user") / "my_seqgan"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_text(content.lstrip(), encoding="utf-8")
    return folder


def train(package, text, folder, *options):
    """Train for a round with the user's package instead of this one."""
    more = ["--user-dir", package, "--rounds", 1, "--g-steps", 20, "--log-interval", 1, *options]
    return fork("train", folder, gan(text, folder, None, *more, shape=SENTENCES))


@pytest.fixture(scope="module")
def trained(package, text, tmp_path_factory):
    """A training with both of them: its folder, and what it printed."""
    folder = tmp_path_factory.mktemp("trained")
    return folder, train(package, text, folder, *OURS).check()


def test_it_trains(trained):
    """By the reward of length 3, with the discriminator of size 4."""
    folder, result = trained
    state = load(folder / "checkpoint_last.pt")
    sizes = {name: tuple(value.shape) for name, value in state["criterion"].items()}
    assert {name: size[-1] for name, size in sizes.items() if "weight" in name} == {
        "discriminator.embed.weight": 4,
        "discriminator.output.weight": 4,
    }
    saved = state["cfg"]
    assert (str(saved["task"]["reward"]), saved["task"]["length_target"]) == ("length_reward", 3)
    assert (str(saved["criterion"]["discriminator"]), saved["criterion"]["my_d_size"]) == (
        "my_d",
        4,
    )
    rewards = [line["reward"] for line in result.logged("train_inner") if "reward" in line]
    assert len(rewards) == 20 and all(0 < reward <= 1 for reward in rewards)
    assert all(math.isfinite(v) for line in result.logged("train_inner") for v in line.values())
    assert sum(rewards[-5:]) > sum(rewards[:5])


@pytest.mark.parametrize("task", ["seqgan", "my_task"])
def test_resume_is_exact(package, text, trained, tmp_path, task):
    """Stopped within the round, as a training with the package's own parts.

    fairseq finds the state of a task by the name of its class.
    """
    folder, _ = trained
    options = [*OURS, "--task", task]
    whole = training_state(folder / "checkpoint_last.pt")
    train(package, text, tmp_path, *options, "--max-update", whole["updates"] - 5).check()
    train(package, text, tmp_path, *options).check()
    assert differences(training_state(tmp_path / "checkpoint_last.pt"), whole) == []


def test_generate_reads_the_checkpoint(package, text, trained, tmp_path):
    """With the user's package; and with ours alone, because G is an ordinary language model."""
    path = trained[0] / "checkpoint_last.pt"
    printed = []
    for user_dir in (package, PLUGIN):
        arguments = generate(text, path, "--num-samples", 10, "--user-dir", user_dir)
        result = fork("generate", tmp_path, arguments).check()
        printed.append([line for line in result.stdout.splitlines() if line.startswith("H-")])
        assert len(printed[-1]) == 10
    assert printed[0] == printed[1]


def test_help_shows_their_options(package):
    """Beside those of the package's own rewards and discriminators."""
    options = "--task seqgan --criterion seqgan --help".split()
    wide = {"COLUMNS": "200"}
    result = run("fairseq-train", "--user-dir", package, *options, env=wide, cold=True)
    printed = result.check().stdout
    for words in (
        "--length-target ",
        "tokens that a sequence should have",
        "--my-d-size ",
        "features of the mean embedding",
        ",length_reward,length_of_rollouts}",
        "{cnn_highway,my_d,rcnn}",
        "--bleu-order ",
        "--d-hidden-size ",
    ):
        assert words in printed, words


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--reward length", ["--reward: invalid choice: 'length'", "'length_reward'", "'bleu'"]),
        ("--discriminator d", ["--discriminator: invalid choice: 'd'", "'my_d'", "'cnn_highway'"]),
        ("--reward length_reward --length-target 0", ["--length-target is 0: at least 1"]),
        (
            "--reward length_of_rollouts --rollouts 0",
            ["--rollouts 0: --reward length_of_rollouts needs rollouts, 1 or more"],
        ),
        ("--discriminator my_d --d-dropout 2", ["--d-dropout is 2.0"]),
    ],
)
def test_mistakes_are_refused(options, words, package, text, tmp_path):
    """In one line, with the known names where a name is unknown."""
    result = train(package, text, tmp_path, *options.split())
    assert result.returncode in (1, 2) and "Traceback" not in result.output
    line = result.stderr.strip().splitlines()[-1]
    assert all(word in line for word in words), line


def test_the_package_without_them_has_neither_option(text, tmp_path):
    """They come with the user's package, and not by whatever else is installed."""
    result = train(PLUGIN, text, tmp_path, *OURS)
    assert result.returncode == 2
    assert "--reward: invalid choice: 'length_reward'" in result.stderr
