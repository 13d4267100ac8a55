"""The number of updates made: all that says where in the schedule a training is.

fairseq also counts epochs and the batches of an epoch. These may disagree with the updates: a batch
whose gradient overflows makes no update, and the options ``--reset-...`` leave one count behind
without the other. So the plugin derives the epoch from the updates, never the updates from it.
"""

from ..support.errors import DivergenceError, InputError


class Clock:
    """Follows fairseq's number of updates.

    Args:
        updates: made before this process began.
    """

    # fp16 and amp halve the scale of the loss after an overflow, and give up at their smallest
    # scale. From the largest to the smallest float32 there are 277 halvings.
    MOST_ATTEMPTS = 300

    def __init__(self, updates: int) -> None:
        self.updates = updates
        self.attempts = 0  # batches since the last update
        self.lost = 0  # batches of this process that have made no update

    def begin(self, update: int, part: int) -> None:
        """Begin part *part* of fairseq's update number *update*.

        Raises:
            InputError: it is not the update that the schedule is at.
            DivergenceError: there were hundreds of batches without an update.
        """
        if update != self.updates:
            raise InputError(
                f"fairseq begins update {update}, but the schedule is at update {self.updates}: "
                "has the checkpoint changed while it was loaded, or does a process not see it?"
            )
        if part:
            return
        self.lost += self.attempts > 0  # True counts as 1
        self.attempts += 1
        if self.attempts > self.MOST_ATTEMPTS:
            raise DivergenceError(
                f"update {update}: {self.MOST_ATTEMPTS} batches in a row have made no update: "
                "their gradients are NaN or infinite, or memory has run out, as the log then says"
            )

    def tick(self, update: int) -> None:
        """Count *update*, which the optimizer has made."""
        self.updates, self.attempts = update + 1, 0
