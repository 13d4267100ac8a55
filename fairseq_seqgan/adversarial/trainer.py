"""Algorithm 1: the batch of each update, and the state that is kept between updates.

G is the generator (the policy), D the discriminator.

Shapes: B sequences of a G step, N rollouts of each prefix, T tokens.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from fairseq.models import BaseFairseqModel
from fairseq.optim import FairseqOptimizer
from omegaconf import II
from torch import Tensor

from ..policy.policy import Policy
from ..policy.rollouts import RolloutConfig, Rollouts, Samples, roll_out, sample
from ..rewards.base import Reward
from ..support import distributed
from ..support.errors import InputError, require_finite
from ..support.input_checks import positive
from ..support.rng import seeded_rng
from .action_values import AdvantageConfig, action_values, advantage
from .early_stopping import EarlyStopping, EarlyStoppingConfig
from .minibatches import MinibatchConfig, Pool
from .schedule import Phase, ScheduleConfig, Step, make_schedule


@dataclass
class AdversarialConfig(
    ScheduleConfig, MinibatchConfig, EarlyStoppingConfig, RolloutConfig, AdvantageConfig
):
    """Options of adversarial training."""

    seed: int = II("common.seed")


def check_options(options: AdversarialConfig) -> None:
    """Check the options that can be checked without data.

    Raises:
        InputError: names the option.
    """
    positive(
        rollouts=options.rollouts,
        rollout_stride=options.rollout_stride,
        d_batch_size=options.d_batch_size,
    )
    make_schedule(options, batches=1)
    if not 0 <= options.rollout_ema_decay < 1:
        raise InputError(
            f"--rollout-ema-decay is {options.rollout_ema_decay}: it must be in [0, 1)"
        )
    if options.negative_pool_size < 0:
        raise InputError(f"--negative-pool-size is {options.negative_pool_size}: below 0")


class AdversarialTrainer:
    """Algorithm 1 over given positives.

    Args:
        options: the task's.
        positives: real sequences (n_pos, T), padded at the end.
        reward: scores finished sequences.
        make_policy: turns a model into the policy that is sampled.
        batch_size: B, on this process.
        early_stopping: chooses the D that the first round starts with; None: the last one.
    """

    def __init__(
        self,
        options: AdversarialConfig,
        positives: Tensor,
        reward: Reward,
        make_policy: Callable[[BaseFairseqModel], Policy],
        batch_size: int,
        early_stopping: EarlyStopping | None = None,
    ) -> None:
        self.options, self.make_policy, self.batch_size = options, make_policy, batch_size
        self.reward, self.early_stopping = reward, early_stopping
        size = options.negative_pool_size or len(positives)
        self.pool = Pool(positives, size, options.d_batch_size, options.seed)
        self.schedule = make_schedule(options, self.pool.batches)
        self._rollout_model: BaseFairseqModel | None = None
        self._rollout_state: dict[str, Tensor] | None = None

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
        else:
            if self.pool.number != step.pool:
                self._draw_pool(model, step)
            share = distributed.rank() * parts + part
            batch = self.pool.minibatch(step, share, distributed.size() * parts)._asdict()
        device = next(model.parameters()).device
        batch = {k: v.to(device) if torch.is_tensor(v) else v for k, v in batch.items()}
        return {"step": step, **batch}

    def collect_rollouts(self, model: BaseFairseqModel, update: int, part: int) -> dict[str, Any]:
        """Draw the B sequences of a G step, roll them out, and compute the value of every token.

        The value of y_t is Q(t) = 1/N Σ_n R(completion n of y_1 ... y_t), with R the reward of a
        finished sequence; the last token's is R(y_1 ... y_T) (Eq. 4 of the paper).

        Returns:
            ``tokens`` (B, T), ``advantage`` (B, T), ``reward`` (B,), and for the log
            ``entropy_sum``, -Σ log G in nats over the ``ntokens`` tokens drawn.
        """
        key = (self.options.seed, update, part, distributed.rank())
        policy, generator = self.make_policy(model), seeded_rng("rollout", *key)
        count, stride = self.options.rollouts, self.options.rollout_stride
        if self.reward.reads_tokens:
            rollouts = roll_out(
                policy,
                self.batch_size,
                count,
                generator,
                rollout_policy=self._rollout_policy(model),
                stride=stride,
            )
        else:
            drawn = sample(policy, self.batch_size, generator)
            rollouts = without_rollouts(drawn, count, stride)
        drawn = rollouts.samples
        require_finite(drawn.log_probs, "generator step", "the policy's log-probability")
        noise = seeded_rng("reward", *key)
        rewards = self.reward.of_completions(rollouts, noise)
        final = self.reward(drawn.tokens, noise)
        require_finite(rewards, "generator step", "the reward of the rollouts")
        require_finite(final, "generator step", "the reward")
        values = action_values(rollouts, rewards, final)
        return {
            "tokens": drawn.tokens,
            "advantage": advantage(values, drawn.mask, str(self.options.baseline)),
            "reward": final,
            "entropy_sum": -drawn.log_probs.sum(),
            "ntokens": int(drawn.mask.sum()),
        }

    def _draw_pool(self, model: BaseFairseqModel, step: Step) -> None:
        """Draw the pool of negatives of a d-step from G; every rank draws its share."""
        generator = seeded_rng("pool", self.options.seed, step.pool, distributed.rank())
        share = -(-self.pool.size // distributed.size())
        drawn = sample(self.make_policy(model), share, generator)
        require_finite(drawn.log_probs, "draw of negatives", "the policy's log-probability")
        self.pool.refill(step.pool, distributed.gather(drawn.tokens)[: self.pool.size])

    def _rollout_policy(self, model: BaseFairseqModel) -> Policy | None:
        """Return the moving average of G that rollouts come from; None: they come from G."""
        if not self.options.rollout_ema_decay:
            return None
        if self._rollout_model is None:
            self._rollout_model = copy.deepcopy(distributed.unwrap(model)).requires_grad_(False)
            if self._rollout_state is not None:
                self._rollout_model.load_state_dict(self._rollout_state)
        return self.make_policy(self._rollout_model)

    def after_update(
        self, step: Step, model: BaseFairseqModel, optimizer: FairseqOptimizer
    ) -> None:
        """Finish the update *step* after the optimizer has changed the weights."""
        if step.phase is Phase.GENERATOR:
            self.update_rollout_policy(model)
        elif self.early_stopping is not None and self.schedule.ends_pretrain_pool(step):
            self.early_stopping.after_pool(step.pool, self.make_policy(model), optimizer)
            if step.pool == self.schedule.pretrain_d_steps:
                self.early_stopping.restore(optimizer)

    @torch.no_grad()
    def update_rollout_policy(self, model: BaseFairseqModel) -> None:
        """Move the rollout policy towards G: θ' ← decay θ' + (1 - decay) θ."""
        if self._rollout_model is None:
            return
        decay = self.options.rollout_ema_decay
        own = distributed.unwrap(model).parameters()
        for average, parameter in zip(self._rollout_model.parameters(), own, strict=True):
            average.mul_(decay).add_(parameter, alpha=1 - decay)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed training needs beyond the nets and the optimizer."""
        state: dict[str, Any] = {"pool": self.pool.state_dict()}
        if self._rollout_model is not None:
            state["rollout_policy"] = self._rollout_model.state_dict()
        elif self._rollout_state is not None:  # loaded, but there has been no G step since
            state["rollout_policy"] = self._rollout_state
        if self.early_stopping is not None:
            state["early_stopping"] = self.early_stopping.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned."""
        self.pool.load_state_dict(state["pool"])
        self._rollout_state = state.get("rollout_policy")
        if self.early_stopping is not None and "early_stopping" in state:
            self.early_stopping.load_state_dict(state["early_stopping"])


def without_rollouts(drawn: Samples, rollouts: int, stride: int) -> Rollouts:
    """Return *drawn* with its prefixes, without drawing rollouts.

    It is for rewards that do not read the tokens: each completion is the sequence itself.
    """
    unfinished = drawn.mask.clone()
    unfinished[torch.arange(len(unfinished)), drawn.mask.sum(dim=1) - 1] = False
    unfinished[:, torch.arange(1, unfinished.size(1) + 1) % stride != 0] = False
    sequence, step = unfinished.nonzero(as_tuple=True)
    completions = drawn.tokens[sequence].unsqueeze(1).expand(-1, rollouts, -1)
    return Rollouts(drawn, completions, sequence, step, stride)
