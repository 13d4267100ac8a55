"""Algorithm 1: the batch of each update, and the state that is kept between updates.

G is the generator (the policy), D the discriminator.

Shapes: B sequences of a G step, N rollouts of each prefix, T tokens.
"""

import logging
from collections.abc import Callable
from typing import Any

import torch
from fairseq.models import BaseFairseqModel
from fairseq.optim import FairseqOptimizer
from torch import Tensor

from ..policy.policy import Policy
from ..policy.rollouts import Rollouts, Samples, roll_out, sample
from ..policy.unfinished import Unfinished
from ..rewards.base import Reward
from ..support import distributed
from ..support.eval_mode import eval_mode
from ..support.finite import require_finite
from ..support.rng import seed_dropout, seeded_rng
from .action_values import (
    action_values,
    advantage,
    kl_penalty,
    sequence_values,
    sequence_weights,
    without_rollouts,
)
from .collapse import CollapseWarning
from .d_gain import calibrate_on_samples
from .early_stopping import EarlyStopping
from .minibatches import Pool
from .model_copy import ModelCopy
from .objective import AUTO, require_slope, reward_scale, uses_reference
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
        self.options, self.make_policy, self.batch_size = options, make_policy, batch_size
        self.reward, self.early_stopping = reward, early_stopping
        size = options.negative_pool_size or len(positives)
        self.pool = Pool(positives, size, options.d_batch_size, options.seed)
        self.schedule = make_schedule(options, self.pool.batches)
        self._rollout_copy, self._reference = ModelCopy(), ModelCopy(options.kl_reference)
        self.prefixes = Prefixes(options.prefix_size, positives)
        self._collapse, self._unfinished = CollapseWarning(), Unfinished()
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
            batch = self.collect_rollouts(model, update, part)
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

    def collect_rollouts(self, model: BaseFairseqModel, update: int, part: int) -> dict[str, Any]:
        """Draw the B sequences of a G step, roll them out, and compute the value of every token.

        The value of y_t is Q(t) = 1/N Σ_n R(completion n of y_1 ... y_t), with R the reward of a
        finished sequence; the last token's is R(y_1 ... y_T) (Eq. 4 of the paper).

        Returns:
            ``tokens`` (B, T), ``advantage`` (B, T), ``reward`` (B,), whether the loss has
            ``dropout``, and for the log ``ntokens``, the number of tokens drawn, and
            ``entropy_sum``, -Σ log G over them in nats. With ``--g-loss distill`` the sequences
            are those of the reference policy, their advantage is the weight of their sequence, and
            ``entropy_sum`` is missing.
        """
        key = (self.options.seed, update, part, distributed.rank())
        given = self.prefixes.draw(self.batch_size, seeded_rng("prefix", *key))
        rollouts = self._draw(model, seeded_rng("rollout", *key), given)
        drawn = rollouts.samples
        require_finite(drawn.log_probs, "generator step", "the policy's log-probability")
        if not self._distills:
            self._collapse.see(-float(drawn.log_probs.sum(dim=1).mean()), update)
        rewards, final = self._rewards(rollouts, seeded_rng("reward", *key))
        batch = {
            "tokens": drawn.tokens,
            "reward": final,
            "ntokens": int(drawn.mask[:, self.prefixes.size :].sum()),
            "dropout": self._distills or self.options.policy_gradient_dropout,
        }
        scale = reward_scale(self.options, self.reward_slope)
        if self._distills:
            values = sequence_values(drawn.mask, sequence_weights(scale * final))
            return batch | {"advantage": self.prefixes.cut(values)}
        batch["entropy_sum"] = -drawn.log_probs.sum()
        if rewards is None:
            values = sequence_values(drawn.mask, final)
        else:
            values = action_values(rollouts, rewards, final)
        values = values if scale == 1 else scale * values
        if self.options.kl_coef:
            penalty = self._kl_penalty(model, drawn)
            values = values - self.options.kl_coef * penalty
            batch["kl_sum"] = penalty[:, 0].sum()
        baseline = str(self.options.baseline)
        return batch | {"advantage": self.prefixes.cut(advantage(values, drawn.mask, baseline))}

    def _rewards(self, rollouts: Rollouts, noise: torch.Generator) -> tuple[Tensor | None, Tensor]:
        """Return the rewards (P, N) of the completions, if any, and those of the sequences (B,)."""
        rewards = None
        if rollouts.completions.size(1):
            rewards = self.reward.of_completions(rollouts, noise)
            require_finite(rewards, "generator step", "the reward of the rollouts")
        final = self.reward(rollouts.samples.tokens, noise)
        require_finite(final, "generator step", "the reward")
        return rewards, final

    def _kl_penalty(self, model: BaseFairseqModel, drawn: Samples) -> Tensor:
        """Return what the values (B, T) of *drawn* lose to the divergence from the reference.

        In 16 bits, decoding step by step rounds otherwise than one pass over the whole sequence, so
        G takes such a pass as well. Else G would diverge from an exact copy of itself.
        """
        reference, own = self._reference_policy(model), drawn.log_probs
        with eval_mode(model, reference.model), torch.no_grad():
            theirs = self.prefixes.cut(reference.log_probs(drawn.tokens))
            if next(model.parameters()).dtype != torch.float32:
                own = self.prefixes.cut(self.make_policy(model).log_probs(drawn.tokens))
        penalty = kl_penalty(own, theirs)
        require_finite(penalty, "generator step", "the divergence from the reference policy")
        return penalty

    def _draw(
        self, model: BaseFairseqModel, generator: torch.Generator, given: Tensor | None
    ) -> Rollouts:
        """Draw the B sequences of a G step, and the rollouts that their reward reads.

        *given* (B, k) are their prefixes, which G continues; None: there are none.
        """
        count, stride = self.options.rollouts, self.options.rollout_stride
        policy = self._reference_policy(model) if self._distills else self.make_policy(model)
        if self.rolls_out:
            return roll_out(
                policy,
                self.batch_size,
                count,
                generator,
                rollout_policy=self._rollout_policy(model),
                stride=stride,
                given=given,
            )
        drawn = sample(policy, self.batch_size, generator, prefix=given)
        return without_rollouts(drawn, 0 if self._distills else count, stride, self.prefixes.size)

    @property
    def rolls_out(self) -> bool:
        """Whether a G step needs rollouts."""
        return self.reward.reads_tokens and bool(self.options.rollouts) and not self._distills

    @property
    def _distills(self) -> bool:
        return str(self.options.g_loss) == "distill"

    def _reference_policy(self, model: BaseFairseqModel) -> Policy:
        """Return the policy that G is held near to, or distilled from."""
        return self.make_policy(self._reference.of(model))

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

    def _rollout_policy(self, model: BaseFairseqModel) -> Policy | None:
        """Return the moving average of G that rollouts come from; None: they come from G."""
        if not self.options.rollout_ema_decay:
            return None
        return self.make_policy(self._rollout_copy.of(model))

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
            self.update_rollout_policy(model)
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

    def open_reference(self, model: BaseFairseqModel) -> None:
        """Read ``--kl-reference`` now, if it is used: a wrong file should be told at once."""
        if uses_reference(self.options):
            self._reference.of(model)

    def update_rollout_policy(self, model: BaseFairseqModel) -> None:
        """Move the rollout policy towards G: θ' ← decay θ' + (1 - decay) θ."""
        self._rollout_copy.average(model, self.options.rollout_ema_decay)

    def after_validation(self, measured: dict[str, tuple[float, int]]) -> None:
        """Keep the slope that a validation *measured*, for sampling with D from the checkpoint.

        Warn if the policy has collapsed.
        """
        if "entropy" in measured:
            samples = -(-self.options.num_eval_samples // distributed.size())
            self._collapse.see(measured["entropy"][0] / samples)
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
        copies = {"rollout_policy": self._rollout_copy, "reference": self._reference}
        state |= {name: own for name, c in copies.items() if (own := c.state_dict()) is not None}
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
        self._rollout_copy.load_state_dict(state.get("rollout_policy"))
        self._reference.load_state_dict(state.get("reference"))
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
