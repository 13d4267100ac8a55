"""Sampling with the interface that ``fairseq-generate`` expects of a generator.

Shapes: B sentences in a batch, T steps at most.
"""

import atexit
import logging
from typing import Any

import torch
from fairseq.models import BaseFairseqModel
from torch import Tensor

from ..support import compat
from ..support.errors import InputError
from ..support.finite import require_finite
from ..support.rng import seeded_rng
from .factory import PolicyFactory
from .generate_options import check_sampling, checkpoint_path, sample_lengths
from .guided import EffectiveCandidates, Guide, guided_sample
from .policy import Policy
from .rollouts import Samples, sample
from .saved_model import about_temperature
from .trial import check_positions
from .unfinished import Unfinished

logger = logging.getLogger(__name__)

Hypothesis = dict[str, Any]


class SequenceSampler:
    """Draws sequences from the policy for ``fairseq-generate --sampling``.

    Args:
        policy: the model, with its temperature, top-k and top-p.
        nbest: samples for each item.
        seed: the same seed gives the same samples, up to rounding whatever the batch size.
        shard: the number of this process; each draws another share of the items.
        guide: chooses each sample among several candidates; None: there is one.
    """

    def __init__(
        self,
        policy: Policy,
        nbest: int,
        seed: int,
        shard: int = 0,
        guide: Guide | None = None,
    ) -> None:
        self.policy, self.nbest, self.guide = policy, nbest, guide
        self.symbols_to_strip_from_output = {policy.eos}
        self.random = seeded_rng("generate", seed, shard)
        self.unfinished = Unfinished()
        self.complete = self.prompts = 0
        if guide is not None:
            others = range(2, guide.candidates + 1)
            self.streams = [self.random, *(seeded_rng("guide", seed, shard, k) for k in others)]
            self.choices = [
                seeded_rng("guide choice", seed, shard, k) for k in range(1, guide.candidates + 1)
            ]
            self.effective = EffectiveCandidates(guide.candidates)

    def generate(
        self,
        models: list[BaseFairseqModel],
        batch: dict[str, Any],
        prefix_tokens: Tensor | None = None,
        **ignored: Any,
    ) -> list[list[Hypothesis]]:
        """Return *nbest* hypotheses for each of the B items of *batch*.

        ``positional_scores`` (T,) are the log-probabilities of the tokens in nats, 0 for those of a
        given prefix, and ``score`` is their mean. With a guide, ``score`` is
        [log G(x) + a d(x)] / T.

        Raises:
            InputError: there is more than one model, or a prefix leaves nothing to draw.
        """
        if len(models) != 1:
            raise InputError("--path: sampling takes one checkpoint, not an ensemble")
        source = batch["net_input"]["src_tokens"]
        if prefix_tokens is None:
            prefix_tokens = source[:, 1:]  # after the start symbol
            self._warn_of_unknown_words(prefix_tokens)
        self._check_prompt(prefix_tokens)
        self.prompts += len(source)
        self.complete += int((prefix_tokens == self.policy.eos).any(dim=1).sum())
        num = len(source) * self.nbest
        prefix_tokens = prefix_tokens.repeat_interleave(self.nbest, dim=0)
        drawn, log_weights = self._draw(num, prefix_tokens)
        if not self.policy.fixed:
            # A sequence that did not end has one token too many, where its end symbol would be.
            drawn.mask[:, -1] &= drawn.tokens[:, -1] == self.policy.eos
        hypotheses = [
            {
                "tokens": tokens[mask],
                "score": float(log_probs[mask].mean() + log_weight / mask.sum()),
                "attention": None,
                "alignment": torch.empty(0),
                "positional_scores": log_probs[mask],
            }
            for tokens, mask, log_probs, log_weight in zip(
                *(field.cpu() for field in (*drawn, log_weights)), strict=True
            )
        ]
        if batch.get("last"):
            self.report()
        return [hypotheses[i : i + self.nbest] for i in range(0, num, self.nbest)]

    def report(self) -> None:
        """Say what is to be known of all that was drawn, once."""
        self.unfinished.report()
        if self.complete:
            logger.warning(
                "%d of %d sentences end within --prefix-size, so they are returned as they are",
                self.complete,
                self.prompts,
            )
            self.complete = 0
        if self.guide is not None:
            self.effective.report()

    def _check_prompt(self, prefix: Tensor) -> None:
        """Refuse a *prefix* (B, t) that is as long as a sequence can be."""
        policy = self.policy
        words = ((prefix != policy.pad) & (prefix != policy.eos)).sum(dim=1)
        longest = int(words.max()) if len(words) else 0
        if longest >= policy.length:
            most = policy.length if policy.fixed else policy.length - 1
            raise InputError(
                f"a prompt of {longest} tokens: sequences of this model have at most {most}, so "
                "nothing would be drawn"
            )

    def _warn_of_unknown_words(self, prompts: Tensor) -> None:
        """Warn if typed *prompts* (B, t) hold words that are not in the dictionary."""
        unknown = int((prompts == self.policy.unk).any(dim=1).sum())
        if unknown:
            logger.warning(
                "%d of %d prompts hold words that are not in the dictionary; G reads <unk> in "
                "their place. Where the dictionary holds pieces of words, --bpe sentencepiece "
                "--sentencepiece-model FILE splits a prompt",
                unknown,
                len(prompts),
            )

    def _draw(self, num: int, prefix: Tensor) -> tuple[Samples, Tensor]:
        """Draw *num* sequences; return them and a d(x) of each (num,), 0 without a guide.

        Raises:
            DivergenceError: the checkpoint's weights are not finite.
        """
        if self.guide is None:
            drawn = sample(self.policy, num, self.random, prefix=prefix)
            log_weights = torch.zeros(num)
        else:
            drawn, log_weights, effective = guided_sample(
                self.policy, num, self.guide, self.streams, self.choices, prefix=prefix
            )
            self.effective.add(effective)
        require_finite(drawn.log_probs, "sample", "the policy's log-probability")
        require_finite(log_weights, "sample", "D's verdict")
        self.unfinished.add(drawn, self.policy)
        return drawn, log_weights


def build_sampler(
    policies: PolicyFactory,
    model: BaseFairseqModel,
    generation: Any,
    seed: int,
    guide: Guide | None = None,
) -> SequenceSampler:
    """Return the sampler for fairseq's options of *generation*; *guide* brings D's help.

    Raises:
        InputError: an option is that of a search, and would do nothing.
    """
    options = policies.options
    check_sampling(generation)
    path = checkpoint_path(options)
    if path and (told := about_temperature(path, generation.temperature)) is not None:
        logger.warning(told)
    options.fixed_length, longest = sample_lengths(options, generation, model)
    policy = policies.make(
        model,
        max_length=longest,
        temperature=generation.temperature,
        top_k=generation.sampling_topk,
        top_p=generation.sampling_topp,
    )
    check_positions(policy)
    # fairseq-generate does not start torch.distributed: which shard it has is an option.
    root = compat.root_config(options)
    shard = root.distributed_training.distributed_rank if root is not None else 0
    sampler = SequenceSampler(policy, generation.nbest, seed, shard, guide)
    # fairseq-interactive does not know which batch is the last one.
    atexit.register(sampler.report)
    return sampler
