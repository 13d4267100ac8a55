"""Small policies far from uniform, for tests of what they draw."""

from fairseq_seqgan.policy.policy import Policy
from helpers.architectures import ARCHITECTURES, build
from helpers.models import make_dictionary, make_lm

NUM, ROLLOUTS, STEPS = 5, 3, 6
ARCHS = ["lstm_lm", "transformer_lm"]
EOS, PAD = 2, 1


def make_policy(arch, fixed, seed=1, words=20):
    """A policy far from uniform, over T = 6 steps either way."""
    dictionary = make_dictionary(words)
    if arch in ARCHITECTURES:
        model = build(arch, dictionary, 128, seed, scale=3.0)
    else:
        model = make_lm(arch, dictionary, seed=seed, scale=3.0)
    length = {"fixed_length": STEPS} if fixed else {"max_length": STEPS - 1}
    return Policy(model, dictionary, **length)
