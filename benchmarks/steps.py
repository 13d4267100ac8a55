"""A G step and an update of D, against plain implementations of the same."""

from __future__ import annotations

import naive
import torch
import torch.nn.functional as F
from paper import Paper, Sizes
from timing import Ceiling, Figure, compare

from fairseq_seqgan.models.cnn_highway import CNNHighway, CNNHighwayConfig, parse_kernels
from fairseq_seqgan.models.dtypes import has_bfloat16


def g_step(runs: int, device: str, ceiling: Ceiling) -> Figure:
    """One update of G: sampling, rollouts, rewards, loss, backward and Adam."""
    paper = Paper(device=device)
    sizes = paper.sizes
    template = paper.make_batch()

    def plain() -> None:
        paper.model.eval()
        paper.discriminator.eval()
        banned = paper.policy.banned.to(device)
        start = torch.empty(sizes.batch, 0, dtype=torch.long, device=device)
        tokens = naive.generate(paper.model, start, sizes.length, banned)
        values = naive.action_values(
            paper.model, paper.discriminator, tokens, sizes.rollouts, banned
        )
        paper.learn({**template, "tokens": tokens, "advantage": values})

    what = "a G step: B = 64, N = 16, T = 20, V = 5,000"
    found = compare("g_step", what, paper.g_step, plain, runs)
    projected = 2 * sizes.projected * sizes.hidden * len(paper.dictionary)
    highway = 2 * sizes.completions * 2 * paper.discriminator.output.in_features**2
    lowered = paper.discriminator.score_dtype == torch.bfloat16 and device == "cpu"
    products = {"bf16": highway} if lowered else {"fp32": highway}
    least = ceiling.seconds(fp32=projected) + ceiling.seconds(**products)
    return found | {"ceiling_share": least / found["ours_s"]}


# Generators whose rollouts may be worth rounding: architecture, hidden size, B.
GENERATORS = (("lstm_lm", 32, 64), ("lstm_lm", 512, 8), ("transformer_lm", 512, 8))


def rollout_dtypes(runs: int, device: str) -> list[Figure]:
    """A G step with rollouts in float32 and in bfloat16 (``--rollout-dtype``), alternately.

    Nothing on a machine without bfloat16.
    """
    found: list[Figure] = []
    if not has_bfloat16(device == "cuda"):
        print("  left out: this machine has no bfloat16", flush=True)
        return found
    for arch, hidden, batch in GENERATORS:
        dtypes = ("bfloat16", "float32")
        sizes = [Sizes(arch=arch, hidden=hidden, batch=batch, rollout_dtype=d) for d in dtypes]
        rounded, exact = (Paper(each, device).g_step for each in sizes)
        what = f"{arch} {hidden}, B = {batch}"
        found.append(compare("rollout_dtype", what, rounded, exact, runs))
    return found


def d_step(
    runs: int, device: str, ceiling: Ceiling, sequences: int, dtype: str = "float32"
) -> Figure:
    """One update of D on *sequences* sequences: forward, backward and Adam."""
    paper = Paper(device=device, d_train_dtype=dtype)
    kernels = parse_kernels(CNNHighwayConfig.d_kernel_widths, CNNHighwayConfig.d_kernel_counts)
    ours = paper.discriminator.train()
    plain = naive.PlainDiscriminator(len(paper.dictionary), 64, kernels).to(device).train()
    # Ours as seqgan_adam makes it, the plain one as everybody does.
    optimizers = (
        torch.optim.AdamW(ours.parameters(), lr=1e-4, weight_decay=0.0, fused=True),
        torch.optim.Adam(plain.parameters(), lr=1e-4),
    )
    labels = torch.arange(2, device=device).repeat_interleave(sequences // 2)
    data, position = paper.positives.to(device), 0

    def update(net: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        nonlocal position
        position = (position + sequences) % (len(data) - sequences)
        tokens = data[position : position + sequences]
        optimizer.zero_grad()
        (F.cross_entropy(net(tokens).float(), labels) + net.penalty()).backward()
        optimizer.step()

    first, second = (
        (lambda net=net, optimizer=optimizer: update(net, optimizer))
        for net, optimizer in zip((ours, plain), optimizers, strict=True)
    )
    name = "d_step" + (f"_{sequences}" if sequences != 64 else "")
    name += "_bf16" if dtype == "bfloat16" else ""
    what = f"an update of D on {sequences} sequences" + (", in bfloat16" if "bf" in name else "")
    found = compare(name, what, first, second, 5 * runs)
    work = {"bf16" if dtype == "bfloat16" else "fp32": 3 * sequences * operations(ours)}
    # Adam reads four numbers for each parameter and writes three.
    moved = 7 * 4 * sum(p.numel() for p in ours.parameters())
    return found | {"ceiling_share": ceiling.seconds(**work, moved=moved) / found["ours_s"]}


def operations(net: CNNHighway, length: int = 20) -> float:
    """Return the floating-point operations of D's products on one sequence, forward."""
    convolved = sum(
        layer.weight.numel() * max(0, length - layer.kernel_size[0] + 1)
        for layer in net.convolutions
    )
    return 2.0 * (convolved + 2 * net.output.in_features**2)
