"""Which arithmetic the machine can do, and faster than float32."""

from __future__ import annotations

import logging

import torch

logger = logging.getLogger(__name__)


def resolve_dtype(option: str, wanted: str) -> torch.dtype:
    """Return the arithmetic that *option* asks for with *wanted*: auto, float32 or bfloat16.

    Without instructions of its own for it, a processor is slower in bfloat16 than in float32: then
    it is float32, and a warning if bfloat16 was asked for by name.
    """
    if wanted == "float32" or has_bfloat16():
        return torch.float32 if wanted == "float32" else torch.bfloat16
    if wanted == "bfloat16":
        logger.warning("%s bfloat16: this machine has none, float32 is used", option)
    return torch.float32


def has_bfloat16() -> bool:
    """Return whether the GPU, or else the processor, calculates in bfloat16."""
    if torch.cuda.is_available() and torch.cuda.is_bf16_supported():
        return True
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
