"""What docs/extending.md says, done as it says it, in a folder outside the package."""

import json
import re

import pytest
from helpers.commands import REPO, fork, gan, generate, load, run, run_python

PAGE = (REPO / "docs" / "extending.md").read_text(encoding="utf-8")
FILE = re.compile(r"`my_seqgan/(\w+\.py)`:\n\n```python\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """The folder my_seqgan with the files of the page."""
    folder = tmp_path_factory.mktemp("outside") / "my_seqgan"
    folder.mkdir()
    files = dict(FILE.findall(PAGE))
    assert set(files) == {"__init__.py", "length_reward.py", "bag_of_words.py", "mean_length.py"}
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def trained(own, text):
    """A training with the page's reward and discriminator."""
    save = own.parent / "gan"
    options = ["--user-dir", own, "--reward", "length", "--length-target", 3]
    options += ["--discriminator", "bag_of_words", "--bag-size", 5]
    arguments = gan(text, save, None, *options, shape="--tokens-per-sample 12")
    return save / "checkpoint_last.pt", fork("train", own.parent, arguments).check()


def test_the_training(trained):
    """Both are used, with their options."""
    checkpoint, result = trained
    state = load(checkpoint)
    assert state["cfg"]["task"]["length_target"] == 3
    assert state["criterion"]["discriminator.output.weight"].shape == (2, 5)
    rewards = [line["reward"] for line in result.logged("train") if "reward" in line]
    assert rewards and all(0 < reward <= 1 for reward in rewards)


def test_the_checkpoint_is_sampled(trained, own, text):
    options = ["--user-dir", own, "--num-samples", 5]
    result = fork("generate", own.parent, generate(text, trained[0], *options)).check()
    assert len([line for line in result.stdout.splitlines() if line.startswith("H-")]) == 5


def test_help_lists_the_options(own):
    """In the real program: the folder is imported before the command line is parsed."""
    options = "--task seqgan --criterion seqgan --reward length --help".split()
    result = run("fairseq-train", "--user-dir", own, *options).check()
    for words in ("--length-target", "tokens of a sequence worth 1", "--bag-size"):
        assert words in " ".join(result.stdout.split())


def test_an_unknown_reward_is_refused(own, text, tmp_path):
    arguments = gan(text, tmp_path / "gan", None, "--user-dir", own, "--reward", "nonsense")
    result = fork("train", tmp_path, arguments)
    assert result.returncode == 2
    line = result.stderr.strip().splitlines()[-1]
    assert "nonsense" in line and "length" in line and "discriminator" in line


def test_the_metric(own, text, tmp_path):
    (tmp_path / "samples.txt").write_text("a b c\nb\n", encoding="utf-8")
    result = run_python(
        "-m", "fairseq_seqgan.cli", "evaluate", "--user-dir", own, "--data", text,
        "--samples", tmp_path / "samples.txt", "--json", tmp_path / "out.json",
    ).check()  # fmt: skip
    assert json.loads((tmp_path / "out.json").read_text())["mean_length"] == 2.0
    assert "mean length" in result.stdout
