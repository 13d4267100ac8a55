"""How fast a training is, and how long the rest of its schedule will take."""

import time
from collections import Counter, defaultdict

from ..support import progress_display
from .schedule import Phase, Schedule

_G, _POOL, _D = "update of G", "first update of D on a pool", "another update of D"


class Pace:
    """Measures updates as they begin, and says where the training is and how long the rest takes.

    Args:
        schedule: of the training.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.schedule, self.update = schedule, 0
        # From the beginning of an update to that of the next one.
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._measured: Counter[str] = Counter()  # updates
        self._begun: tuple[str, float] | None = None  # the present update

    def begin(self, update: int) -> None:
        """Begin *update*: the one before it has ended, with all that fairseq did after it."""
        now = time.monotonic()
        if self._begun is not None:
            kind, since = self._begun
            self._seconds[kind] += now - since
            self._measured[kind] += 1
        self.update, self._begun = update, (self._kind(update), now)
        progress_display.enter(self.where)

    def where(self) -> str:
        """Return the present update's place in the schedule, and how long the rest takes."""
        left = self.left()
        words = place(self.schedule, self.update)
        if left is None:
            return words
        return f"{words}; about {progress_display.clock(left)} of the training left"

    def left(self) -> float | None:
        """Return the seconds that the present update and all after it take.

        Each kind of update takes as long as those of its kind on average; None: one was not seen.
        """
        left = remaining(self.schedule, self.update)
        if any(count and not self._measured[kind] for kind, count in left.items()):
            return None
        return sum(
            count * self._seconds[kind] / self._measured[kind]
            for kind, count in left.items()
            if count
        )

    def _kind(self, update: int) -> str:
        step = self.schedule(update)
        if step.phase is Phase.GENERATOR:
            return _G
        return _D if step.pass_index or step.minibatch_index else _POOL


def remaining(schedule: Schedule, update: int) -> dict[str, int]:
    """Return how many updates of each kind there are from *update* (from 0) to the last one."""
    pools = schedule.pretrain_d_steps + schedule.rounds * schedule.d_steps
    epoch, done = schedule.epoch_at(update)
    rounds = epoch - 1 - schedule.pretrain_d_steps  # that have ended
    g_steps = rounds * schedule.g_steps + min(done, schedule.g_steps) if rounds >= 0 else 0
    left = {
        _G: schedule.rounds * schedule.g_steps - g_steps,
        _POOL: pools - schedule.pools_before(update),
    }
    return left | {_D: schedule.total_updates - update - sum(left.values())}


def place(schedule: Schedule, update: int) -> str:
    """Return in words where *update* is: "round 3 of 20, g-step 1 of 5"."""
    step = schedule(update)
    if step.phase is Phase.GENERATOR:
        numbers = f"g-step {step.g_step + 1} of {schedule.g_steps}"
        return f"round {step.round} of {schedule.rounds}, {numbers}"
    numbers = (
        f"pass {step.pass_index + 1} of {schedule.k}, "
        f"minibatch {step.minibatch_index + 1} of {schedule.batches}"
    )
    if step.phase is Phase.PRETRAIN:
        return f"D's pre-training, pool {step.pool} of {schedule.pretrain_d_steps}, {numbers}"
    d_step = f"d-step {step.pool_in_round + 1} of {schedule.d_steps}"
    return f"round {step.round} of {schedule.rounds}, {d_step}, {numbers}"
