"""Discriminators that the plugin adds to fairseq's registry of models, and what they share."""

from . import cnn_highway, rcnn

__all__ = ["cnn_highway", "rcnn"]
