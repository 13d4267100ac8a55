"""README's commands for one's own text, as they stand there: from a text file to a report."""

import random
import re
import shlex

import pytest
from helpers.commands import PLUGIN, REPO, run

SECTION = "## Your own language model in four commands"
# What makes them short; the last of two equal options counts.
SHORTER = {
    "max-epoch": "--max-epoch 1 --cpu --num-workers 0",
    "criterion": "--rounds 1 --pretrain-d-steps 1 --negative-pool-size 20 --rollouts 1 "
    "--d-kernel-widths 1,2 --d-kernel-counts 4,4 --num-eval-samples 20 --cpu",
    "sampling": "--num-samples 20 --cpu",
    "run-folder": "--num-eval-samples 20",
}


def commands():
    """Return the words of every command of the section, and the file that it writes to."""
    text = (REPO / "README.md").read_text(encoding="utf-8")
    section = text.split(SECTION)[1].split("\n## ")[0]
    code = "\n".join(line[4:] for line in section.splitlines() if line.startswith("    "))
    for line in re.sub(r"\\\n\s*", "", code).splitlines():
        words, _, output = line.partition(" > ")
        if words and not words.startswith("#"):
            yield shlex.split(words), output


@pytest.mark.slow
def test_they_run_one_after_the_other(tmp_path):
    generator = random.Random(1)
    words = "the cat dog bird sat ran sang on mat to".split()
    lines = [" ".join(generator.choices(words, k=generator.randint(3, 6))) for _ in range(90)]
    (tmp_path / "my.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "fairseq_seqgan").symlink_to(PLUGIN)
    done = []
    for (name, *options), output in commands():
        more = [v for key, v in SHORTER.items() if key in options or f"--{key}" in options]
        result = run(name, *options, *" ".join(more).split(), cwd=tmp_path).check()
        if output:
            (tmp_path / output).write_text(result.stdout, encoding="utf-8")
        done.append((name, options[0]))
    assert [name for name, _ in done[:4]] == [
        "fairseq-seqgan",
        "fairseq-train",
        "fairseq-train",
        "fairseq-generate",
    ]
    assert [f"{name} {first}" for name, first in done[4:]] == [
        "fairseq-seqgan show",
        "fairseq-generate data-bin",
        *["fairseq-seqgan run-folder"] * 2,
        "fairseq-seqgan report",
        "fairseq-seqgan export",
    ]
    report = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    assert "| mle" in report and "| seqgan" in report
    assert (tmp_path / "exported" / "model.pt").is_file()
