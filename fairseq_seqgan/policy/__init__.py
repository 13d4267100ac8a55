"""The generator as a distribution: sampling, rollouts, and fairseq-generate."""
