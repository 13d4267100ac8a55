"""Small fairseq language models, built as fairseq-train builds them, for tests and benchmarks."""

from argparse import Namespace

import torch
from fairseq.data import Dictionary
from fairseq.models import FairseqLanguageModel
from fairseq.models.lstm_lm import LSTMLanguageModel, base_architecture
from fairseq.models.transformer_lm import TransformerLanguageModel, TransformerLanguageModelConfig


def make_dictionary(words: int) -> Dictionary:
    """Return a dictionary of the words 0 ... words - 1 with id = word + 4."""
    dictionary = Dictionary()
    for word in range(words):
        dictionary.add_symbol(str(word))
    return dictionary


def make_lm(
    arch: str, dictionary: Dictionary, hidden: int = 16, seed: int = 1, scale: float = 1.0
) -> FairseqLanguageModel:
    """Return an ``lstm_lm`` or ``transformer_lm`` in train mode, with dropout 0.3.

    *scale* multiplies the weights, so that the distribution is far from uniform.
    """
    torch.manual_seed(seed)
    model = build_lm(arch, dictionary, hidden, dropout=0.3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(scale)
    return model.train()


def build_lm(
    arch: str,
    dictionary: Dictionary,
    hidden: int,
    *,
    dropout: float,
    layers: int = 2,
    heads: int = 2,
    feed_forward: int = 2,
    positions: int = 128,
) -> FairseqLanguageModel:
    """Return an ``lstm_lm`` or ``transformer_lm`` with random weights.

    Args:
        hidden: the size of the embeddings and of every hidden layer.
        layers: of a transformer, as all that follows.
        feed_forward: times *hidden* is the size of its feed-forward layers.
        positions: the longest sequence.
    """
    task = Namespace(
        source_dictionary=dictionary, target_dictionary=dictionary, dictionary=dictionary
    )
    if arch == "lstm_lm":
        args = Namespace(
            dropout=dropout,
            decoder_embed_dim=hidden,
            decoder_hidden_size=hidden,
            decoder_out_embed_dim=hidden,
            criterion="cross_entropy",
        )
        base_architecture(args)
        return LSTMLanguageModel.build_model(args, task)
    cfg = TransformerLanguageModelConfig(
        decoder_embed_dim=hidden,
        decoder_output_dim=hidden,
        decoder_input_dim=hidden,
        decoder_ffn_embed_dim=feed_forward * hidden,
        decoder_layers=layers,
        decoder_attention_heads=heads,
        dropout=dropout,
        tokens_per_sample=positions,
        max_target_positions=positions,
    )
    return TransformerLanguageModel.build_model(cfg, task)
