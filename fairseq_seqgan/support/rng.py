"""Random streams: one for each purpose, seeded by a hash, with no state to save."""

from __future__ import annotations

import hashlib

import torch

from . import distributed


def seeded_rng(*key: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a random generator seeded by all of *key*, so that purposes have streams of their own.

    The key is hashed: ``("pool", 1, 2)`` and ``("pool", 2, 1)`` are unrelated, and so are the
    seeds of neighbouring updates or ranks. On a CPU torch uses 32 bits of a seed, so two of 10,000
    keys share a stream with a probability of about 1 %.
    """
    digest = hashlib.blake2b(repr(key).encode(), digest_size=7).digest()
    return torch.Generator(device=device).manual_seed(int.from_bytes(digest, "big"))


def seed_dropout(*key: int | str) -> None:
    """Seed the global generator of torch, which draws dropout, by *key* and this process's rank.

    fairseq seeds it at every update, but alike on every rank. Rank 0 keeps fairseq's seed.
    """
    if distributed.rank():
        torch.manual_seed(seeded_rng("dropout", *key, distributed.rank()).initial_seed())
