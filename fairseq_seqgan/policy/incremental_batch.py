"""A batch that is decoded step by step, and in which rollouts start beside the sequences.

A sequence and the N rollouts of its prefix y_1 ... y_t draw their next tokens from the same
distribution, which is computed once. Then the decoder's state is copied N times, and the copies are
decoded beside the originals. A row that has drawn eos leaves the batch.

Shapes: B sequences, T steps at most, N rollouts of each prefix, R rows decoded at a time, S
sequences whose rollouts start in a step.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from .policy import Decoding, Policy


class Samples(NamedTuple):
    """Sequences drawn from a policy."""

    tokens: Tensor  # (B, T) int64: y_1 ... y_T with eos if it was drawn, then padding
    mask: Tensor  # (B, T) bool: True where a token was drawn
    log_probs: Tensor  # (B, T) float32: log G(y_t | y_1 ... y_t-1) in nats, 0 where mask is False


class Fork(NamedTuple):
    """Which rollouts are started in a step."""

    size: int  # B: the sequences are rows 0 ... B - 1
    rollouts: int  # N
    prefix_number: int  # p, how many prefixes of each sequence have been rolled out before

    def rows(self, sequences: Tensor) -> Tensor:
        """Return the rows (S, N) of the rollouts of *sequences* (S,).

        Rollout n of sequence b is row B + (p B + b) N + n. With B = 2 and N = 3, sequence 1 has the
        rows 5, 6 and 7 for its first prefix (p = 0), and 11, 12 and 13 for its second.
        """
        first = self.size + (self.prefix_number * self.size + sequences) * self.rollouts
        return first.unsqueeze(1) + torch.arange(self.rollouts, device=first.device)


class IncrementalBatch:
    """A batch that is decoded step by step, and from which rows leave and to which rows are added.

    ``rows`` are the rows being decoded, as indices into ``tokens``. The decoder's state has exactly
    these rows, in this order.
    """

    def __init__(
        self,
        policy: Policy,
        uniforms: Tensor,
        prefix: Tensor | None = None,
        live: int | None = None,
    ) -> None:
        total, length = uniforms.shape
        self.policy, self.uniforms, self.prefix = policy, uniforms, prefix
        self.tokens = torch.full((total, length + 1), policy.pad, device=uniforms.device)
        self.tokens[:, 0] = policy.start
        self.log_probs = torch.zeros(total, length, device=uniforms.device)
        self.rows = torch.arange(total if live is None else live, device=uniforms.device)
        self.decoding = Decoding(policy)

    def step(self, t: int, forced: Tensor | None = None, fork: Fork | None = None) -> Tensor | None:
        """Draw token number t, counted from 0, of every row; rows that end with it leave the batch.

        Args:
            t: how many tokens every row has.
            forced: (B,) tokens that rows 0 ... B - 1 take instead of what is drawn.
            fork: start rollouts of the unfinished sequences' t tokens.

        Returns:
            The sequences with new rollouts, as numbers in 0 ... B - 1; None without *fork*.
        """
        features = self.decoding.step(self.tokens[self.rows, : t + 1])
        places = torch.arange(len(self.rows), device=self.rows.device)
        if fork is None:
            rows, sequences = self.rows, None
            drawn, log_probs = self.policy.draw(features, self.uniforms[rows, t])
        else:
            sequences = self.rows[self.rows < fork.size]  # the first rows of the batch
            children = fork.rows(sequences)
            self.tokens[children, : t + 1] = self.tokens[sequences, : t + 1].unsqueeze(1)
            rows = torch.cat([self.rows, children.flatten()])
            places = torch.cat([places, places[: len(sequences)].repeat_interleave(fork.rollouts)])
            drawn, log_probs = self._draw_forked(features, t, children)
        if forced is not None:
            given = rows < len(forced)
            drawn[given] = forced[rows[given]]
        if self.prefix is not None and t < self.prefix.size(1):
            wanted = self.prefix[rows, t]
            given = wanted != self.policy.pad
            drawn = torch.where(given, wanted, drawn)
            log_probs = log_probs.masked_fill(given, 0.0)
        self.tokens[rows, t + 1] = drawn
        self.log_probs[rows, t] = log_probs
        self._keep(t, rows, places, drawn)
        return sequences

    def _draw_forked(self, features: Tensor, t: int, children: Tensor) -> tuple[Tensor, Tensor]:
        """Draw token number t of every row, and after them of their *children* (S, N).

        The first S rows and their children draw from the same S distributions.
        """
        count = len(children)
        own = self.uniforms[self.rows, t]
        shared = torch.cat([own[:count].unsqueeze(1), self.uniforms[children, t]], dim=1)
        forked = self.policy.draw(features[:count], shared)
        others = self.policy.draw(features[count:], own[count:])
        first, second = (
            torch.cat([ours[:, 0], theirs, ours[:, 1:].flatten()])
            for ours, theirs in zip(forked, others, strict=True)
        )
        return first, second

    def _keep(self, t: int, rows: Tensor, places: Tensor, drawn: Tensor) -> None:
        """Go on with those *rows* that have not *drawn* eos; the state of each is at its place."""
        forked = len(rows) > len(self.rows)
        if not self.policy.fixed:
            going = (drawn != self.policy.eos).nonzero().squeeze(1)
            forked |= len(going) < len(rows)
            rows, places = rows[going], places[going]
        self.rows = rows
        # After the last token, no state is needed any more.
        if forked and len(rows) and t + 1 < self.policy.length:
            self.decoding.select(places)

    def samples(self, size: int) -> Samples:
        """Return the first *size* rows."""
        tokens = self.tokens[:size, 1:]
        return Samples(tokens, tokens != self.policy.pad, self.log_probs[:size])
