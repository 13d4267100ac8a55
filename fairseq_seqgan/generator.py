"""Sampling behind the interface that ``fairseq-generate`` expects of a generator.

Shapes: B sentences in a batch, T steps at most.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from fairseq.data import Dictionary, FairseqDataset
from fairseq.data.iterators import EpochBatchIterator
from fairseq.models import BaseFairseqModel
from torch import Tensor

from .errors import InputError
from .policy import Policy, banned_symbols
from .rollout import sample
from .sampling import make_generator

Hypothesis = dict[str, Any]


class Prompts(FairseqDataset):
    """What ``fairseq-generate`` goes through: *num* items, in order.

    Args:
        num: items; each is an unconditional sample, or continues a sentence of *source*.
        eos: the symbol that an empty source sentence consists of.
        pad: the padding symbol.
        source: sentences to continue, used again from the first if there are fewer than *num*.
    """

    def __init__(self, num: int, eos: int, pad: int, source: FairseqDataset | None = None) -> None:
        self.num, self.eos, self.pad, self.source = num, eos, pad, source

    def __len__(self) -> int:
        return self.num

    def __getitem__(self, index: int) -> tuple[int, Tensor | None]:
        if self.source is None:
            return index, None
        return index, self.source[index % len(self.source)]["target"]

    def collater(self, items: list[tuple[int, Tensor | None]]) -> dict[str, Any]:
        """Return a batch as ``fairseq-generate`` reads it; ``target`` (B, T) or None."""
        ids = torch.tensor([index for index, _ in items])
        target = None
        if self.source is not None:
            rows = [tokens for _, tokens in items]
            target = torch.nn.utils.rnn.pad_sequence(rows, True, self.pad)
        empty = torch.full((len(items), 1), self.eos)
        return {
            "id": ids,
            "nsentences": len(items),
            "ntokens": len(items),
            "net_input": {"src_tokens": empty, "src_lengths": torch.ones_like(ids)},
            "target": target,
        }


def prompt_iterator(
    prompts: Prompts, batch_size: int | None, num_shards: int = 1, shard_id: int = 0
) -> EpochBatchIterator:
    """Return the items of *prompts* in order, *batch_size* (1,024 unless given) at a time."""
    size = batch_size or 1024
    order = range(len(prompts))
    batches = [list(order[i : i + size]) for i in order[::size]]
    return EpochBatchIterator(
        prompts,
        prompts.collater,
        batches,
        num_shards=num_shards,
        shard_id=shard_id,
        disable_shuffling=True,
    )


def search_options(
    args: Any, dictionary: Dictionary, fixed_length: int
) -> tuple[Any, tuple[str, ...]]:
    """Return fairseq's options *args* for a search that finds what the policy might draw.

    With them the words that fairseq's search has to suppress; unk is not one of them, because
    fairseq refuses it there.
    """
    unk = dictionary.unk()
    banned = [i for i in banned_symbols(dictionary, fixed_length=False) if i != unk]
    args = copy.copy(args)
    args.unkpen = 1e4
    if fixed_length:
        args.min_len = args.max_len_b = fixed_length
        args.max_len_a = 0
    return args, tuple(dictionary[i] for i in banned)


class SequenceSampler:
    """Draws sequences from the policy for ``fairseq-generate --sampling``.

    Args:
        policy: the model, with its temperature, top-k and top-p.
        nbest: samples of each item.
        seed: the same seed gives the same samples, whatever the batch size.
        shard: which share of the items this process draws.
    """

    def __init__(self, policy: Policy, nbest: int, seed: int, shard: int = 0) -> None:
        self.policy, self.nbest = policy, nbest
        self.symbols_to_strip_from_output = {policy.eos}
        self.random = make_generator("generate", seed, shard)

    def generate(
        self,
        models: list[BaseFairseqModel],
        batch: dict[str, Any],
        prefix_tokens: Tensor | None = None,
        **ignored: Any,
    ) -> list[list[Hypothesis]]:
        """Return *nbest* hypotheses for each of the B items of *batch*.

        ``score`` is the mean log-probability of a token in nats, ``positional_scores`` (T,) that
        of each; the tokens of a given prefix have 0.

        Raises:
            InputError: there is more than one model.
        """
        if len(models) != 1:
            raise InputError("--path: sampling takes one checkpoint, not an ensemble")
        num = len(batch["net_input"]["src_tokens"]) * self.nbest
        if prefix_tokens is not None:
            prefix_tokens = prefix_tokens.repeat_interleave(self.nbest, dim=0)
        drawn = sample(self.policy, num, self.random, prefix=prefix_tokens)
        if not self.policy.fixed:
            # What did not end has one token more than the maximal length, in the place of its end.
            drawn.mask[:, -1] &= drawn.tokens[:, -1] == self.policy.eos
        hypotheses = [
            {
                "tokens": tokens[mask],
                "score": float(log_probs[mask].mean()),
                "attention": None,
                "alignment": torch.empty(0),
                "positional_scores": log_probs[mask],
            }
            for tokens, mask, log_probs in zip(*(field.cpu() for field in drawn), strict=True)
        ]
        return [hypotheses[i : i + self.nbest] for i in range(0, num, self.nbest)]
