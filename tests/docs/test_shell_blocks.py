"""Every shell block of the documentation is run, or a comment above it says why it is not.

The blocks of a page are run in their order in one folder that holds tiny data under the names that
the page uses. Numbers that make a training long are replaced (``TINY``); nothing else is.
"""

import os
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import sentencepiece
from helpers import warm
from helpers.commands import PLUGIN, REPO, fork, mle
from helpers.examples import make_commands
from helpers.shell_blocks import Block, find
from helpers.trainings import made_once

PAGES = [
    path
    for pattern in ("*.md", "docs/*.md", "examples/README.md", "examples/*/README.md")
    for path in sorted(REPO.glob(pattern))
]
BLOCKS = [block for page in PAGES for block in find(REPO, page)]
# Why no test runs a block, by page. Another test runs all others that are marked.
NOT_RUN = {
    "docs/getting-started.md": ["needs the internet, and compiles fairseq for some minutes"],
    "docs/trials.md": [
        "needs hours, and the authors' oracle",
        "needs the checkpoint of an experiment of an hour",
        "needs hours; the script is that of tests/examples/test_trials.py",
        "needs hours; the script is that of tests/examples/test_trials.py",
        "needs hours; the script is that of tests/examples/test_trials.py",
    ],
    "examples/data_size/README.md": [
        "needs an hour; its steps are those of tests/examples/test_demo_worth.py",
        "needs the authors' oracle, and 50 minutes; its steps are those of "
        "tests/examples/test_demo_worth.py",
    ],
}
# README.md is free of comments: the first program of its blocks, and the test that runs them.
README = {
    "pip": "Makefile",  # `make venv` runs the same commands
    "make": ".ci/run",
    "fairseq-seqgan": "tests/docs/test_readme_commands.py",
    "examples/synthetic/run.sh": "tests/examples/test_synthetic.py",
}
TINY = [
    (r" …", " --arch transformer_lm --tokens-per-sample 128 --batch-size 16 --save-dir more "
     "--finetune-from-model checkpoints/mle/checkpoint_best.pt --rounds 9 --g-steps 1 --d-steps 1 "
     "--k 1 --pretrain-d-steps 9"),
    (r"--user-dir fairseq_seqgan", f"--user-dir {PLUGIN} --cpu"),
    (r"--arch transformer_lm", "--arch transformer_lm --cpu --decoder-embed-dim 16 "
     "--decoder-layers 1 --decoder-ffn-embed-dim 16 --decoder-attention-heads 2 --num-workers 0"),
    (r"--criterion seqgan", "--criterion seqgan --d-kernel-widths 1,2 --d-kernel-counts 4,4 "
     "--num-eval-samples 20"),
    (r"--(rounds|g-steps|pretrain-d-steps|max-epoch) \d+", r"--\1 1"),
    (r"--num-samples \d+", "--num-samples 12"),
    (r"evaluate ", "evaluate --num-eval-samples 20 "),
]  # fmt: skip
WORDS = "the president will not go there today and we can stay".split()


def tiny(text: str) -> str:
    """Return the commands of a block, on tiny data."""
    for pattern, replacement in TINY:
        text = re.sub(pattern, replacement, text)
    return text


def run_block(block: Block, folder: Path) -> str:
    """Run *block* in *folder* as a reader would who pastes it; return what it printed."""
    programs = Path(os.environ[warm.VARIABLE])
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment |= {"PATH": f"{programs}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", tiny(block.text)],
        cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, f"{block.name}\n{block.text}\n{done.stdout}{done.stderr}"[-5000:]
    return done.stdout


def run_page(page: str, folder: Path) -> str:
    """Run the blocks of *page* that nothing else runs; return what they printed."""
    found = [b for b in BLOCKS if b.page == page and not (b.run_by or b.reason or elsewhere(b))]
    assert found, page
    return "".join(run_block(block, folder) for block in found)


def elsewhere(block: Block) -> str:
    """Return the test that runs a block of README.md; empty: this one does."""
    first = next(word for word in block.text.split() if "=" not in word)
    return README.get(first, "") if block.page == "README.md" else ""


