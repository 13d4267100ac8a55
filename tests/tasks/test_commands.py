"""The real commands on tiny data, end to end, and what they log and leave behind."""

import math

import pytest
import torch
from helpers.commands import (
    PLUGIN,
    TOTAL_UPDATES,
    differences,
    fork,
    gan,
    generate,
    load,
    run,
    run_python,
    training_state,
)
from helpers.trainings import played_options

pytestmark = pytest.mark.slow


def test_chain_of_real_commands(data, played, tmp_path):
    """preprocess → MLE → adversarial (the fixtures) → resume → generate → evaluate.

    These are the real programs, from their start, with nothing imported in advance.
    """
    arguments = gan(data, tmp_path, None, "--restore-file", played.last, "--rounds", 3)
    run("fairseq-train", *arguments, cold=True).check()
    assert training_state(tmp_path / "checkpoint_last.pt")["updates"] > TOTAL_UPDATES
    arguments = generate(data, tmp_path / "checkpoint_last.pt", "--num-samples", 20)
    samples = tmp_path / "samples.txt"
    generated = run("fairseq-generate", *arguments, cold=True).check()
    samples.write_text(generated.stdout, encoding="utf-8")
    arguments = ["--samples", samples, "--data", data, "--oracle", data / "oracle.npz"]
    arguments += ["--model", tmp_path / "checkpoint_last.pt", "--num-eval-samples", 50]
    evaluated = run("fairseq-seqgan", "evaluate", *arguments, cold=True).check()
    for line in ("NLL_oracle of the samples", "held-out NLL of the model", "20 samples"):
        assert line in evaluated.stdout


def test_training_logs(played):
    """Every number that the design names is logged, finite, and within its range."""
    result = played.result
    epochs = result.logged("train")
    assert [epoch["round"] for epoch in epochs] == [0, 1, 2]
    for name in ("d_loss", "d_acc"):
        assert all(math.isfinite(epoch[name]) for epoch in epochs)
    for name in ("reward", "entropy", "g_loss"):
        assert name not in epochs[0], "no G step in pre-training"
        assert all(math.isfinite(epoch[name]) for epoch in epochs[1:])
    assert all(0 < epoch["reward"] < 1 for epoch in epochs[1:])
    assert all(0 < epoch["entropy"] < math.log(50) for epoch in epochs[1:])
    validations = result.logged("valid")
    assert len(validations) == 3
    for name in ("nll", "nll_oracle", "d_auc_train", "d_auc_heldout", "entropy"):
        assert all(math.isfinite(validation[name]) for validation in validations), name
    assert all(0 <= v[f"d_auc_{part}"] <= 1 for v in validations for part in ("train", "heldout"))
    assert all(v["loss"] == pytest.approx(v["nll"] / math.log(2), abs=0.01) for v in validations)


def test_each_update_is_logged_as_its_phase(played):
    """With --log-interval 1 a line for each update: 14 of D, then 2 of G and 14 of D, twice."""
    lines = played.result.logged("train_inner")
    kinds = "".join("G" if "reward" in line else "D" for line in lines)
    assert kinds == "D" * 14 + ("GG" + "D" * 14) * 2
    assert not any("d_loss" in line for line in lines if "reward" in line)


def test_training_ends_by_itself(data, played, tmp_path):
    """It ends with the schedule, without a --max-update; started again, it trains nothing."""
    assert training_state(played.last)["updates"] == TOTAL_UPDATES
    again = gan(data, tmp_path, None, "--restore-file", played.last, *played_options(data))
    result = fork("train", tmp_path, again).check()
    assert "done training" in result.stdout
    assert result.logged("train") == [] and result.logged("valid") == []
    assert not list(tmp_path.glob("*.pt"))


def test_best_checkpoint_by_oracle(played):
    """``--best-checkpoint-metric nll_oracle`` keeps the checkpoint of the lowest nll_oracle."""
    validations = played.result.logged("valid")
    lowest = min(validation["nll_oracle"] for validation in validations)
    assert load(played.best)["extra_state"]["best"] == pytest.approx(lowest, abs=1e-3)
    assert validations[-1]["best_nll_oracle"] == pytest.approx(lowest, abs=1e-3)


