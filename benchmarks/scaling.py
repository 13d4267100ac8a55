"""How long a step takes in p processes: the formulas and tables of ``docs/scaling.md``.

    t(p) = fixed + work / p + 2 (p - 1) / p * wire

in seconds; ``fixed`` does not depend on the batch, ``work`` is proportional to it, and ``wire`` is
the time to send the gradient once. An all-reduce in a ring sends 2 (p - 1) / p of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tabulate import tabulate

PROCESSES = (1, 2, 4, 8, 16, 32, 64)
NETWORK = 12.5e9  # bytes a second of 100 Gbit/s
FLOAT, TOKEN = 4, 8  # bytes
WHOLE, HALF, TWO = "one process", "one process, half the batch", "two processes"
# (g-steps, d-steps, k) of the paper's Figure 3: the one with the most G steps, the authors' recipe.
STRATEGIES = ((100, 1, 10), (1, 5, 3))
PAPER_ROLLOUTS = 16


@dataclass(frozen=True)
class Cost:
    """The seconds of a step, taken apart."""

    fixed: float
    work: float
    wire: float

    def seconds(self, processes: int, growth: int = 1) -> float:
        """Return t(p), for *growth* times the batch."""
        sent = 2 * (processes - 1) / processes * self.wire
        return self.fixed + growth * self.work / processes + sent


def cost(whole: float, half: float, two: float, bytes_sent: int | None = None) -> Cost:
    """Return the cost of a step that takes so many seconds.

    Args:
        whole: in one process.
        half: in one process with half the batch.
        two: in two processes with half the batch each.
        bytes_sent: of the gradient: its time on ``NETWORK`` replaces the measured one.
    """
    fixed = min(max(0.0, 2 * half - whole), whole)
    wire = max(0.0, two - half) if bytes_sent is None else bytes_sent / NETWORK
    return Cost(fixed, whole - fixed, wire)


def costs(figure: dict[str, Any], network: bool = False) -> dict[str, Cost]:
    """Return the costs of a G step, of drawing a pool and of an update of D in *figure*."""
    sent = traffic(figure["parameters"], figure["sizes"]) if network else {}
    whole, half, two = (figure["seconds"][side] for side in (WHOLE, HALF, TWO))
    return {
        part: cost(whole[part], half[part], two[part], sent.get(part))
        for part in ("g_step", "pool", "d_update")
    }


def traffic(parameters: dict[str, int], sizes: dict[str, int], length: int = 20) -> dict[str, int]:
    """Return the bytes that a process contributes to the exchange of each part.

    Half of what drawing a pool gathers: a gather sends (p - 1) / p of it and not twice that.
    """
    return {
        "g_step": FLOAT * parameters["model"],
        "pool": TOKEN * sizes["pool"] * length // 2,
        "d_update": FLOAT * parameters["criterion"],
    }


def round_seconds(
    parts: dict[str, Cost], sizes: dict[str, int], strategy: tuple[int, int, int], processes: int
) -> float:
    """Return the seconds of a round of *strategy*: g-steps, d-steps, k."""
    g_steps, d_steps, k = strategy
    minibatches = -(-2 * sizes["pool"] // sizes["d_batch"])
    t = {part: cost.seconds(processes) for part, cost in parts.items()}
    return g_steps * t["g_step"] + d_steps * (t["pool"] + k * minibatches * t["d_update"])


def measured_table(figures: list[dict[str, Any]]) -> str:
    """Return the table of what was measured."""
    rows = []
    for figure in figures:
        for part, label in (
            ("g_step", "a G step"),
            ("pool", "drawing a pool"),
            ("d_update", "an update of D"),
            ("round", "the round"),
        ):
            times = [figure["seconds"][side][part] for side in (WHOLE, HALF, TWO)]
            fall = f"**{times[0] / times[2]:.2f}**" if times[2] else "–"
            name = f"`{figure['recipe']}`: {label}"
            rows.append([name, *(f"{seconds:.3g}" for seconds in times), fall])
    headers = ["", WHOLE + " (s)", "half the batch (s)", TWO + " (s)", "times as fast"]
    return _markdown(rows, headers)


def efficiency_table(figure: dict[str, Any]) -> str:
    """Return the efficiency of p processes that is expected for *figure*: t(1) / (p t(p)).

    The round of each strategy stays as it is; in the last columns every process has the whole batch
    of its own, and the efficiency is t(1) / t(p).
    """
    local, network = costs(figure), costs(figure, network=True)
    sizes = figure["sizes"]
    own = (sizes["g_steps"], sizes["d_steps"], sizes["k"])
    strategies = STRATEGIES if sizes["rollouts"] == PAPER_ROLLOUTS else (own,)
    rows = []
    for p in PROCESSES:
        row = [f"{p}"]
        for strategy in strategies:
            for parts in (local, network):
                one, many = (round_seconds(parts, sizes, strategy, n) for n in (1, p))
                row.append(f"{one / (p * many):.0%}")
        for part in ("g_step", "d_update"):
            step = network[part]
            row.append(f"{step.seconds(1) / step.seconds(p, growth=p):.0%}")
        rows.append(row)
    names = [f"g{g_steps} d{d_steps} k{k}" for g_steps, d_steps, k in strategies]
    wires = ("as measured", "100 Gbit/s")
    headers = ["p", *(f"{name}, {wire}" for name in names for wire in wires)]
    headers += ["G step, B for each", "update of D, minibatch for each"]
    return _markdown(rows, headers)


def page(figures: list[dict[str, Any]]) -> str:
    """Return what ``docs/scaling.md`` says about the results *figures*."""
    found = [figure for figure in figures if figure["name"] == "ranks"]
    parts = [measured_table(found)]
    for figure in found:
        parts += ["", f"Expected efficiency, `{figure['recipe']}` ({figure['what']}):", ""]
        parts.append(efficiency_table(figure))
    machine = next((f for f in figures if f["name"] == "machine"), None)
    if machine is not None:
        about = "{machine}, one thread for each process, torch {torch}, {date}, `{command}`."
        parts += ["", about.format(**machine)]
    return "\n".join(parts)


def _markdown(rows: list[list[str]], headers: list[str]) -> str:
    align = ("left", *["right"] * (len(headers) - 1))
    padded = tabulate(rows, headers, tablefmt="pipe", colalign=align, disable_numparse=True)
    return re.sub(r"-{3,}", "---", re.sub(r" {2,}", " ", padded))
