"""A trained generator from Python: what fairseq-generate draws, and what is refused."""

import pytest
import torch
from helpers.commands import fork, generate

from fairseq_seqgan import SeqGAN, pretrained


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