def test_starts_from_stock_language_model(data, tmp_path):
    """A checkpoint of stock ``--task language_modeling`` is where the adversarial run begins."""
    stock = (
        "--task language_modeling --arch lstm_lm --decoder-embed-dim 16 --decoder-hidden-size 16 "
        "--decoder-out-embed-dim 16 --dropout 0.1 --optimizer adam --lr 0.01 --batch-size 32 "
        "--max-epoch 1 --sample-break-mode eos --tokens-per-sample 9 --no-epoch-checkpoints --cpu"
    ).split()
    folder = tmp_path / "stock"
    fork("train", tmp_path, [data, *stock, "--save-dir", folder]).check()
    first = ["--max-update", 1]  # of D: G must be what the stock command trained
    start = folder / "checkpoint_last.pt"
    fork("train", tmp_path, gan(data, tmp_path, start, *first)).check()
    trained, begun = load(start), load(tmp_path / "checkpoint_last.pt")
    assert differences(trained["model"], begun["model"]) == []
    assert begun["criterion"] is not None


STOCK = """
import importlib, sys
sys.modules["fairseq_seqgan"] = None  # importing the plugin fails
command, *sys.argv[1:] = sys.argv[1:]
importlib.import_module("fairseq_cli." + command).cli_main()
loaded = [name for name in sys.modules if name.startswith("fairseq_seqgan.")]
assert not loaded, loaded
"""


@pytest.mark.parametrize(
    ("command", "options", "expected"),
    [
        ("generate", ["--max-len-b", 12], "Translated 50 sentences"),
        ("eval_lm", ["--tokens-per-sample", 9], "Evaluated 450 tokens"),
    ],
)
def test_stock_fairseq_reads_the_checkpoint(command, options, expected, data, played, tmp_path):
    """fairseq without this plugin generates from an adversarial checkpoint, and scores with it."""
    arguments = [data, "--task", "language_modeling", "--path", played.last, "--cpu"]
    arguments += ["--gen-subset", "test", "--sample-break-mode", "eos"]
    arguments += ["--required-batch-size-multiple", 1, *options]
    result = run_python("-c", STOCK, command, *arguments, cwd=tmp_path).check()
    assert expected in result.output


def test_stock_evaluation_is_ours(data, played, tmp_path):
    """Stock fairseq-eval-lm and fairseq-eval-lm with the plugin give the same loss."""
    options = [data, "--path", played.last, "--cpu", "--gen-subset", "test"]
    options += ["--tokens-per-sample", 9, "--num-workers", 0, "--sample-break-mode", "eos"]
    ours = ["--user-dir", PLUGIN, "--task", "seqgan"]
    stock = ["--task", "language_modeling", "--required-batch-size-multiple", 1]
    losses = [
        [line.split("Loss")[1] for line in result.output.splitlines() if "Loss (base 2)" in line]
        for result in (fork("eval_lm", tmp_path, [*options, *kind]) for kind in (ours, stock))
    ]
    assert losses[0] == losses[1] != []


@pytest.mark.parametrize(
    "options",
    [
        "--reward constant",
        "--reward random",
        "--baseline mean",
        "--rollout-ema-decay 0.5",
        "--rollout-stride 3",
        "--update-freq 2",
        "--reward bleu --bleu-order 2 --bleu-smoothing add-k --bleu-references 1",
        "--reward constant --d-steps 0 --pretrain-d-steps 0 --rounds 20",
        "--discriminator-lr 0.001 --weight-decay 0.1",
        "--negative-pool-size 30 --d-batch-size 7",
        "--temperature 0.7 --clip-norm 1",
        "--fp16 --fp16-no-flatten-grads",
        "--amp",
    ],
)
def test_options_of_the_game(options, data, pretrained, tmp_path):
    """Each option trains G: in 20 updates, with the numbers still finite."""
    more = [*options.split(), "--max-update", 20, "--log-interval", 1]
    result = fork("train", tmp_path, gan(data, tmp_path, pretrained.best, *more)).check()
    assert training_state(tmp_path / "checkpoint_last.pt")["updates"] == 20
    played = [line for line in result.logged("train_inner") if "reward" in line]
    assert played
    assert all(math.isfinite(v) for line in played for v in (line["g_loss"], line["entropy"]))
    if "constant" in options:
        assert all(line["reward"] == 1 for line in played)
    before, after = load(pretrained.best)["model"], load(tmp_path / "checkpoint_last.pt")["model"]
    assert differences(before, after) != []


