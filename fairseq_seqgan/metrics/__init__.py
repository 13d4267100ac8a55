"""Metrics: pure functions on sequences and scores, which know neither fairseq nor training code."""