def sentences(folder: Path) -> None:
    """Write text/train, valid and test in *folder*: sentences of 3 to 8 words."""
    (folder / "text").mkdir(parents=True)
    generator = random.Random(1)
    for split, size in (("train", 70), ("valid", 20), ("test", 20)):
        lines = [" ".join(generator.choices(WORDS, k=generator.randint(3, 8))) for _ in range(size)]
        (folder / "text" / split).write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A folder in which the blocks of docs/fine-tuning.md have been run."""

    def make(folder):
        sentences(folder / "work")
        (folder / "printed").write_text(run_page("docs/fine-tuning.md", folder / "work"))

    return made_once(tmp_path_factory, "fine-tuning", make)


@pytest.fixture
def work(tuned, tmp_path):
    """A copy of that folder."""
    return Path(shutil.copytree(tuned / "work", tmp_path / "work"))


def test_every_block_has_its_test_or_its_reason():
    """What is marked is marked for a reason, and the tests that are named are there."""
    assert len(BLOCKS) > 30
    reasons: dict[str, list[str]] = {}
    for block in BLOCKS:
        if block.reason:
            reasons.setdefault(block.page, []).append(block.reason)
        other = block.run_by or elsewhere(block)
        if other:
            assert (REPO / other).is_file(), block.name
    assert reasons == NOT_RUN
    here = {b.page for b in BLOCKS if not (b.run_by or b.reason or elsewhere(b))}
    assert here == {
        "docs/fine-tuning.md", "docs/getting-started.md", "docs/prompts.md",
        "docs/sampling-with-d.md", "examples/nottingham/README.md",
        "examples/synthetic/README.md",
    }  # fmt: skip


def test_blocks_are_found():
    """Indented and fenced ones, with variables before the program; other code is none."""
    found = [b.text.split()[0] for b in BLOCKS if b.page == "examples/nottingham/README.md"]
    assert found == ["examples/nottingham/run.sh", "python"]
    assert [b for b in BLOCKS if b.page == "docs/resuming.md"] == []


@pytest.mark.slow
def test_fine_tuning(tuned):
    """From a text to numbers of samples."""
    assert "length, distance" in (tuned / "printed").read_text()
    samples = (tuned / "work" / "samples.out").read_text().splitlines()
    assert len([line for line in samples if line.startswith("H-")]) == 12


@pytest.mark.slow
def test_getting_started(data, played, tmp_path):
    recipe, commands = make_commands("demo", "demo")
    training = commands.training(commands.systems["seqgan"], recipe["experiment"]["data-seed"])
    training = tmp_path / "demo" / training.relative_to(commands.dest)
    training.mkdir(parents=True)
    (tmp_path / "demo" / "data").symlink_to(data)
    (training / "checkpoint_last.pt").symlink_to(played.last)
    printed = run_page("docs/getting-started.md", tmp_path)
    assert "NLL_oracle of the samples" in printed


@pytest.mark.slow
def test_prompts(work, tmp_path):
    """With words and with subwords, and a training that continues prefixes."""
    pieces(work, tmp_path)
    printed = run_page("docs/prompts.md", work)
    lines = [line.split("\t") for line in printed.splitlines() if line[:2] in ("H-", "D-")]
    words, subwords = lines[:6], lines[6:]
    assert [name for name, _, _ in words] == ["H-0", "D-0"] * 3
    assert all(text.startswith("the president") for _, _, text in words)
    assert [name for name, _, _ in subwords] == ["H-0", "D-0"]
    assert "▁" in subwords[0][2] and subwords[1][2].startswith("the president")
    continued = [line for line in (work / "continued.out").read_text().splitlines() if "H-" in line]
    first = [line.split()[:2] for line in (work / "text" / "test").read_text().splitlines()]
    assert [line.split("\t")[2].split()[:2] for line in continued if line[:2] == "H-"] == first


def pieces(work: Path, folder: Path) -> None:
    """Make pieces-bin, with its sentencepiece.model, and checkpoints/pieces in *work*."""
    data = work / "pieces-bin"
    data.mkdir()
    sentencepiece.SentencePieceTrainer.train(
        input=str(work / "text" / "train"), model_prefix=str(data / "sentencepiece"), vocab_size=40,
        hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    model = sentencepiece.SentencePieceProcessor(model_file=str(data / "sentencepiece.model"))
    for split in ("train", "valid"):
        lines = (work / "text" / split).read_text().splitlines()
        encoded = [" ".join(model.encode(line, out_type=str)) for line in lines]
        (folder / split).write_text("\n".join(encoded) + "\n", encoding="utf-8")
    options = ["--only-source", "--destdir", data, "--padding-factor", 1]
    options += ["--trainpref", folder / "train", "--validpref", folder / "valid"]
    fork("preprocess", folder, options).check()
    arguments = mle(data, work / "checkpoints" / "pieces", "--max-epoch", 1, shape="")
    fork("train", folder, arguments).check()


@pytest.mark.slow
def test_sampling_with_d(work):
    run_page("docs/sampling-with-d.md", work)
    assert (work / "more" / "checkpoint_last.pt").is_file()


@pytest.mark.slow
def test_p_values(tmp_path):
    """Of the page on the tunes; it states the first one."""
    (tmp_path / "examples").symlink_to(REPO / "examples")
    printed = run_page("examples/nottingham/README.md", tmp_path)
    assert float(printed) == pytest.approx(0.0001, abs=0.00005)


@pytest.mark.slow
def test_draws_of_the_constant_reward(tmp_path):
    """Of the page on synthetic data, which states them."""
    (tmp_path / "examples").symlink_to(REPO / "examples")
    printed = run_page("examples/synthetic/README.md", tmp_path)
    expected = [8.905, 0.100, 0.063, 0.146, 0.53]
    assert list(map(float, printed.split())) == pytest.approx(expected, abs=0.006)
    assert list(map(float, printed.split()))[:4] == pytest.approx(expected[:4], abs=0.0006)
