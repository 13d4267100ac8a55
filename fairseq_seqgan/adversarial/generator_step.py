"""What G is trained on in one update: sequences, and the advantage of each of their tokens.

Shapes: B sequences of a G step, N rollouts of each of P prefixes, T tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from fairseq.models import BaseFairseqModel
from torch import Tensor

from ..policy.policy import Policy
from ..policy.rollouts import Rollouts, Samples, check_memory, roll_out, sample
from ..policy.trial import try_decoding
from ..rewards.base import Reward
from ..support import distributed
from ..support.eval_mode import eval_mode
from ..support.finite import require_finite
from ..support.rng import seeded_rng
from .action_values import (
    action_values,
    advantage,
    kl_penalty,
    sequence_values,
    sequence_weights,
    without_rollouts,
)
from .collapse import CollapseWarning
from .model_copy import ModelCopy, RoundedCopy
from .objective import reward_scale, uses_reference
from .options import AdversarialConfig
from .prefixes import Prefixes


class GeneratorStep:
    """Draws the sequences of a G step, rolls them out, and computes the value of every token.

    Args:
        options: the task's.
        reward: scores finished sequences.
        make_policy: turns a model into the policy that is sampled.
        batch_size: B, on this process.
        prefixes: beginnings of real sequences, which G continues.
    """

    def __init__(
        self,
        options: AdversarialConfig,
        reward: Reward,
        make_policy: Callable[[BaseFairseqModel], Policy],
        batch_size: int,
        prefixes: Prefixes,
    ) -> None:
        self.options, self.reward, self.make_policy = options, reward, make_policy
        self.batch_size, self.prefixes = batch_size, prefixes
        # The average of G that rollouts come from, and the policy that G is held near to.
        self.rollout_copy, self.reference = ModelCopy(), ModelCopy(options.kl_reference)
        self.collapse = CollapseWarning()
        self._rounded = RoundedCopy("--rollout-dtype", str(options.rollout_dtype))

    @property
    def distills(self) -> bool:
        """Whether G learns from weighted samples of the reference, and not from its own."""
        return str(self.options.g_loss) == "distill"

    @property
    def rolls_out(self) -> bool:
        """Whether a G step needs rollouts."""
        return self.reward.reads_tokens and bool(self.options.rollouts) and not self.distills

    def try_out(self, policy: Policy, name: str) -> None:
        """Try out what the first G step will need, because D's pre-training may take hours.

        Args:
            policy: that of G.
            name: what the user calls the model.

        Raises:
            InputError: the reference cannot be used, rollouts cannot be drawn in the arithmetic of
                ``--rollout-dtype``, or there is too little memory for them.
        """
        if uses_reference(self.options):
            self.reference.of(policy.model)
        if not self.rolls_out:
            return
        rounded = self._rounded.of(policy.model)
        if rounded is not policy.model:
            policy = self.make_policy(rounded)
            try_decoding(policy, f"--rollout-dtype {self.options.rollout_dtype}: {name}")
        check_memory(policy, self.options.rollouts, self.options.rollout_stride, self.prefixes.size)

    def make_batch(
        self, model: BaseFairseqModel, update: int, part: int, slope: float | None
    ) -> dict[str, Any]:
        """Return what G is trained on in part *part* of *update*.

        The value of y_t is Q(t) = 1/N Σ_n R(completion n of y_1 ... y_t), with R the reward of a
        finished sequence; the last token's is R(y_1 ... y_T) (Eq. 4 of the paper).

        Args:
            slope: of D's log-odds, for ``--reward-scale auto``; None: it is not known yet.

        Returns:
            ``tokens`` (B, T), ``advantage`` (B, T), ``reward`` (B,), whether the loss has
            ``dropout``, and for the log ``ntokens``, the number of tokens drawn, and
            ``entropy_sum``, -Σ log G over them in nats. With ``--g-loss distill`` the sequences
            are those of the reference policy, their advantage is the weight of their sequence, and
            ``entropy_sum`` is missing.

        Raises:
            DivergenceError: a log-probability, a reward or the divergence is NaN or infinite.
        """
        key = (self.options.seed, update, part, distributed.rank())
        given = self.prefixes.draw(self.batch_size, seeded_rng("prefix", *key))
        rollouts = self._draw(model, seeded_rng("rollout", *key), given)
        drawn = rollouts.samples
        require_finite(drawn.log_probs, "generator step", "the policy's log-probability")
        if not self.distills:
            self.collapse.see(-float(drawn.log_probs.sum(dim=1).mean()), update)
        rewards, final = self._rewards(rollouts, seeded_rng("reward", *key))
        batch = {
            "tokens": drawn.tokens,
            "reward": final,
            "ntokens": int(drawn.mask[:, self.prefixes.size :].sum()),
            "dropout": self.distills or self.options.policy_gradient_dropout,
        }
        scale = reward_scale(self.options, slope)
        if self.distills:
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
        reference, own = self.make_policy(self.reference.of(model)), drawn.log_probs
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
        """Draw the B sequences, and the rollouts that their reward reads.

        *given* (B, k) are their prefixes, which G continues; None: there are none.
        """
        count, stride = self.options.rollouts, self.options.rollout_stride
        policy = self.make_policy(self.reference.of(model) if self.distills else model)
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
        return without_rollouts(drawn, 0 if self.distills else count, stride, self.prefixes.size)

    def _rollout_policy(self, model: BaseFairseqModel) -> Policy | None:
        """Return the policy that rollouts come from; None: they come from G."""
        source = self.rollout_copy.of(model) if self.options.rollout_ema_decay else model
        rounded = self._rounded.of(source)
        return None if rounded is model else self.make_policy(rounded)

    def after_update(self, model: BaseFairseqModel) -> None:
        """Move the rollout policy towards G: θ' ← decay θ' + (1 - decay) θ."""
        self.rollout_copy.average(model, self.options.rollout_ema_decay)

    def state_dict(self) -> dict[str, Any]:
        """Return the copies of G that a resumed training needs."""
        copies = {"rollout_policy": self.rollout_copy, "reference": self.reference}
        return {name: own for name, c in copies.items() if (own := c.state_dict()) is not None}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned."""
        # Without the option a stored average would stay behind G, until it is switched on again.
        average = state.get("rollout_policy") if self.options.rollout_ema_decay else None
        self.rollout_copy.load_state_dict(average)
        self.reference.load_state_dict(state.get("reference"))
