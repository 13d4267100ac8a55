"""Tiny data and models for the tests of ``fairseq-seqgan evaluate``, and plain definitions.

The oracle and the language model are written out once more here, as loops over numpy arrays, and
with 8 words and 4 tokens all 4,096 sequences can be enumerated: the entropy is known exactly.
"""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from fairseq.data.indexed_dataset import make_builder

from fairseq_seqgan.oracle.lstm import Oracle
from fairseq_seqgan.support.rng import seeded_rng
from helpers.commands import fork, mle
from helpers.models import make_dictionary

WORDS, LENGTH = 8, 4
UNK, EOS, OFFSET = 3, 2, 4
SAMPLES = [[0, 1, 2, 3], [7, 7, 7, 7], [0, 1, 2, 3], [5, 4, 3, 2], [6, 0, 6, 0]]


def binarize(folder: Path, split: str, sequences: list[list[int]], impl: str = "mmap") -> None:
    """Write sequences of ids as fairseq-preprocess does: with an end symbol."""
    builder = make_builder(str(folder / f"{split}.bin"), impl=impl, vocab_size=WORDS + OFFSET)
    for sequence in sequences:
        builder.add_item(torch.tensor([*sequence, EOS]))
    builder.finalize(str(folder / f"{split}.idx"))


def make_data(folder: Path) -> Path:
    """Make data of an oracle: every sequence has LENGTH tokens. There is no train.txt."""
    folder.mkdir()
    oracle = Oracle.random(WORDS, 4, 5, seed=3)
    oracle.save(folder / "oracle.npz")
    make_dictionary(WORDS).save(str(folder / "dict.txt"))
    for split, size in (("train", 60), ("valid", 25), ("test", 40)):
        tokens = oracle.sample(size, LENGTH, seeded_rng("test", split)) + OFFSET
        binarize(folder, split, tokens.tolist())
    return folder


def make_sentences(folder: Path) -> Path:
    """Make data of varying length, with unknown words held out, and no test split."""
    make_dictionary(WORDS).save(str(folder / "dict.txt"))
    rng = np.random.default_rng(5)
    for split, size in (("train", 80), ("valid", 30)):
        rows = [(rng.zipf(1.6, rng.integers(1, 7)) % WORDS + OFFSET).tolist() for _ in range(size)]
        if split == "valid":
            rows[3], rows[7][0] = [UNK], UNK
        binarize(folder, split, rows)
    return folder


def train(data: Path, folder: Path, epochs: int = 8) -> Path:
    """Train with task seqgan and --fixed-length; return the checkpoint."""
    shape = f"--fixed-length {LENGTH} --tokens-per-sample {LENGTH + 1}"
    fork("train", folder, mle(data, folder, "--max-epoch", epochs, shape=shape)).check()
    return folder / "checkpoint_last.pt"


def write_samples(path: Path, rows: list[list[int]]) -> Path:
    """Write oracle tokens as text, one sample a line."""
    path.write_text("".join(" ".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
    return path


# --- plain definitions


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    return logits - np.log(np.exp(logits - logits.max()).sum()) - logits.max()


def oracle_nll(path: Path, rows: list[list[int]]) -> float:
    """The paper's Eq. 9: the mean of -log p(y_t | y_1 ... y_t-1), one token after the other."""
    a = Oracle.load(path).arrays()
    losses = []
    for row in rows:
        h = c = np.zeros(a["Wi"].shape[1])
        previous = 0
        for token in row:
            x = a["emb"][previous]
            i, f, o, g = (x @ a["W" + n] + h @ a["U" + n] + a["b" + n] for n in "ifoc")
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            losses.append(-log_softmax(h @ a["Wout"] + a["bout"])[token])
            previous = token
    return float(np.mean(losses))


class PlainLM:
    """fairseq's one-layer ``lstm_lm``, with the symbols that are never drawn taken out."""

    def __init__(self, checkpoint: Path, fixed: bool, temperature: float = 1.0) -> None:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        weights = {name: value.double().numpy() for name, value in state["model"].items()}
        self.w = {name.removeprefix("decoder."): value for name, value in weights.items()}
        self.allowed = list(range(OFFSET, OFFSET + WORDS)) + ([] if fixed else [EOS])
        self.temperature = temperature

    def token_log_probs(self, ids: list[int]) -> list[float]:
        """log G(y_t | ...) of every token; None where it can never be drawn."""
        w = self.w
        h = c = np.zeros(w["layers.0.weight_hh"].shape[1])
        found, previous = [], EOS
        for token in ids:
            gates = w["layers.0.weight_ih"] @ w["embed_tokens.weight"][previous]
            gates = gates + w["layers.0.weight_hh"] @ h
            gates = gates + w["layers.0.bias_ih"] + w["layers.0.bias_hh"]
            i, f, g, o = np.split(gates, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            logits = (w["fc_out.weight"] @ h + w["fc_out.bias"]) / self.temperature
            log_probs = dict(zip(self.allowed, log_softmax(logits[self.allowed]), strict=True))
            found.append(log_probs.get(token))
            previous = token
        return found

    def nll(self, rows: list[list[int]]) -> float:
        every = [p for row in rows for p in self.token_log_probs(row) if p is not None]
        return -float(np.mean(every))

    def entropy(self) -> float:
        """The exact entropy per token, from all WORDS ** LENGTH sequences."""
        every = itertools.product(range(OFFSET, OFFSET + WORDS), repeat=LENGTH)
        totals = np.array([sum(self.token_log_probs(list(ids))) for ids in every])
        assert np.exp(totals).sum() == pytest.approx(1.0)
        return -float(np.exp(totals) @ totals) / LENGTH


def split_ids(folder: Path, split: str) -> list[list[int]]:
    """Read the ids straight from the .bin file (16-bit numbers), each row with its end symbol."""
    flat = np.fromfile(folder / f"{split}.bin", dtype=np.uint16)
    ends = np.flatnonzero(flat == EOS) + 1
    return [part.tolist() for part in np.split(flat, ends)[:-1]]


def words_of(folder: Path, split: str) -> list[list[int]]:
    return [[i - OFFSET for i in row[:-1]] for row in split_ids(folder, split)]
