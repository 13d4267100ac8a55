"""The task that the plugin adds to fairseq's registry."""

from . import seqgan

__all__ = ["seqgan"]
