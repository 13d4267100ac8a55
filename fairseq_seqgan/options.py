"""The options of task ``seqgan``, the schedule of Algorithm 1 among them, and their checks."""

from dataclasses import dataclass, field
from typing import Optional

from fairseq.dataclass import ChoiceEnum
from fairseq.tasks.language_modeling import SAMPLE_BREAK_MODE_CHOICES, LanguageModelingConfig
from omegaconf import II

from . import checks
from .errors import InputError
from .metrics.bleu import SMOOTHING
from .rewards import BASELINES, DISCRIMINATOR_REWARDS, REWARDS
from .schedule import Schedule


@dataclass
class SeqGANConfig(LanguageModelingConfig):
    """Options of the task, the schedule of Algorithm 1 among them."""

    sample_break_mode: SAMPLE_BREAK_MODE_CHOICES = field(
        default="eos", metadata={"help": "adversarial training needs 'eos': one sentence a sample"}
    )
    rounds: int = field(default=200, metadata={"help": "rounds of g-steps and d-steps"})
    g_steps: int = field(default=1, metadata={"help": "updates of G in a round"})
    d_steps: int = field(
        default=5, metadata={"help": "pools of fresh negatives on which D is trained in a round"}
    )
    k: int = field(default=3, metadata={"help": "passes of D over each pool"})
    pretrain_d_steps: int = field(
        default=50, metadata={"help": "pools on which D is trained before the first round"}
    )
    pretrain_d_keep: ChoiceEnum(["last", "best"]) = field(
        default="last",
        metadata={
            "help": "'best': the game starts with D as it was after the pool with the highest AUC "
            "on held-out sequences; 'last' (the paper): as its pre-training ends"
        },
    )
    negative_pool_size: int = field(
        default=0, metadata={"help": "negatives in a pool; 0: as many as training sequences"}
    )
    d_batch_size: int = field(
        default=64,
        metadata={"help": "sequences in a minibatch of D, positives and negatives, over all GPUs"},
    )
    rollouts: int = field(default=16, metadata={"help": "N, rollouts of each prefix"})
    rollout_stride: int = field(
        default=1,
        metadata={
            "help": "roll out every so many tokens only; the tokens in between share the value. "
            "1 (the paper): every token has its own"
        },
    )
    g_step_memory: float = field(
        default=1000.0,
        metadata={
            "help": "MB that a G step may take beyond the nets: rollouts and logits are made in "
            "parts that fit, which changes no result"
        },
    )
    rollout_lag: float = field(
        default=0.0,
        metadata={
            "help": "the rollout policy keeps this share of itself after a G step and takes the "
            "rest from G; 0 (the paper): it is G"
        },
    )
    temperature: float = field(
        default=1.0, metadata={"help": "of the policy: logits are divided by it"}
    )
    reward: ChoiceEnum(list(REWARDS)) = field(
        default="discriminator",
        metadata={
            "help": "what a finished sequence is worth: P(real) by D (the paper), D's log-odds "
            "(logit), its BLEU, or the controls constant and random"
        },
    )
    baseline: ChoiceEnum(list(BASELINES)) = field(
        default="none",
        metadata={"help": "'mean': subtract the batch's mean value at every step from it"},
    )
    bleu_order: int = field(
        default=3, metadata={"help": "--reward bleu: the longest n-grams; all have equal weights"}
    )
    bleu_smoothing: ChoiceEnum(list(SMOOTHING)) = field(
        default="exp",
        metadata={
            "help": "--reward bleu: what counts where no n-gram of an order matches, as sacrebleu "
            "calls it; with 'none' such a sequence is worth 0"
        },
    )
    bleu_references: float = field(
        default=0.4,
        metadata={
            "help": "--reward bleu: share of the training data, drawn by seed, to compare to"
        },
    )
    fixed_length: int = field(
        default=0, metadata={"help": "T, if every sequence has T tokens and no end symbol"}
    )
    max_length: int = field(
        default=0,
        metadata={"help": "most tokens before the end symbol; 0: as the longest training sequence"},
    )
    oracle: Optional[str] = field(  # noqa: UP045  (fairseq cannot read `str | None`)
        default=None, metadata={"help": "oracle file: validation logs nll_oracle"}
    )
    num_eval_samples: int = field(
        default=1000, metadata={"help": "samples that validation draws for its metrics"}
    )
    num_samples: int = field(
        default=0, metadata={"help": "fairseq-generate: unconditional samples to draw"}
    )
    train_subset: str = II("dataset.train_subset")
    valid_subset: str = II("dataset.valid_subset")


def check_options(args: SeqGANConfig) -> None:
    """Check the options of adversarial training that need no data to be wrong.

    Raises:
        InputError: names the option.
    """
    checks.positive(
        rollouts=args.rollouts,
        rollout_stride=args.rollout_stride,
        g_step_memory=args.g_step_memory,
        d_batch_size=args.d_batch_size,
        num_eval_samples=args.num_eval_samples,
        temperature=args.temperature,
        bleu_order=args.bleu_order,
    )
    schedule = make_schedule(args, batches=1)
    if str(args.reward) in DISCRIMINATOR_REWARDS and not schedule.trains_discriminator:
        raise InputError(
            f"--reward {args.reward} with --pretrain-d-steps 0 and --d-steps 0: the reward would "
            "come from a discriminator that nothing trains"
        )
    if not 0 < args.bleu_references <= 1:
        raise InputError(f"--bleu-references is {args.bleu_references}: it must be in (0, 1]")
    if str(args.sample_break_mode) != "eos":
        raise InputError("--sample-break-mode: adversarial training needs eos")
    if not 0 <= args.rollout_lag < 1:
        raise InputError(f"--rollout-lag is {args.rollout_lag}: it must be in [0, 1)")
    for name in ("negative_pool_size", "fixed_length", "max_length"):
        if getattr(args, name) < 0:
            raise InputError(f"--{name.replace('_', '-')} is {getattr(args, name)}: below 0")


def make_schedule(args: SeqGANConfig, batches: int) -> Schedule:
    """Return the schedule that *args* ask for, with *batches* minibatches of D in a pass."""
    return Schedule(
        pretrain_d_steps=args.pretrain_d_steps,
        rounds=args.rounds,
        g_steps=args.g_steps,
        d_steps=args.d_steps,
        k=args.k,
        batches=batches,
    )
