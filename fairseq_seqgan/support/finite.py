"""Whether the numbers of a training are finite."""

import torch
from torch import Tensor

from . import distributed
from .errors import DivergenceError


def require_finite(values: Tensor, where: str, what: str) -> None:
    """Stop if *values* hold NaN or infinity.

    Several processes must call it together: if the values of one are not finite, all stop.
    Otherwise the others would wait for it.

    Raises:
        DivergenceError: names the phase (*where*) and the tensor (*what*). The task's hooks add the
            update and the last good checkpoint (``adversarial/divergence.py``).
    """
    finite = torch.isfinite(values).all()
    if not distributed.everywhere(finite):
        process = " on another process" if finite else ""
        raise DivergenceError(f"{what} of a {where} is NaN or infinite{process}")
