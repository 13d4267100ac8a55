"""The warning that the policy has collapsed: it draws the same sequence again and again."""

import logging
import math

from ..support import distributed

logger = logging.getLogger(__name__)

# In nats per sequence. exp(entropy) is the number of sequences that G in effect draws from.
LEAST_ENTROPY = math.log(2)


class CollapseWarning:
    """Warns once in a training, when G in effect draws fewer than two different sequences."""

    def __init__(self) -> None:
        self._given = False

    def see(self, entropy: float, update: int | None = None) -> None:
        """Look at the *entropy* of G, the mean of -log G(Y) over its samples Y, in nats."""
        if self._given or entropy >= LEAST_ENTROPY or distributed.rank():
            return
        self._given = True
        logger.warning(
            "the policy has collapsed: %sits entropy is %.2g nats per sequence, so it draws almost "
            "the same sequence every time; train again with a smaller --lr, or with --clip-norm",
            "" if update is None else f"before update {update + 1} ",
            entropy,
        )