HYDRA = """
common: {{user_dir: {plugin}, cpu: true, seed: 1, log_format: simple, {precision}}}
task:
  {{_name: seqgan, data: {data}, fixed_length: 8, tokens_per_sample: 9, rounds: 1, g_steps: 2,
   d_steps: 1, k: 2, pretrain_d_steps: 1, rollouts: 4, num_eval_samples: 50,
   oracle: {data}/oracle.npz, add_bos_token: false, max_target_positions: null}}
criterion: {{_name: seqgan, d_kernel_widths: '1,2,3', d_kernel_counts: '8,8,8'}}
optimizer: {{_name: seqgan_adam, lr: [0.01], discriminator_lr: 0.001}}
lr_scheduler: {{_name: fixed}}
model: {{_name: {model}, decoder_embed_dim: 16, {size}}}
dataset: {{batch_size: 16, num_workers: 0}}
optimization: {{lr: [0.01]}}
checkpoint: {{save_dir: {save_dir}, no_epoch_checkpoints: true, best_checkpoint_metric: nll_oracle}}
hydra: {{run: {{dir: {save_dir}/hydra}}}}
"""
MODELS = {
    "transformer_lm": "decoder_ffn_embed_dim: 32, decoder_layers: 1, decoder_attention_heads: 2",
    "lstm_lm": "criterion: seqgan, decoder_hidden_size: 16, decoder_out_embed_dim: 16",
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "precision", ["", "bf16: true, fp16_no_flatten_grads: true"], ids=["float32", "bfloat16"]
)
def test_hydra(model, precision, data, tmp_path):
    """fairseq-hydra-train with a YAML file plays the game, in float32 and in bfloat16."""
    config = HYDRA.format(
        plugin=PLUGIN,
        data=data,
        save_dir=tmp_path,
        precision=precision,
        model=model,
        size=MODELS[model],
    )
    (tmp_path / "game.yaml").write_text(config, encoding="utf-8")
    arguments = ["--config-dir", tmp_path, "--config-name", "game"]
    fork("hydra_train", tmp_path, arguments).check()
    assert training_state(tmp_path / "checkpoint_last.pt")["updates"] == 30


@pytest.mark.parametrize("split", ["test", "train"])
def test_validate_command(split, data, played, tmp_path):
    """fairseq-validate reports the NLL of a split under an adversarial checkpoint."""
    arguments = [data, "--user-dir", PLUGIN, "--task", "seqgan", "--path", played.last, "--cpu"]
    arguments += ["--valid-subset", split, "--batch-size", 8, "--num-workers", 0]
    result = fork("validate", tmp_path, [*arguments, "--log-format", "simple"]).check()
    (found,) = result.logged(split)
    assert found["bsz"] == {"test": 50, "train": 200}[split]  # all of them in one "update"
    assert found["nll"] == pytest.approx(found["loss"] * math.log(2), abs=1e-3)
    assert "requires_grad" not in result.output  # torch's warning that a graph was kept


def test_validate_takes_what_a_training_would_refuse(data, played, tmp_path):
    """Options of an earlier version that did nothing are in its checkpoint for good."""
    state = load(played.last)
    state["cfg"]["task"] |= {"max_length": 8, "rollout_stride": 2, "rollouts": 0}
    torch.save(state, tmp_path / "old.pt")
    arguments = [data, "--user-dir", PLUGIN, "--task", "seqgan", "--path", tmp_path / "old.pt"]
    arguments += "--cpu --valid-subset test --num-workers 0 --batch-size 8".split()
    arguments += ["--log-format", "simple"]
    (found,) = fork("validate", tmp_path, arguments).check().logged("test")
    assert found["bsz"] == 50


def test_validate_command_of_a_language_model(data, pretrained, tmp_path):
    """It reports the NLL that the training has logged."""
    arguments = [data, "--user-dir", PLUGIN, "--task", "seqgan", "--path", pretrained.last, "--cpu"]
    arguments += ["--valid-subset", "valid", "--batch-size", 32, "--num-workers", 0]
    result = fork("validate", tmp_path, [*arguments, "--log-format", "simple"]).check()
    assert result.logged("valid")[-1]["nll"] == pretrained.result.logged("valid")[-1]["nll"]
    assert "requires_grad" not in result.output


def test_language_model_training_needs_no_options_of_the_game(pretrained):
    """MLE with task seqgan is plain language-model training; validation logs fairseq's loss."""
    losses = [validation["loss"] for validation in pretrained.result.logged("valid")]
    assert len(losses) == 3 and losses[-1] < losses[0] < math.log2(54) + 0.1
