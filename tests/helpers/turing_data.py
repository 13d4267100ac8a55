"""Small sources for the page on which people judge items."""

import json
import random
from pathlib import Path

from helpers.commands import Result, run_python

REAL, SYSTEMS = "real", ("MLE", "SeqGAN")
_CHARACTERS = "春眠不觉晓处闻啼鸟夜来风雨声花落知多少床前明月光疑是地上霜举头望低思故乡"


def make_sources(folder: Path, kind: str, num: int = 6, length: int = 20) -> dict[str, Path]:
    """Write *num* different items for real and each system; return the files by name."""
    rng = random.Random(f"{kind} {length}")
    tokens = {
        "poem": list(_CHARACTERS),
        "music": [str(key) for key in range(35, 69)],
        "text": "a walk by the river , long and cold".split(),
    }[kind]
    length = 32 if kind == "music" else length
    sources = {}
    for name in (REAL, *SYSTEMS):
        sources[name] = folder / f"{name}.txt"
        lines = [" ".join(rng.choices(tokens, k=length)) for _ in range(num)]
        sources[name].write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return sources


def build_arguments(sources: dict[str, Path], out: Path, kind: str, *more: object) -> list[str]:
    """Return the arguments of ``fairseq-seqgan`` that build a page."""
    systems = [("--system", f"{name}={path}") for name, path in sources.items() if name != REAL]
    options = [part for pair in systems for part in pair]
    arguments = ["turing-test", "build", "--real", sources[REAL], *options, "--out", out]
    return [str(argument) for argument in (*arguments, "--kind", kind, *more)]


def command(*arguments: object) -> Result:
    """Run ``fairseq-seqgan`` as a process of its own."""
    return run_python("-m", "fairseq_seqgan.cli", *arguments, cwd=Path(__file__).parents[2])


def key_of(page: Path) -> dict[str, str]:
    """Return the source of every item of *page*, in the order of the page."""
    key = json.loads(page.with_suffix(".key.json").read_text(encoding="utf-8"))
    return {item: found["source"] for item, found in key["items"].items()}


def answers(page: Path, verdicts: dict[str, str], session: int = 1, rater: str = "") -> dict:
    """Return what the page saves."""
    test = json.loads(page.with_suffix(".key.json").read_text(encoding="utf-8"))["test"]
    return {
        "format": "turing-test answers",
        "version": 1,
        "test": test,
        "kind": "poem",
        "session": f"{session:016x}",
        "rater": rater,
        "items": len(key_of(page)),
        "answers": verdicts,
    }
