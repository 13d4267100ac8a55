"""One player of Algorithm 1: draws what each update is trained on, and keeps what lasts between.

Shapes: B sequences of a G step, N rollouts, T tokens.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from fairseq.models import BaseFairseqModel
from torch import Tensor

from . import distributed
from .errors import require_finite
from .options import SeqGANConfig, make_schedule
from .policy import Policy
from .pool import Pool
from .rewards import Reward, advantage
from .rollout import Rollouts, Samples, action_values, roll_out, sample
from .sampling import make_generator
from .schedule import Phase, Step


class Game:
    """Algorithm 1 over given positives.

    Args:
        args: the task's options.
        positives: real sequences (n_pos, T), padded at the end.
        reward: what a finished sequence is worth.
        make_policy: returns a model as the policy that is sampled.
        batch_size: B, on this process.
    """

    def __init__(
        self,
        args: SeqGANConfig,
        positives: Tensor,
        reward: Reward,
        make_policy: Callable[[BaseFairseqModel], Policy],
        batch_size: int,
    ) -> None:
        self.args, self.make_policy, self.batch_size = args, make_policy, batch_size
        self.reward = reward
        size = args.negative_pool_size or len(positives)
        self.pool = Pool(positives, size, args.d_batch_size, args.seed)
        self.schedule = make_schedule(args, self.pool.batches)
        self._lagging: BaseFairseqModel | None = None
        self._lagging_state: dict[str, Tensor] | None = None

    def deal(self, model: BaseFairseqModel, update: int, part: int, parts: int) -> dict[str, Any]:
        """Return what the criterion trains in part *part* of the *parts* of *update*.

        It is a function of the seed, the update, the nets and the pool; a pool that is not this
        update's is drawn first.
        """
        step = self.schedule(update)
        if step.phase is Phase.GENERATOR:
            dealt = self._play(model, update, part)
        else:
            if self.pool.number != step.pool:
                self._draw_pool(model, step)
            share = distributed.rank() * parts + part
            dealt = self.pool.minibatch(step, share, distributed.size() * parts)._asdict()
        device = next(model.parameters()).device
        dealt = {k: v.to(device) if torch.is_tensor(v) else v for k, v in dealt.items()}
        return {"step": step, **dealt}

    def _play(self, model: BaseFairseqModel, update: int, part: int) -> dict[str, Any]:
        """Draw the sequences of a G step, roll them out, and value every token (Eq. 4)."""
        key = (self.args.seed, update, part, distributed.rank())
        policy, generator = self.make_policy(model), make_generator("rollout", *key)
        rollouts = self.args.rollouts
        if self.reward.reads_tokens:
            lagging = self._rollout_policy(model)
            played = roll_out(policy, self.batch_size, rollouts, generator, rollout_policy=lagging)
        else:
            played = unplayed(sample(policy, self.batch_size, generator), rollouts)
        drawn = played.samples
        require_finite(drawn.log_probs, "generator step", "the policy's log-probability")
        noise = make_generator("reward", *key)
        rewards = self.reward(played.completions.flatten(0, 1), noise).view(-1, rollouts)
        final = self.reward(drawn.tokens, noise)
        require_finite(rewards, "generator step", "the reward of the rollouts")
        require_finite(final, "generator step", "the reward")
        values = action_values(played, rewards, final)
        return {
            "tokens": drawn.tokens,
            "advantage": advantage(values, drawn.mask, str(self.args.baseline)),
            "reward": final,
            "entropy_sum": -drawn.log_probs.sum(),
            "ntokens": int(drawn.mask.sum()),
        }

    def _draw_pool(self, model: BaseFairseqModel, step: Step) -> None:
        """Draw the negatives of a d-step from G; every rank draws its share."""
        generator = make_generator("pool", self.args.seed, step.pool, distributed.rank())
        share = -(-self.pool.size // distributed.size())
        drawn = sample(self.make_policy(model), share, generator)
        require_finite(drawn.log_probs, "draw of negatives", "the policy's log-probability")
        self.pool.refill(step.pool, distributed.gather(drawn.tokens)[: self.pool.size])

    def _rollout_policy(self, model: BaseFairseqModel) -> Policy | None:
        """Return the lagging rollout policy, or None where it is G itself."""
        if not self.args.rollout_lag:
            return None
        if self._lagging is None:
            self._lagging = copy.deepcopy(distributed.unwrap(model)).requires_grad_(False)
            if self._lagging_state is not None:
                self._lagging.load_state_dict(self._lagging_state)
        return self.make_policy(self._lagging)

    @torch.no_grad()
    def follow(self, model: BaseFairseqModel) -> None:
        """After a G step, let a lagging rollout policy follow G."""
        if self._lagging is None:
            return
        keep = self.args.rollout_lag
        own = distributed.unwrap(model).parameters()
        for slow, fast in zip(self._lagging.parameters(), own, strict=True):
            slow.mul_(keep).add_(fast, alpha=1 - keep)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed game needs beyond the nets and the optimizer."""
        state: dict[str, Any] = {"pool": self.pool.state_dict()}
        if self._lagging is not None:
            state["rollout_policy"] = self._lagging.state_dict()
        elif self._lagging_state is not None:  # loaded, but there has been no G step since
            state["rollout_policy"] = self._lagging_state
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned."""
        self.pool.load_state_dict(state["pool"])
        self._lagging_state = state.get("rollout_policy")


def unplayed(drawn: Samples, rollouts: int) -> Rollouts:
    """Return *drawn* with every prefix but nothing rolled out, for rewards that read no tokens."""
    going = drawn.mask.clone()
    going[torch.arange(len(going)), drawn.mask.sum(dim=1) - 1] = False
    sequence, step = going.nonzero(as_tuple=True)
    completions = drawn.tokens[sequence].unsqueeze(1).expand(-1, rollouts, -1)
    return Rollouts(drawn, completions, sequence, step)
