"""Turns fairseq models into policies, with the task's options."""

from __future__ import annotations

from typing import Any

from fairseq.data import Dictionary
from fairseq.models import BaseFairseqModel

from .policy import Policy


class PolicyFactory:
    """Turns models into policies; the same model always gives the same policy.

    Args:
        options: the task's: those of :class:`PolicyConfig` and ``tokens_per_sample``. They are read
            whenever a policy is made.
        dictionary: the models'.
    """

    def __init__(self, options: Any, dictionary: Dictionary) -> None:
        self.options, self.dictionary = options, dictionary
        self._longest = 0
        self._policies: dict[BaseFairseqModel, Policy] = {}

    def __call__(self, model: BaseFairseqModel) -> Policy:
        """Return *model* as the policy that is trained and validated."""
        if model not in self._policies:
            self._policies[model] = self.make(model, temperature=self.options.temperature)
        return self._policies[model]

    def make(self, model: BaseFairseqModel, **changed: Any) -> Policy:
        """Return *model* as a new policy, with arguments of :class:`Policy` *changed*."""
        options = self.options
        longest = options.max_length or self._longest or options.tokens_per_sample - 1
        changed.setdefault("max_length", longest)
        return Policy(
            model,
            self.dictionary,
            fixed_length=options.fixed_length,
            memory=options.g_step_memory * 1e6,
            **changed,
        )

    def set_longest(self, longest: int) -> None:
        """Set how many tokens the longest training sequence has before its end symbol."""
        self._longest = longest
        self._policies.clear()

    @property
    def length(self) -> int:
        """T, the largest number of tokens in a sequence of the policy, counting eos."""
        options = self.options
        return options.fixed_length or (options.max_length or self._longest) + 1
