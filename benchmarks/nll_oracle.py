"""How long NLL_oracle of 100,000 samples takes, the paper's number; run alone it prints it."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from paper import Paper, Sizes

from fairseq_seqgan.metrics import likelihood
from fairseq_seqgan.oracle.lstm import Oracle, from_fairseq
from fairseq_seqgan.policy.rollouts import sample
from fairseq_seqgan.support.rng import seeded_rng

SAMPLES = 100_000


def nll_oracle_seconds(samples: int = SAMPLES) -> float:
    """Draw the samples from an ``lstm_lm`` of the paper's size and score them with an oracle."""
    sizes = Sizes()
    policy = Paper(sizes).policy
    oracle = Oracle.random(sizes.words, sizes.hidden, sizes.hidden, seed=1)
    begin = time.perf_counter()
    drawn = sample(policy, samples, seeded_rng("benchmark"))
    likelihood.from_tokens(oracle.log_probs(from_fairseq(drawn.tokens)), drawn.mask)
    return time.perf_counter() - begin


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2, help="threads of torch (2)")
    torch.set_num_threads(parser.parse_args().threads)
    print(f"{nll_oracle_seconds():8.2f} s  {nll_oracle_seconds.__doc__}")
