"""A checkpoint knows the words of its dictionary: another one of the same size is refused."""

import shutil

import pytest
import torch
from fairseq.data import Dictionary
from helpers.commands import fork, gan, generate, load
from helpers.models import make_dictionary

from fairseq_seqgan import SeqGAN
from fairseq_seqgan.cli import main
from fairseq_seqgan.support.errors import InputError
from fairseq_seqgan.support.vocabulary import WORDS, fingerprint, require_same_words

OTHER = "trained with another dictionary"


def test_words_and_their_order_count():
    own, other = make_dictionary(3), Dictionary()
    for word in reversed(own.symbols[own.nspecial :]):
        other.add_symbol(word)
    other.count = [7] * len(other)
    assert len(own) == len(other)
    assert fingerprint(own) == fingerprint(make_dictionary(3)) != fingerprint(other)


@pytest.mark.parametrize(
    "extra", [None, {}, {"SeqGANTask": {}}, {"SeqGANTask": None}, "x"], ids=repr
)
def test_a_checkpoint_that_does_not_say_passes(extra):
    require_same_words("x.pt", {"extra_state": extra}, make_dictionary(3))


@pytest.fixture(scope="module")
def renamed(data, tmp_path_factory):
    """The data with another word in the place of one."""
    folder = tmp_path_factory.mktemp("renamed") / "data"
    shutil.copytree(data, folder, ignore=shutil.ignore_patterns("stats.json"))
    lines = (folder / "dict.txt").read_text().splitlines()
    lines[3] = f"another {lines[3].split()[1]}"
    (folder / "dict.txt").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def unnamed(pretrained, tmp_path):
    """The language model as an earlier version stored it."""
    state = load(pretrained.best)
    assert len(state["extra_state"].pop("SeqGANTask")[WORDS]) == 64
    torch.save(state, tmp_path / "unnamed.pt")
    return tmp_path / "unnamed.pt"


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    ["--kl-coef 1 --kl-reference {mle}", "--discriminator-from {gan} --pretrain-d-steps 0"],
)
def test_of_another_model(options, renamed, unnamed, pretrained, played, tmp_path):
    """G passes, because its checkpoint does not say; the other file is refused."""
    options = options.format(mle=pretrained.best, gan=played.last).split()
    result = fork("train", tmp_path, gan(renamed, tmp_path / "gan", unnamed, *options))
    assert result.returncode == 2 and "Traceback" not in result.output
    line = result.stderr.strip().splitlines()[-1]
    assert OTHER in line and options[-3 if "from" in options[0] else -1] in line
    assert not list(tmp_path.glob("gan/*.pt"))


@pytest.mark.slow
def test_of_the_generator(renamed, pretrained, played, tmp_path):
    commands = {
        "train": gan(renamed, tmp_path / "gan", pretrained.best),
        "generate": generate(renamed, played.last, "--num-samples", 3, "--guide", 4),
    }
    for command, arguments in commands.items():
        result = fork(command, tmp_path, arguments)
        assert result.returncode == 2 and "Traceback" not in result.output
        assert OTHER in result.stderr.strip().splitlines()[-1]
        assert "H-0" not in result.stdout


@pytest.mark.slow
def test_of_the_discriminator_that_is_measured(renamed, played, tmp_path):
    (tmp_path / "samples.txt").write_text("another another another\n" * 5)
    options = ["--samples", tmp_path / "samples.txt", "--data", renamed]
    with pytest.raises(InputError, match=rf"{played.last.name}: {OTHER}"):
        main(["evaluate", *map(str, options), "--discriminator", str(played.last)])


@pytest.mark.slow
def test_from_python(data, renamed, played):
    with pytest.raises(InputError, match=OTHER):
        SeqGAN.from_pretrained(played.last, renamed)
    assert SeqGAN.from_pretrained(played.last, data).sample(2)
