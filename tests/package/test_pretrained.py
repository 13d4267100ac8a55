"""A trained generator from Python: what fairseq-generate draws, and what is refused."""

import logging
import random

import pytest
import torch
from helpers.commands import fork, generate, load, mle

from fairseq_seqgan import SeqGAN, cli, pretrained


def drawn(data, played, folder, *options):
    result = fork("generate", folder, generate(data, played.last, *options)).check()
    lines = [line.split("\t") for line in result.stdout.splitlines() if line[:2] == "H-"]
    return [text for _, _, text in lines]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ({}, ""),
        (
            {"temperature": 0.7, "top_k": 5, "seed": 3},
            "--temperature 0.7 --sampling-topk 5 --seed 3",
        ),
        ({"guide": 4, "guide_scale": 1.5}, "--guide 4 --guide-scale 1.5"),
    ],
)
def test_draws_what_fairseq_generate_draws(data, played, tmp_path, arguments, options):
    expected = drawn(data, played, tmp_path, "--num-samples", 40, *options.split())
    model = SeqGAN.from_pretrained(played.last)
    found = model.sample(40, **arguments)
    assert found == expected
    assert model.sample(40, **arguments) == found


def test_a_prompt_is_continued(data, played):
    model = SeqGAN.from_pretrained(played.last, data, device=torch.device("cpu"))
    found = model.sample(20, prompt="7 3")
    assert all(text.startswith("7 3 ") for text in found)
    assert len(set(found)) > 1


def test_one_discriminator_serves_every_guide(data, played, monkeypatch):
    """Whatever its scale and number of candidates; memory does not grow."""
    read = []
    load = pretrained.load_discriminator
    monkeypatch.setattr(pretrained, "load_discriminator", lambda *a: read.append(a) or load(*a))
    model = SeqGAN.from_pretrained(played.last)
    found = [model.sample(5, guide=k, guide_scale=a) for k in (2, 3) for a in (0.1, 5.0)]
    assert len(read) == 1
    assert found[0] != found[3]
    monkeypatch.setattr(model, "_discriminator", model._discriminator._replace(slope=None))
    with pytest.raises(ValueError, match=r"checkpoint_last\.pt: no slope is stored .*guide_scale"):
        model.sample(5, guide=2)


def test_the_checkpoint_is_not_read_again(data, played, tmp_path, caplog, monkeypatch):
    """Only its discriminator is, wherever the program has gone meanwhile."""
    state = load(played.last)
    state["cfg"]["task"]["temperature"] = 0.5
    torch.save(state, tmp_path / "model.pt")
    monkeypatch.chdir(tmp_path)
    model = SeqGAN.from_pretrained("model.pt", data)
    monkeypatch.chdir("/")
    assert len(model.sample(2, guide=2, guide_scale=1)) == 2
    (tmp_path / "model.pt").unlink()
    caplog.clear()
    assert len(model.sample(2)) == 2
    assert "was trained at --temperature 0.5" in caplog.text


def test_a_slope_of_0_is_told(data, played, caplog):
    model = SeqGAN.from_pretrained(played.last)
    for scale, told in ((0.5, False), (0.0, True)):
        caplog.clear()
        assert model.sample(3, guide=4, guide_scale=scale)
        assert ("--guide 4 with a slope of 0 is plain sampling" in caplog.text) == told


def test_what_is_refused(data, played, tmp_path):
    model = SeqGAN.from_pretrained(played.last)
    for arguments, message in (
        ({"num": 0}, "num is 0"),
        ({"num": 1, "prompt": "7 nothing"}, "'nothing' is not in the dictionary"),
        ({"num": 1, "guide": 0}, "--guide is 0"),
        ({"num": 1, "temperature": 0}, "--temperature is 0"),
        ({"num": 1, "temperature": float("inf")}, "--temperature is inf"),
        ({"num": 1, "top_k": 0}, "--sampling-topk is 0"),
        ({"num": 1, "top_p": 1.7}, "--sampling-topp is 1.7"),
        ({"num": 1, "prompt": "7 </s>"}, "'</s>' is a special symbol"),
        ({"num": 1, "prompt": "<pad> 7"}, "'<pad>' is a special symbol"),
    ):
        with pytest.raises(ValueError, match=message):
            model.sample(**arguments)
    with pytest.raises(ValueError, match="no such checkpoint"):
        SeqGAN.from_pretrained(tmp_path / "none.pt")
    with pytest.raises(ValueError, match="no such folder"):
        SeqGAN.from_pretrained(played.last, tmp_path / "none")


