"""``make bench``: the speed figures, each as a ratio to a plain implementation in the same run.

Prints a table and writes ``benchmarks/results/<name>.json``: a list of ``{"name", "ours_s",
"baseline_s", "ratio"}`` with times in seconds, medians of alternating runs in one process, and the
peak memory of a G step in MB.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).resolve().parent))

import draw
import naive
from paper import BATCH, LENGTH, ROLLOUTS, Paper

from fairseq_seqgan.models.cnn_highway import CNNHighwayConfig, parse_kernels

Figure = dict[str, str | float]


def compare(
    name: str, what: str, ours: Callable[[], None], baseline: Callable[[], None], runs: int
) -> Figure:
    """Time *ours* and *baseline* alternately, *runs* times after a warm-up; return medians."""
    times: dict[Callable[[], None], list[float]] = {ours: [], baseline: []}
    for run in range(-1, runs):
        for function, measured in times.items():
            begin = time.perf_counter()
            function()
            if run >= 0:
                measured.append(time.perf_counter() - begin)
    ours_s, baseline_s = (statistics.median(measured) for measured in times.values())
    return {
        "name": name,
        "what": what,
        "ours_s": ours_s,
        "baseline_s": baseline_s,
        "ratio": baseline_s / ours_s,
    }


def g_step(runs: int) -> Figure:
    """One update of G: sampling, rollouts, rewards, loss, backward and Adam."""
    paper = Paper()
    optimizer = torch.optim.Adam(paper.model.parameters(), lr=0.01)
    discriminator = paper.criterion.discriminator
    update = 0

    def learn(sample: dict) -> None:
        paper.model.train()
        optimizer.zero_grad()
        loss, size, _ = paper.criterion(paper.model, sample)
        (loss / size).backward()
        optimizer.step()

    def ours() -> None:
        nonlocal update
        learn(paper.game.deal(paper.model, update, 0, 1))
        update += 1

    def plain() -> None:
        paper.model.eval()
        discriminator.eval()
        banned = paper.policy.banned
        start = torch.empty(BATCH, 0, dtype=torch.long)
        tokens = naive.generate(paper.model, start, LENGTH, banned)
        values = naive.action_values(paper.model, discriminator, tokens, ROLLOUTS, banned)
        learn({**template, "tokens": tokens, "advantage": values})

    template = paper.game.deal(paper.model, 0, 0, 1)
    return compare("g_step", "a G step, B = 64, N = 16, T = 20, V = 5,000", ours, plain, runs)


def d_step(runs: int) -> Figure:
    """One update of D on 64 + 64 sequences: forward, backward and Adam."""
    paper = Paper()
    kernels = parse_kernels(CNNHighwayConfig.d_kernel_widths, CNNHighwayConfig.d_kernel_counts)
    ours = paper.criterion.discriminator.train()
    plain = naive.PlainDiscriminator(len(paper.dictionary), 64, kernels).train()
    # Ours as seqgan_adam makes it, the plain one as everybody does.
    optimizers = (
        torch.optim.AdamW(ours.parameters(), lr=1e-4, weight_decay=0.0, fused=True),
        torch.optim.Adam(plain.parameters(), lr=1e-4),
    )
    labels = torch.arange(2).repeat_interleave(64)
    position = 0

    def update(net: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        nonlocal position
        position = (position + 128) % 1920
        tokens = paper.positives[position : position + 128]
        optimizer.zero_grad()
        (F.cross_entropy(net(tokens), labels) + net.penalty()).backward()
        optimizer.step()

    what = "an update of D on 64 + 64 sequences, the paper's D"
    first, second = (
        (lambda net=net, optimizer=optimizer: update(net, optimizer))
        for net, optimizer in zip((ours, plain), optimizers, strict=True)
    )
    return compare("d_step", what, first, second, 5 * runs)


def _memory(name: str) -> float:
    """Return a field of this process's status in MB: VmRSS is its memory now, VmHWM its peak."""
    status = Path("/proc/self/status").read_text()
    return (
        int(next(line for line in status.splitlines() if line.startswith(name)).split()[1]) / 1024
    )


def _peak_of_a_g_step(pipe: multiprocessing.connection.Connection) -> None:
    paper = Paper()
    resting = _memory("VmRSS")
    loss, size, _ = paper.criterion(paper.model, paper.game.deal(paper.model, 0, 0, 1))
    (loss / size).backward()
    # Not getrusage: its peak is inherited from the parent process.
    pipe.send(_memory("VmHWM") - resting)


def peak_memory() -> float:
    """Return the peak memory of a G step above the resting process, in MB."""
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_peak_of_a_g_step, args=(send,))
    process.start()
    process.join()
    return receive.recv()


def main() -> None:
    """Run the benchmarks that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2, help="threads of torch (2)")
    parser.add_argument("--runs", type=int, default=3, help="timed runs of each side (3)")
    parser.add_argument("--name", default="cpu", help="name of the result file (cpu)")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    os.environ["OMP_NUM_THREADS"] = str(args.threads)

    figures = []
    for benchmark in (d_step, g_step):
        print(f"running {benchmark.__name__} ...", flush=True)
        figures.append(benchmark(args.runs))
        print(f"  {figures[-1]['ratio']:.2f} times as fast", flush=True)
    print("running draw_10k ...", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        figures.append(draw.draw_10k(Path(folder), args.runs))
    memory = peak_memory()

    rows = [[f["name"], f["what"], f["ours_s"], f["baseline_s"], f["ratio"]] for f in figures]
    print(tabulate(rows, ["name", "what", "ours (s)", "plain (s)", "plain / ours"], floatfmt=".3g"))
    print(f"peak memory of a G step above the resting process: {memory:.0f} MB")
    result = {
        "figures": [*figures, {"name": "peak_memory_mb", "ours_mb": memory}],
        "command": "python " + " ".join([Path(sys.argv[0]).as_posix(), *sys.argv[1:]]),
        "machine": platform.processor() or platform.machine(),
        "threads": args.threads,
        "torch": torch.__version__,
        "date": time.strftime("%Y-%m-%d"),
    }
    path = Path(__file__).resolve().parent / "results" / f"{args.name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"written to {path}")


if __name__ == "__main__":
    main()
