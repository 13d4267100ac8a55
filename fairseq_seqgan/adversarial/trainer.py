"""Algorithm 1: the batch of each update, and the state that is kept between updates.

G is the generator (the policy), D the discriminator.

Shapes: B sequences of a G step, T tokens.
"""

import logging
from collections.abc import Callable
from typing import Any

import torch
from fairseq.models import BaseFairseqModel
from fairseq.optim import FairseqOptimizer
from torch import Tensor

from ..policy.policy import Policy
from ..policy.rollouts import sample
from ..policy.unfinished import Unfinished
from ..rewards.base import Reward
from ..support import distributed
from ..support.finite import require_finite
from ..support.rng import seed_dropout, seeded_rng
from .d_gain import calibrate_on_samples
from .early_stopping import EarlyStopping
from .generator_step import GeneratorStep
from .minibatches import Pool
from .objective import AUTO, require_slope
from .options import AdversarialConfig
from .prefixes import Prefixes
from .schedule import Phase, Step, make_schedule

logger = logging.getLogger(__name__)


class AdversarialTrainer:
    """Algorithm 1 over given positives.

    Args:
        options: the task's.
        positives: real sequences (n_pos, T), padded at the end.
        reward: scores finished sequences.
        make_policy: turns a model into the policy that is sampled.
        batch_size: B, on this process.
        early_stopping: chooses the D that the first round starts with; None: the last one.
        heldout: real sequences (M, T) on which the slope of D's log-odds is fitted at the end of
            every d-step; None: it is not fitted.
    """

    def __init__(
        self,
        options: AdversarialConfig,
        positives: Tensor,
        reward: Reward,
        make_policy: Callable[[BaseFairseqModel], Policy],
        batch_size: int,
        early_stopping: EarlyStopping | None = None,
        heldout: Tensor | None = None,
    ) -> None:
        self.options, self.make_policy = options, make_policy
        self.reward, self.early_stopping = reward, early_stopping
        size = options.negative_pool_size or len(positives)
        self.pool = Pool(positives, size, options.d_batch_size, options.seed)
        self.schedule = make_schedule(options, self.pool.batches)
        self.prefixes = Prefixes(options.prefix_size, positives)
        self.g_step = GeneratorStep(options, reward, make_policy, batch_size, self.prefixes)
        self._unfinished = Unfinished()
        self.heldout = heldout
        self.reward_slope: float | None = None  # of D's log-odds in the reward, as fitted last
        self._guide_slope: float | None = None  # by the last validation, for sampling with D
        # Whether D is more than a random net; who reads it from a checkpoint sets this, too.
        self.has_discriminator = self.schedule.trains_discriminator

    def make_batch(
        self, model: BaseFairseqModel, update: int, part: int, parts: int
    ) -> dict[str, Any]:
        """Return what the criterion needs for part *part* of the *parts* of *update*.

        The batch is a function of the seed, the update, the nets and the pool of negatives. The
        first update on a pool draws it; a resumed training finds it in the checkpoint.
        """
        step = self.schedule(update)
        if step.phase is Phase.GENERATOR:
            batch = self.g_step.make_batch(model, update, part, self.reward_slope)
        elif self.skips(step):
            batch = self.pool.empty_minibatch()._asdict()
        else:
            if self.pool.number != step.pool:
                self._draw_pool(model, step)
            share = distributed.rank() * parts + part
            batch = self.pool.minibatch(step, share, distributed.size() * parts)._asdict()
        seed_dropout(self.options.seed, update, part)
        device = next(model.parameters()).device
        batch = {k: v.to(device) if torch.is_tensor(v) else v for k, v in batch.items()}
        return {"step": step, **batch}

    def _draw_pool(self, model: BaseFairseqModel, step: Step) -> None:
        """Draw the pool of negatives of a d-step from G; every rank draws its share."""
        key = self.options.seed, step.pool
        generator = seeded_rng("pool", *key, distributed.rank())
        share = distributed.share(self.pool.size)
        policy = self.make_policy(model)
        given = self.prefixes.draw_share(share, seeded_rng("pool prefix", *key))
        drawn = sample(policy, share, generator, prefix=given)
        require_finite(drawn.log_probs, "draw of negatives", "the policy's log-probability")
        if not distributed.rank():
            self._unfinished.add(drawn, policy)
            self._unfinished.report(at_least=0.5, consequence=", by which D knows them")
        self.pool.refill(step.pool, distributed.gather(drawn.tokens)[: self.pool.size])

    def skips(self, step: Step) -> bool:
        """Return whether *step* trains nothing, because D's pre-training has ended before it."""
        return (
            step.phase is Phase.PRETRAIN
            and self.early_stopping is not None
            and self.early_stopping.ended
        )

    def trained_net(self, step: Step) -> str | None:
        """Return which net *step* trains, as ``seqgan_adam`` calls it; None: it is skipped."""
        return None if self.skips(step) else step.net

    def after_update(
        self, step: Step, model: BaseFairseqModel, optimizer: FairseqOptimizer
    ) -> None:
        """Finish the update *step* after the optimizer has changed the weights."""
        if step.phase is Phase.GENERATOR:
            self.g_step.after_update(model)
            return
        if self.skips(step):
            return
        if self.heldout is None:
            self.reward_slope = None  # that of the D that training began with
        if not self.schedule.ends_pool(step):
            return
        policy = self.make_policy(model)
        if self.early_stopping is not None and step.phase is Phase.PRETRAIN:
            last = step.pool == self.schedule.pretrain_d_steps
            self.early_stopping.after_pool(step.pool, policy, optimizer, last)
        if self.heldout is not None:
            key = ("slope", self.options.seed, step.pool)
            discriminator = self.reward.discriminator
            assert discriminator is not None, "the slope is that of D's log-odds"
            size = self.prefixes.size
            found = calibrate_on_samples(
                discriminator, policy, self.heldout, *key, prefix_size=size
            )
            self.reward_slope = found.gain.slope
            logger.info(
                "the slope of D's log-odds is %.4f after pool %d", self.reward_slope, step.pool
            )

    def after_validation(self, measured: dict[str, tuple[float, int]]) -> None:
        """Keep the slope that a validation *measured*, for sampling with D from the checkpoint.

        Warn if the policy has collapsed.
        """
        if "entropy" in measured:
            samples = -(-self.options.num_eval_samples // distributed.size())
            self.g_step.collapse.see(measured["entropy"][0] / samples)
        if "d_slope" in measured:
            self._guide_slope = measured["d_slope"][0]

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed training needs beyond the nets and the optimizer."""
        state: dict[str, Any] = {
            "pool": self.pool.state_dict(),
            "processes": distributed.size(),
            # As G learns what D knows, this slope no longer says how much of it G is still missing,
            # so sampling with D reads "slope".
            "reward_slope": self.reward_slope,
        }
        state |= self.g_step.state_dict()
        if self._guide_slope is not None:
            state["slope"] = self._guide_slope
        if self.early_stopping is not None:
            state["early_stopping"] = self.early_stopping.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned, and the number of ``updates`` beside it.

        Raises:
            InputError: ``--reward-scale auto`` is new, and no slope is stored.
        """
        distributed.note_resize(state.get("processes"))
        self.pool.load_state_dict(state["pool"])
        self.g_step.load_state_dict(state)
        self._guide_slope = state.get("slope")
        # Earlier versions stored one slope for both.
        self.reward_slope = state.get("reward_slope", self._guide_slope)
        fitted = (
            self.reward_slope is not None
            or state.get("updates", 0) < self.schedule.pretrain_updates
        )
        if self.options.reward_scale == AUTO and not fitted:  # it was another number before
            self.reward_slope = require_slope(self._guide_slope)
        if self.early_stopping is not None and "early_stopping" in state:
            self.early_stopping.load_state_dict(state["early_stopping"])