def test_a_folder_of_shards(data, played):
    """As fairseq names several folders of data; each has the dictionary."""
    found = SeqGAN.from_pretrained(played.last, f"{data}:{data}").sample(3)
    assert found == SeqGAN.from_pretrained(played.last).sample(3)


@pytest.mark.slow
def test_a_plain_language_model_has_no_discriminator(data, pretrained):
    model = SeqGAN.from_pretrained(pretrained.best, data)
    assert len(model.sample(3)) == 3
    with pytest.raises(ValueError, match="holds no discriminator"):
        model.sample(3, guide=2)


@pytest.mark.slow
def test_pieces_of_words_are_text_again(tmp_path):
    """What a prompt is split into, and what samples are joined from."""
    generator = random.Random(1)
    words = "walking walked talks talking singer singing".split()
    lines = [" ".join(generator.choices(words, k=4)) for _ in range(300)]
    (tmp_path / "my.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    data = tmp_path / "data"
    options = "--tokenizer sentencepiece --vocab-size 20 --max-length 60 --dest"
    cli.main(["prepare", "--train", str(tmp_path / "my.txt"), *options.split(), str(data)])
    shape = {"shape": "--tokens-per-sample 61"}
    fork("train", tmp_path, mle(data, tmp_path, "--max-epoch", 1, **shape)).check()
    model = SeqGAN.from_pretrained(tmp_path / "checkpoint_last.pt")
    found = model.sample(5, prompt="walking talks")
    assert all(text.startswith("walking talks") and "\u2581" not in text for text in found)
    with pytest.raises(ValueError, match=r"prompt: '.*' is not in the dictionary"):
        model.sample(1, prompt="XYZ")
    (data / "sentencepiece.model").write_bytes(b"no model")
    with pytest.raises(ValueError, match=r"sentencepiece\.model: cannot be read by sentencepiece"):
        SeqGAN.from_pretrained(tmp_path / "checkpoint_last.pt")


def test_another_temperature_than_in_training_is_told(data, played, tmp_path, caplog):
    state = load(played.last)
    state["cfg"]["task"]["temperature"] = 0.5
    torch.save(state, tmp_path / "cold.pt")
    model = SeqGAN.from_pretrained(tmp_path / "cold.pt")
    for temperature, told in ((1.0, True), (0.5, False)):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            model.sample(1, temperature=temperature)
        assert ("was trained at --temperature 0.5; samples are drawn at 1" in caplog.text) is told


@pytest.mark.parametrize(("group", "option"), [("model", "arch"), ("criterion", "discriminator")])
def test_what_nobody_here_has_registered(group, option, data, played, tmp_path):
    """A model or a discriminator of a package that was not imported."""
    state = load(played.last)
    state["cfg"][group] |= {option: "own", "_name": "own" if group == "model" else "seqgan"}
    torch.save(state, tmp_path / "own.pt")
    message = rf"own\.pt: its --{option} own is not known here; --user-dir must name the package"
    with pytest.raises(ValueError, match=message):
        SeqGAN.from_pretrained(tmp_path / "own.pt").sample(2, guide=2, guide_scale=1.0)
    if group == "model":
        with pytest.raises(ValueError, match=message):
            cli.main(["export", str(tmp_path / "own.pt"), str(tmp_path / "out")])
        assert not (tmp_path / "out").exists()
