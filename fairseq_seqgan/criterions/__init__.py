"""Losses that the plugin adds to fairseq's registry."""

from .. import models  # noqa: F401  (the criterion's options are those of the registered models)
from . import scheduled_sampling, seqgan

__all__ = ["scheduled_sampling", "seqgan"]
