"""From a fairseq model to the policy that the task's options ask for."""

from __future__ import annotations

from typing import Any

from fairseq.data import Dictionary
from fairseq.models import BaseFairseqModel

from .policy import Policy


class PolicyFactory:
    """Makes models into policies; the same model gives the same policy.

    Args:
        options: the task's: those of :class:`PolicyConfig`, ``tokens_per_sample`` and
            ``add_bos_token``. They are read when a policy is made.
        dictionary: of the models.
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
            start=self.dictionary.bos() if options.add_bos_token else None,
            memory=options.g_step_memory * 1e6,
            **changed,
        )

    def set_longest(self, longest: int) -> None:
        """State how many tokens the longest training sequence has before its end symbol."""
        self._longest = longest
        self._policies.clear()

    @property
    def length(self) -> int:
        """T, the most tokens of a sequence of the policy, eos among them."""
        options = self.options
        return options.fixed_length or (options.max_length or self._longest) + 1
