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
    task = Namespace(
        source_dictionary=dictionary, target_dictionary=dictionary, dictionary=dictionary
    )
    if arch == "lstm_lm":
        args = Namespace(
            dropout=0.3,
            decoder_embed_dim=hidden,
            decoder_out_embed_dim=hidden,
            criterion="cross_entropy",
        )
        base_architecture(args)
        model = LSTMLanguageModel.build_model(args, task)
    else:
        cfg = TransformerLanguageModelConfig(
            decoder_embed_dim=hidden,
            decoder_output_dim=hidden,
            decoder_input_dim=hidden,
            decoder_ffn_embed_dim=2 * hidden,
            decoder_layers=2,
            decoder_attention_heads=2,
            dropout=0.3,
            tokens_per_sample=128,
            max_target_positions=128,
        )
        model = TransformerLanguageModel.build_model(cfg, task)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(scale)
    return model.train()
