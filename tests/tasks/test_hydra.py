"""fairseq-hydra-train with the YAML files of examples/hydra: MLE, then adversarial training."""

import re

import pytest
from helpers.commands import REPO, load, run
from omegaconf import OmegaConf

from fairseq_seqgan.hydra_callback import check
from fairseq_seqgan.support.errors import InputError

FILES = REPO / "examples" / "hydra"
SMALL = (
    "++common.cpu=true ++dataset.num_workers=0 task.tokens_per_sample=8 model.decoder_embed_dim=16 "
    "model.decoder_ffn_embed_dim=32 model.decoder_layers=1 model.decoder_attention_heads=2 "
)
GAN = (
    "task.rounds=1 task.rollouts=2 task.pretrain_d_steps=1 ++task.num_eval_samples=20 "
    "++criterion.d_kernel_widths='1,2' ++criterion.d_kernel_counts='4,4'"
)


def train(name, text, folder, *more):
    words = ["--config-dir", FILES, "--config-name", name, f"task.data={text}", *SMALL.split()]
    return run("fairseq-hydra-train", *words, *more, cwd=folder)


@pytest.mark.slow
def test_mle_and_then_seqgan(text, tmp_path):
    """With the commands of docs/hydra.md, in a folder of their own; nothing else must be said."""
    train("mle", text, tmp_path, "optimization.max_epoch=1").check()
    best = tmp_path / "checkpoints" / "mle" / "checkpoint_best.pt"
    assert load(best)["cfg"]["task"]["_name"] == "language_modeling"
    train("seqgan", text, tmp_path, *GAN.split()).check()
    state = load(tmp_path / "checkpoints" / "seqgan" / "checkpoint_last.pt")
    assert state["cfg"]["task"]["rounds"] == 1 and state["criterion"]
    assert state["extra_state"]["SeqGANTask"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoints"]


WRONG = [
    ("task.round=3", "task.round: there is no such key; did you mean rounds?"),
    ("criterion.d_dropuot=0.1", "criterion.d_dropuot: there is no such key; did you mean d_dr"),
    ("optimizer.discriminator_rl=1", "optimizer.discriminator_rl: there is no such key; did you m"),
    ("model.layers=1", "model.layers: there is no such key"),
    ("checkpoint.savedir=x", "checkpoint.savedir: there is no such key; did you mean save_dir?"),
    ("chekpoint.save_dir=x", "chekpoint: there is no such section; did you mean checkpoint?"),
    ("task.data=???", "task.data: has no value; say task.data=VALUE"),
]


@pytest.mark.parametrize(("more", "message"), WRONG)
def test_a_wrong_key_is_refused_by_its_name(more, message):
    config = OmegaConf.load(FILES / "seqgan.yaml")
    del config["hydra"]
    merged = OmegaConf.merge(config, OmegaConf.from_dotlist(["task.data=data", more]))
    with pytest.raises(InputError, match=re.escape(message)):
        check(merged)


def test_a_command_ends_with_the_line(text, tmp_path):
    result = train("seqgan", text, tmp_path, "+task.round=3")
    assert result.returncode == 2
    assert f"error: {WRONG[0][1]}" in result.stderr.splitlines()
    assert "Traceback" not in result.output
