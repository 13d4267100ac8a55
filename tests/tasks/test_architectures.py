"""Language models of other architectures, from their first training to samples, and refusals.

Which architectures work step by step is tested in tests/policy/test_rollouts.py.
"""

import re

import pytest
import torch
from helpers.architectures import ARCHITECTURES
from helpers.commands import fork, gan, generate, load, mle

from fairseq_seqgan import SeqGAN
from fairseq_seqgan.support.errors import InputError

pytestmark = pytest.mark.slow

_SHORT = (
    "--rounds 1 --g-steps 2 --d-steps 0 --k 1 --negative-pool-size 64 --num-eval-samples 20 "
    "--d-embed-dim 4 --rollouts 2"
)
TRAINED = {  # one of every kind of decoder, with options that copy the model
    "gru, two layers": "",
    "attention": "",
    "gated convolutions": "--rollout-ema-decay 0.5 --store-ema",
    "dynamic convolutions": "",
}
ADAPTIVE = {
    "lstm, adaptive softmax": "--rollout-ema-decay 0.5",
    "transformer, adaptive, tied": "",
}


def model_options(name):
    """The options of the model *name*, with kernels that fit the data."""
    return ARCHITECTURES[name].replace("[3,15]", "[3,7]")


@pytest.mark.parametrize("name", TRAINED)
def test_trained_and_sampled_from(name, data, tmp_path):
    """G is tried out, changed by the G steps, stored, and sampled from."""
    options = f"{_SHORT} --disable-validation {TRAINED[name]}".split()
    arguments = gan(data, tmp_path, None, *options, model=model_options(name))
    fork("train", tmp_path, arguments).check()
    state = load(tmp_path / "checkpoint_last.pt")
    assert_sampled_from(data, tmp_path / "checkpoint_last.pt")
    moments = state["last_optimizer_state"]
    trained = moments["param_groups"][0]["params"]
    of_generator = [moments["state"][i] for i in trained if i in moments["state"]]
    assert all(moment["exp_avg"].abs().sum() > 0 for moment in of_generator)
    unused = [key for key in state["model"] if key.endswith("conv_bias")]
    assert len(of_generator) == len(trained) - len(unused)
    assert all(not state["model"][key].any() for key in unused)


@pytest.mark.parametrize("name", ADAPTIVE)
def test_an_adaptive_softmax_from_maximum_likelihood_on(name, data, tmp_path):
    """It is trained by fairseq's own criterion; then the policy gradient changes all its bands."""
    model = model_options(name)
    criterion = "--max-epoch 1 --batch-size 64 --criterion adaptive_loss --ddp-backend legacy_ddp"
    first, second = tmp_path / "mle", tmp_path / "gan"
    fork("train", first, mle(data, first, *criterion.split(), model=model)).check()
    start, end = first / "checkpoint_last.pt", second / "checkpoint_last.pt"
    options = f"{_SHORT} {ADAPTIVE[name]}".split()
    result = fork("train", second, gan(data, second, start, *options, model=model)).check()
    assert "random weights" not in result.output
    assert_sampled_from(data, end)
    before, after = load(start)["model"], load(end)["model"]
    assert before.keys() == after.keys()
    changed = {key for key in after if not torch.equal(before[key], after[key])}
    assert {key.split(".")[2] for key in changed if "adaptive_softmax" in key} == {"head", "tail"}


def assert_sampled_from(data, checkpoint):
    """Check that fairseq-generate draws samples from *checkpoint*."""
    arguments = generate(data, checkpoint, "--num-samples", 3)
    samples = fork("generate", checkpoint.parent, arguments).check()
    assert sum(line.startswith("H-") for line in samples.stdout.splitlines()) == 3


def refused(result, *words):
    """Check the exit status and the one line of *result*."""
    assert result.returncode == 2, result.output[-3000:]
    assert "Traceback" not in result.output
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith("error: ")
    for word in words:
        assert word in line


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            "--decoder-hidden-size 24 --decoder-layers 2 --dropout 0.5",
            [
                "checkpoint_best.pt: its language model is not the one that the options describe",
                "--decoder-hidden-size is 24, in the checkpoint 16",
                "--decoder-layers is 2, in the checkpoint 1",
            ],
        ),
        ("--arch gru_lm", ["checkpoint_best.pt", "--arch is gru_lm, in the checkpoint lstm_lm"]),
        ("--arch lstm", ["--arch lstm: not a language model"]),
        (
            "--share-decoder-input-output-embed --decoder-out-embed-dim 12",
            ["--arch lstm_lm: fairseq cannot build it (", "--decoder-embed-dim to match"],
        ),
        (
            "--d-kernel-widths 1,9,12",
            ["--d-kernel-widths: the longest sequence has 8 tokens", "width 9, 12 see nothing"],
        ),
    ],
)
def test_refused_before_training(options, words, data, pretrained, tmp_path):
    arguments = gan(data, tmp_path / "gan", pretrained.best, *options.split())
    refused(fork("train", tmp_path, arguments), *words)
    assert not list((tmp_path / "gan").glob("*.pt"))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (
            "--arch fconv_lm --decoder-layers [(16,3)",
            "--arch fconv_lm: fairseq cannot build it ('[' was never closed",
        ),
        (
            ARCHITECTURES["dynamic convolutions"],
            "--decoder-kernel-size-list: a dynamic convolution of width 15 does not fit "
            "--tokens-per-sample 9",
        ),
        ("", "--arch: missing; it names the language model"),
    ],
)
def test_a_model_that_cannot_be_built(model, words, data, tmp_path):
    refused(fork("train", tmp_path, gan(data, tmp_path / "gan", None, model=model)), words)


