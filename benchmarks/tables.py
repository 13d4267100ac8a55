"""The tables of ``docs/performance.md`` and ``scaling.md``, from ``benchmarks/results/*.json``.

    python benchmarks/tables.py

rewrites what stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``, where NAME is
the name of the result file; a file without markers in the page is named and left out.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import scaling
from tabulate import tabulate

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "docs" / f"{name}.md" for name in ("performance", "scaling")]
RESULTS = ROOT / "benchmarks" / "results"
CURVES = {
    "length": ("length", "T"),
    "stride": ("length", "T, with --rollout-stride 4"),
    "rollouts": ("rollouts", "N"),
    "words": ("words", "V"),
    "batch": ("batch", "B"),
    "generator": ("generator", "G, with B = 8"),
}


def speed_table(figures: list[dict]) -> str:
    """Return the figures that have a plain side, and below them those that have none."""
    rows = [
        [
            f"`{f['name']}`: {f['what']}",
            number(f["ours_s"]),
            number(f["baseline_s"]),
            f"**{number(f['ratio'])}**",
            f"{f['ceiling_share']:.0%}" if f["ceiling_share"] else "–",
        ]
        for f in figures
        if "ratio" in f
    ]
    headers = ["figure", "ours (s)", "plain (s)", "plain / ours", "share of ceiling"]
    lines = [table(rows, headers), ""] if rows else []
    for f in figures:
        if "ours_mb" in f:
            lines.append(f"* `{f['name']}`, {f['what']}: {f['ours_mb']:,.0f} MB above the process.")
        elif "ours_s" in f and "ratio" not in f:
            lines.append(f"* `{f['name']}`, {f['what']}: {f['ours_s']:.1f} s.")
    return "\n".join([*lines, "", *hardware(figures)])


def growth_tables(figures: list[dict]) -> str:
    """Return one table for each curve: what a G step costs."""
    points = [f for f in figures if f["name"] == "growth"]
    parts = []
    for curve, (field, title) in CURVES.items():
        rows = [
            [label(point, field), f"{point['seconds']:.2f}", f"{point['peak_memory_mb']:,.0f}"]
            for point in points
            if point["curve"] == curve
        ]
        if rows:
            parts += [table(rows, [title, "a G step (s)", "peak memory (MB)"]), ""]
    return "\n".join([*parts, *hardware(figures)])


def long_run_table(figures: list[dict]) -> str:
    """Return what a long training needs in its second quarter and in its last."""
    rows = [
        [
            f"{f['what'].replace('_', ' ')} ({f['unit']})",
            f"{f['second_quarter']:.4g}",
            f"{f['last_quarter']:.4g}",
            f"{f['machine_slower']:+.1%}",
            f"{f['growth']:+.1%}",
            f"{f['limit']:.0%}",
        ]
        for f in figures
        if f["name"] == "long_run"
    ]
    about = next(f for f in figures if f["name"] == "machine")
    headers = ["median of", "second quarter", "last quarter", "a matrix product", "growth", "limit"]
    ran = "{machine}, {updates:,} updates in {seconds} s, {date}, `{command}`.".format(**about)
    return "\n".join([table(rows, headers), "", ran])


def rollout_table(figures: list[dict]) -> str:
    """Return what a G step takes with rollouts in either arithmetic."""
    rows = [
        [f["what"], number(f["baseline_s"]), number(f["ours_s"]), f"**{number(f['ratio'])}**"]
        for f in figures
        if f["name"] == "rollout_dtype"
    ]
    headers = ["G", "float32 (s)", "bfloat16 (s)", "times as fast"]
    return "\n".join([table(rows, headers), "", *hardware(figures)])


def breakdown_table(figures: list[dict]) -> str:
    """Return where the time of a round goes."""
    found = [f for f in figures if f["name"] == "breakdown"]
    rows = [
        ["– of it: " * f["nested"] + f["part"], number(f["seconds"]), f"{f['share']:.1%}"]
        for f in found
    ]
    total = sum(f["seconds"] for f in found if not f["nested"])
    rows.append(["**a whole round**", f"**{number(total)}**", ""])
    return "\n".join([table(rows, ["part", "seconds", "share"]), "", *hardware(figures)])


def number(value: float) -> str:
    """Return three digits, and all of those before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def label(point: dict, field: str) -> str:
    """Return what a row is called."""
    if field == "generator":
        return f"{point['arch']} {point['hidden']}"
    return f"{point[field]:,}"


def table(rows: Iterable[list[str]], headers: list[str]) -> str:
    """Return a Markdown table; all columns but the first are numbers."""
    align = ("left", *["right"] * (len(headers) - 1))
    padded = tabulate(rows, headers, tablefmt="pipe", colalign=align, disable_numparse=True)
    return re.sub(r"-{3,}", "---", re.sub(r" {2,}", " ", padded))


def hardware(figures: list[dict]) -> list[str]:
    """Return on what, when and by which command it was measured."""
    ceiling, machine = (
        next((f for f in figures if f["name"] == name), {}) for name in ("ceiling", "machine")
    )
    return [
        f"{machine['machine']}, {machine['threads']} threads, torch {machine['torch']}, "
        f"{machine['date']}, `{machine['command'].strip()}`. Matrix products: "
        f"{ceiling['fp32_gflops']:.0f} GFLOP/s in float32, {ceiling['bf16_gflops']:.0f} in "
        f"bfloat16; memory: {ceiling['memory_gb_s']:.0f} GB/s read and written."
    ]


def content(figures: list[dict]) -> str:
    """Return what a page says about the results *figures*."""
    names = {f["name"] for f in figures}
    if "ranks" in names:
        return scaling.page(figures)
    if "breakdown" in names:
        return breakdown_table(figures)
    if "long_run" in names:
        return long_run_table(figures)
    if "growth" in names:
        return growth_tables(figures)
    if "d_step" not in names and "rollout_dtype" in names:
        return rollout_table(figures)
    return speed_table([f for f in figures if f["name"] != "rollout_dtype"])


def replace(text: str, name: str, content: str) -> tuple[str, int]:
    """Return *text* with *content* between the markers of *name*, and how often they are there."""
    pattern = rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)"
    return re.subn(pattern, lambda m: f"{m[1]}\n{content}\n\n{m[2]}", text, flags=re.DOTALL)


def main() -> int:
    """Rewrite the pages' tables from the result files that are there."""
    texts = {page: page.read_text(encoding="utf-8") for page in PAGES}
    for path in sorted(RESULTS.glob("*.json")):
        found = content(json.loads(path.read_text(encoding="utf-8")))
        times = 0
        for page, text in texts.items():
            texts[page], here = replace(text, path.stem, found)
            times += here
        if times != 1:
            print(f"note: the markers of '{path.stem}' are there {times} times, not once")
    for page, text in texts.items():
        page.write_text(text, encoding="utf-8")
        print(f"tables of {page.relative_to(ROOT)} written")
    return 0


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()  # refuses all options
    sys.exit(main())
