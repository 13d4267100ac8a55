"""The options of task ``seqgan``, combined from those of its parts, and their checks."""

from dataclasses import dataclass, field

from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from fairseq.tasks.language_modeling import SAMPLE_BREAK_MODE_CHOICES, LanguageModelingConfig
from omegaconf import II

from ..adversarial import options as adversarial
from ..adversarial.options import AdversarialConfig, given_rollout_options
from ..adversarial.schedule import make_schedule
from ..adversarial.validation import ValidationConfig
from ..policy.generate_options import GenerateConfig
from ..policy.policy import PolicyConfig
from ..rewards import base as rewards
from ..support.errors import InputError
from ..support.option_values import positive, sequence_lengths
from ..support.options import combine


@dataclass
class SeqGANBaseConfig(
    LanguageModelingConfig, AdversarialConfig, PolicyConfig, ValidationConfig, GenerateConfig
):
    """Options of the task, except those of the rewards."""

    sample_break_mode: SAMPLE_BREAK_MODE_CHOICES = field(
        default="eos",
        metadata={"help": "adversarial training needs 'eos': each sample is one sentence"},
    )
    train_subset: str = II("dataset.train_subset")
    valid_subset: str = II("dataset.valid_subset")


def make_config() -> type[FairseqDataclass]:
    """Return the options of the task, including those of every registered reward.

    Raises:
        InputError: two of them have the same name.
    """
    reward = {
        "type": ChoiceEnum(list(rewards.REWARDS)),
        "default": "discriminator",
        "help": "reward of a finished sequence: D's probability that it is real (the paper), D's "
        "log-odds (logit), its BLEU, or the controls constant, random and shuffled",
    }
    return combine("SeqGANConfig", SeqGANBaseConfig, rewards.OPTIONS, reward=reward)


def check_options(options: SeqGANBaseConfig, trained_before: bool = False) -> None:
    """Check the options of adversarial training that can be checked without data.

    Args:
        trained_before: whether D comes from an earlier training.

    Raises:
        InputError: names the option.
    """
    adversarial.check_options(options)
    positive(
        g_step_memory=options.g_step_memory,
        num_eval_samples=options.num_eval_samples,
        temperature=options.temperature,
    )
    reward = rewards.reward_class(str(options.reward))
    reward.check(options)
    if reward.needs_rollouts and not options.rollouts:
        raise InputError(f"--rollouts 0: --reward {options.reward} needs rollouts, 1 or more")
    schedule = make_schedule(options, batches=1)
    trains_d = schedule.trains_discriminator
    if reward.uses_discriminator and not (trains_d or trained_before):
        raise InputError(
            f"--reward {options.reward} with --pretrain-d-steps 0 and --d-steps 0: the reward "
            "would come from a discriminator that nothing trains; --discriminator-from brings one"
        )
    if str(options.sample_break_mode) != "eos":
        raise InputError("--sample-break-mode: adversarial training needs eos")
    for option in given_rollout_options(options):
        if not reward.reads_tokens:
            raise InputError(f"{option} needs rollouts, and --reward {options.reward} has none")
    sequence_lengths(options)
    if options.fixed_length and options.max_length:
        raise InputError("--max-length: with --fixed-length, every sequence has that length")
