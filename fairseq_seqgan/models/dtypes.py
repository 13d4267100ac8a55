"""The floating-point type to compute in: bfloat16 where the machine is fast in it."""

from __future__ import annotations

import logging
from typing import Any

import torch

from ..support import compat

logger = logging.getLogger(__name__)


def resolve_dtype(option: str, wanted: str, uses_gpu: bool) -> torch.dtype:
    """Return the type for the value *wanted* of *option*: auto, float32 or bfloat16.

    *uses_gpu* says where the net computes. A processor without bfloat16 instructions is slower in
    bfloat16 than in float32. There, auto is float32, and so is bfloat16, with a warning.
    """
    if wanted == "float32" or has_bfloat16(uses_gpu):
        return torch.float32 if wanted == "float32" else torch.bfloat16
    if wanted == "bfloat16":
        logger.warning("%s bfloat16: this machine has none; float32 is used", option)
    return torch.float32


def trains_on_gpu(cfg: Any) -> bool:
    """Return whether the command that *cfg* is a part of trains on a GPU."""
    root = compat.root_config(cfg)
    return torch.cuda.is_available() and not (root is not None and root.common.cpu)


def has_bfloat16(uses_gpu: bool) -> bool:
    """Return whether the GPU, or the processor, has bfloat16 instructions."""
    if uses_gpu:
        return torch.cuda.is_bf16_supported()
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
