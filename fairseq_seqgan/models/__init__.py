"""Models that the plugin adds to fairseq's registry: discriminators, and two language models."""

from . import cnn_highway, gru_lm, lstm_attention_lm, rcnn

__all__ = ["cnn_highway", "gru_lm", "lstm_attention_lm", "rcnn"]