def test_a_language_model_of_another_size_is_refused_by_any_criterion(data, pretrained, tmp_path):
    """Also where fairseq's own criterion goes on with it."""
    begin = ["--finetune-from-model", pretrained.best, "--decoder-embed-dim", 12]
    result = fork("train", tmp_path, mle(data, tmp_path / "mle", *begin))
    refused(result, "--decoder-embed-dim is 12, in the checkpoint 16")


def test_cross_entropy_does_not_train_an_adaptive_softmax(data, tmp_path):
    """fairseq would fail at the first update."""
    model = ARCHITECTURES["transformer, adaptive softmax"]
    result = fork("train", tmp_path, mle(data, tmp_path / "mle", model=model))
    words = "--criterion cross_entropy cannot train an adaptive softmax"
    refused(result, words, "say --criterion adaptive_loss --ddp-backend legacy_ddp")


def test_a_random_generator_is_announced(data, tmp_path):
    """Also that the paper's filters are wider than these sequences."""
    options = f"{_SHORT} --max-update 1 --disable-validation --no-save"
    arguments = gan(data, tmp_path / "gan", None, *options.split())
    place = arguments.index("--d-kernel-widths")
    del arguments[place : place + 4]
    result = fork("train", tmp_path, [*arguments, "--d-embed-dim", 2]).check()
    assert result.output.count("G starts from random weights") == 1
    assert "filters of width 9, 10, 15, 20 see nothing: choose --d-kernel-widths" in result.output


CODE = "open('executed', 'w')"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"_name": "fconv_lm", "arch": "fconv_lm", "decoder_layers": CODE},
            f'--decoder-layers "{CODE}": not a list',
        ),
        # Other models evaluate other options. fairseq builds what _name says, whatever arch says.
        (
            {"_name": "fconv_self_att", "pretrained": CODE},
            "--arch fconv_self_att: not a language model",
        ),
        (
            {"_name": "fconv_self_att", "arch": "transformer_lm", "pretrained": CODE},
            "--arch fconv_self_att: not a language model",
        ),
        (
            {"_name": "wav2vec2", "arch": "lstm_lm", "conv_feature_layers": CODE},
            "--arch wav2vec2: not a language model",
        ),
        ({"fconv_self_att": {"pretrained": CODE}}, "--arch: missing"),
    ],
    ids=["language model", "another model", "two names", "speech", "no name"],
)
def test_what_is_no_code_in_a_checkpoint(options, words, data, pretrained, tmp_path, monkeypatch):
    """fairseq evaluates some options of a model, also those that a checkpoint names."""
    monkeypatch.chdir(tmp_path)
    state = load(pretrained.best)
    state["cfg"]["model"] = {"criterion": "cross_entropy", **options}
    torch.save(state, tmp_path / "evil.pt")
    refused(
        fork("generate", tmp_path, generate(data, tmp_path / "evil.pt", "--num-samples", 1)), words
    )
    with pytest.raises(InputError, match=re.escape(words)):
        SeqGAN.from_pretrained(tmp_path / "evil.pt", data)
    assert not list(tmp_path.rglob("executed"))


def test_a_folder_that_cannot_be_written(data, pretrained, tmp_path):
    (tmp_path / "file").touch()
    arguments = gan(data, tmp_path / "file" / "gan", pretrained.best)
    words = f"--save-dir {tmp_path}/file/gan: cannot be written (Not a directory)"
    refused(fork("train", tmp_path, arguments), words)


def test_more_samples_than_are_drawn(data, pretrained, tmp_path):
    arguments = generate(data, pretrained.best, "--num-samples", 3, "--nbest", 2)
    refused(fork("generate", tmp_path, arguments), "--nbest 2: --sampling draws --beam 1")
    both = fork("generate", tmp_path, [*arguments, "--beam", 2]).check()
    assert sum(line.startswith("H-") for line in both.stdout.splitlines()) == 6
