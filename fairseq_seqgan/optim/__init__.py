"""The optimizer that the plugin adds to fairseq's registry."""

from . import seqgan_adam

__all__ = ["seqgan_adam"]
