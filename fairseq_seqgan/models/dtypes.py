"""The floating-point type to compute in: bfloat16 where the machine is fast in it."""

from __future__ import annotations

import logging

import torch

logger = logging.getLogger(__name__)


def resolve_dtype(option: str, wanted: str) -> torch.dtype:
    """Return the type for the value *wanted* of *option*: auto, float32 or bfloat16.

    A processor without bfloat16 instructions is slower in bfloat16 than in float32. There, auto is
    float32, and so is bfloat16, with a warning.
    """
    if wanted == "float32" or has_bfloat16():
        return torch.float32 if wanted == "float32" else torch.bfloat16
    if wanted == "bfloat16":
        logger.warning("%s bfloat16: this machine has none; float32 is used", option)
    return torch.float32


def has_bfloat16() -> bool:
    """Return whether the GPU, or else the processor, has bfloat16 instructions."""
    if torch.cuda.is_available() and torch.cuda.is_bf16_supported():
        return True
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
