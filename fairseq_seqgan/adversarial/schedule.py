"""Algorithm 1 as a pure function from the update number to the step.

G is the generator, D the discriminator. A g-step is one update of G. A d-step draws a pool of fresh
negatives from G and trains D on it in k passes, each of many updates.

The number of updates is the only clock (``clock.py``): to resume at update u is to ask for
``schedule(u)``, and fairseq's epoch at update u is ``schedule.epoch_at(u)``.

One fairseq epoch is one pool of negatives during D's pre-training, and one round (g-steps, then
d-steps) afterwards. So ``--validate-interval`` and ``--save-interval`` count rounds.
"""

from dataclasses import dataclass, field
from enum import Enum

from fairseq.dataclass import FairseqDataclass

from ..optim.seqgan_adam import DISCRIMINATOR, GENERATOR
from ..support.errors import InputError, flag


@dataclass
class ScheduleConfig(FairseqDataclass):
    """Options of the schedule."""

    rounds: int = field(default=200, metadata={"help": "rounds of g-steps and d-steps"})
    g_steps: int = field(default=1, metadata={"help": "updates of G in a round"})
    d_steps: int = field(
        default=5, metadata={"help": "pools of fresh negatives on which D is trained in a round"}
    )
    k: int = field(default=3, metadata={"help": "passes of D over each pool"})
    pretrain_d_steps: int = field(
        default=50, metadata={"help": "pools on which D is trained before the first round"}
    )


class Phase(Enum):
    """What an update trains: D before the first round, then G and D in turn."""

    PRETRAIN = "pretrain"
    GENERATOR = "generator"
    DISCRIMINATOR = "discriminator"


@dataclass(frozen=True)
class Step:
    """One update.

    ``g_step`` is 0 in an update of D; the fields below it are 0 in an update of G.
    """

    phase: Phase
    round: int  # 0 during D's pre-training, then 1 ... rounds
    g_step: int = 0  # 0 ... g_steps - 1
    pool_in_round: int = 0  # which pool of negatives of this phase or round, from 0
    pass_index: int = 0  # which of the k passes over the pool, from 0
    minibatch_index: int = 0  # which minibatch of the pass, from 0
    pool: int = 0  # which pool of the whole training, from 1; 0 in a step of G

    @property
    def net(self) -> str:
        """The net that it trains, as ``seqgan_adam`` calls it."""
        return GENERATOR if self.phase is Phase.GENERATOR else DISCRIMINATOR


@dataclass(frozen=True)
class Schedule:
    """The order of updates in adversarial training (the paper's Algorithm 1).

    Args:
        pretrain_d_steps: pools of negatives on which D is trained before the first round.
        rounds: rounds of g-steps and d-steps.
        g_steps: updates of G in a round.
        d_steps: pools of fresh negatives on which D is trained in a round.
        k: passes over each pool.
        batches: D's minibatches in one pass over the positives and one pool of negatives.

    Raises:
        InputError: a count is out of range; the message names its option.
    """

    pretrain_d_steps: int
    rounds: int
    g_steps: int
    d_steps: int
    k: int
    batches: int

    def __post_init__(self) -> None:
        for name, least in (
            ("pretrain_d_steps", 0),
            ("rounds", 1),
            ("g_steps", 1),
            ("d_steps", 0),
            ("k", 1),
            ("batches", 1),
        ):
            if getattr(self, name) < least:
                raise InputError(
                    f"{flag(name)} is {getattr(self, name)}: at least {least} is needed"
                )

    @property
    def trains_discriminator(self) -> bool:
        """Whether there is any update of D."""
        return self.pretrain_d_steps + self.d_steps > 0

    @property
    def pool_updates(self) -> int:
        """Updates of D on one pool: k passes."""
        return self.k * self.batches

    @property
    def pretrain_updates(self) -> int:
        """Updates before the first round."""
        return self.pretrain_d_steps * self.pool_updates

    @property
    def round_updates(self) -> int:
        """Updates of G and D in one round."""
        return self.g_steps + self.d_steps * self.pool_updates

    @property
    def total_updates(self) -> int:
        """Updates of the whole training."""
        return self.pretrain_updates + self.rounds * self.round_updates

    @property
    def epochs(self) -> int:
        """Epochs of the whole training, as fairseq counts them."""
        return self.pretrain_d_steps + self.rounds

    def epoch_updates(self, epoch: int) -> int:
        """Updates in fairseq's epoch number *epoch*, which starts at 1."""
        return self.pool_updates if epoch <= self.pretrain_d_steps else self.round_updates

    def epoch_at(self, update: int) -> tuple[int, int]:
        """Return fairseq's epoch that *update* belongs to, and its place there, from 0.

        An update beyond the last one belongs to the epochs that more ``--rounds`` would have.
        """
        if update < self.pretrain_updates:
            epoch, place = divmod(update, self.pool_updates)
            return epoch + 1, place
        rounds, place = divmod(update - self.pretrain_updates, self.round_updates)
        return self.pretrain_d_steps + rounds + 1, place

    def pools_before(self, update: int) -> int:
        """Return how many pools of negatives have been drawn before *update* begins."""
        epoch, place = self.epoch_at(update)
        if epoch <= self.pretrain_d_steps:
            return epoch - 1 + (place > 0)
        done = self.pretrain_d_steps + (epoch - self.pretrain_d_steps - 1) * self.d_steps
        return done + -(-max(0, place - self.g_steps) // self.pool_updates)

    def ends_pool(self, step: Step) -> bool:
        """Whether *step* is D's last update on a pool of negatives."""
        last = (self.k - 1, self.batches - 1)
        return step.pool > 0 and (step.pass_index, step.minibatch_index) == last

    def __call__(self, update: int) -> Step:
        """Return the step that *update* (from 0) is.

        With one pool of pre-training, one g-step, one d-step, k = 1 and 3 minibatches in a pass,
        updates 0 to 2 pre-train D, update 3 is the g-step of round 1, updates 4 to 6 train D on
        pool 2, and update 7 is the g-step of round 2.

        Raises:
            ValueError: *update* is not in 0 ... ``total_updates`` - 1.
        """
        if not 0 <= update < self.total_updates:
            raise ValueError(f"update {update} is not in 0 ... {self.total_updates - 1}")
        if update < self.pretrain_updates:
            return self._d_step(Phase.PRETRAIN, 0, update, first_pool=1)
        done, rest = divmod(update - self.pretrain_updates, self.round_updates)
        if rest < self.g_steps:
            return Step(Phase.GENERATOR, done + 1, g_step=rest)
        first_pool = 1 + self.pretrain_d_steps + done * self.d_steps
        return self._d_step(Phase.DISCRIMINATOR, done + 1, rest - self.g_steps, first_pool)

    def _d_step(self, phase: Phase, round_: int, update: int, first_pool: int) -> Step:
        pool_in_round, rest = divmod(update, self.pool_updates)
        pass_index, minibatch_index = divmod(rest, self.batches)
        return Step(
            phase,
            round_,
            pool_in_round=pool_in_round,
            pass_index=pass_index,
            minibatch_index=minibatch_index,
            pool=first_pool + pool_in_round,
        )


def make_schedule(options: ScheduleConfig, batches: int) -> Schedule:
    """Return the schedule of *options*, with *batches* minibatches of D in a pass.

    Raises:
        InputError: a count is out of range.
    """
    return Schedule(
        pretrain_d_steps=options.pretrain_d_steps,
        rounds=options.rounds,
        g_steps=options.g_steps,
        d_steps=options.d_steps,
        k=options.k,
        batches=batches,
    )
