"""Options of fairseq's training in both phases: they work, or are refused with a reason.

docs/training-options.md lists what was tried.
"""

from argparse import Namespace

import pytest
import torch
from helpers.commands import fork, gan, generate, load
from omegaconf import OmegaConf

from fairseq_seqgan.support.errors import InputError
from fairseq_seqgan.tasks import training_options

pytestmark = pytest.mark.slow


def configuration(phase, **changed):
    """What training_options reads of a training's configuration; *changed* names groups."""
    groups = {
        "criterion": {"_name": "seqgan" if phase == "gan" else "cross_entropy"},
        "optimizer": {"_name": "seqgan_adam", "discriminator_lr": 0.1},
        "optimization": {"lr": [0.1], "clip_norm": 0.0, "stop_min_lr": -1.0, "max_update": 0},
        "common": {"cpu": True, "fp16": False, "fp16_no_flatten_grads": False, "log_interval": 9},
        "checkpoint": {"optimizer_overrides": "{}", "checkpoint_suffix": "", "save_interval": 1},
        "dataset": {"disable_validation": True, "validate_interval": 1, "num_workers": 0},
        "task": {"shorten_method": "none", "output_dictionary_size": -1, "tokens_per_sample": 9},
        "distributed_training": {"ddp_backend": "legacy_ddp"},
        "lr_scheduler": {"_name": "fixed"},
    }
    groups["common"]["memory_efficient_fp16"] = False
    groups["optimization"]["update_freq"] = [1]
    groups["dataset"] |= {"batch_size": 8, "max_tokens": None}
    for name, options in changed.items():
        groups[name] = {**groups[name], **options}
    return OmegaConf.create(groups)


COSINE = {"_name": "cosine", "lr_period_updates": -1.0}
TRI_STAGE = {"_name": "tri_stage", "phase_ratio": [0.1, 0.4, 0.5]}
REFUSED = {
    "--lr-scheduler cosine: it needs --lr-period-updates": {"lr_scheduler": COSINE},
    "--phase-ratio: --lr-scheduler tri_stage needs --max-update": {"lr_scheduler": TRI_STAGE},
    "--lr-scheduler pass_through": {"lr_scheduler": {"_name": "pass_through"}},
}
# What fairseq or torch would fail with a traceback at.
NUMBERS = {
    "--adam-betas is 0.9: it must be two": {"optimizer": {"adam_betas": "0.9"}},
    r"--adam-betas is \(0.9,1.5\)": {"optimizer": {"adam_betas": "(0.9,1.5)"}},
    "--adam-betas is x": {"optimizer": {"adam_betas": "x"}},
    "--adam-eps is -1.0": {"optimizer": {"adam_eps": -1.0}},
    "--save-interval is 0": {"checkpoint": {"save_interval": 0}},
    "--validate-interval is 0": {"dataset": {"validate_interval": 0}},
    "--log-interval is 0": {"common": {"log_interval": 0}},
    "--update-freq is -1": {"optimization": {"update_freq": [4, -1]}},
    "--num-workers is -1": {"dataset": {"num_workers": -1}},
    "--tokens-per-sample is 0": {"task": {"tokens_per_sample": 0}},
    "--optimizer-overrides {x: it must be": {"checkpoint": {"optimizer_overrides": "{x"}},
    "--lr: --lr-scheduler cosine takes one rate": {
        "lr_scheduler": {"_name": "cosine", "lr_period_updates": 10},
        "optimization": {"lr": [0.1, 0.2]},
    },
}


@pytest.mark.parametrize("words", NUMBERS)
def test_numbers_that_fairseq_would_fail_at(words):
    with pytest.raises(InputError, match=words):
        training_options.check(configuration("mle", **NUMBERS[words]))
    training_options.check(configuration("mle", optimizer={"adam_betas": "(0.9, 0.98)"}))


@pytest.mark.parametrize("phase", ["mle", "gan"])
@pytest.mark.parametrize("words", REFUSED)
def test_a_schedule_of_unknown_length_is_refused(words, phase):
    with pytest.raises(InputError, match=words):
        training_options.check(configuration(phase, **REFUSED[words]))
    enough = {"optimization": {"max_update": 30}}
    if "pass_through" not in words:
        training_options.check(configuration(phase, **REFUSED[words], **enough))


@pytest.mark.parametrize(("metric", "told"), [("d_gain", True), ("d_auc_heldout", False)])
def test_best_checkpoints_that_fairseq_does_not_find_again(metric, told, caplog):
    """Their names hold a minus; a metric that is never negative is not warned of."""
    best = {"best_checkpoint_metric": metric, "maximize_best_checkpoint_metric": True}
    root = configuration(
        "gan",
        dataset={"disable_validation": False, "valid_subset": "valid"},
        checkpoint={**best, "keep_best_checkpoints": 2},
        task={"oracle": None, "pretrain_d_steps": 1, "d_steps": 1, "num_eval_samples": 9},
    )
    training_options.check(root)
    assert ("--keep-best-checkpoints 2: fairseq keeps all whose" in caplog.text) is told


def test_what_a_cpu_or_a_criterion_needs():
    with pytest.raises(InputError, match="--fp16: on a CPU it needs --fp16-no-flatten-grads"):
        training_options.check(configuration("mle", common={"fp16": True}))
    common = {"fp16": True, "fp16_no_flatten_grads": True}
    training_options.check(configuration("mle", common=common))
    adaptive = {"criterion": {"_name": "adaptive_loss"}}
    training_options.check(configuration("mle", **adaptive))
    backend = {"distributed_training": {"ddp_backend": "pytorch_ddp"}}
    with pytest.raises(InputError, match=r"--criterion adaptive_loss: .* --ddp-backend legacy_ddp"):
        training_options.check(configuration("mle", **adaptive, **backend))


def test_legacy_optimizers_and_schedules_are_checked_too():
    """fairseq keeps their options as a namespace."""
    root = configuration("mle")
    root._set_flag("allow_objects", True)
    root.optimizer = Namespace(optimizer="sgd", lr=[0.1], weight_decay=-1.0)
    root.lr_scheduler = Namespace(lr_scheduler="manual", update2lr={"5": 0.1})
    with pytest.raises(InputError, match=r"--weight-decay is -1\.0"):
        training_options.check(root)
    root.optimizer.weight_decay = 0.0
    training_options.check(root)
    root.criterion._name = "seqgan"
    with pytest.raises(InputError, match="--optimizer sgd: D would have no learning rate"):
        training_options.check(root)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--lr-scheduler polynomial_decay", "polynomial_decay: it needs --total-num-update"),
        ("--zero-sharding os", "--zero-sharding and --ddp-backend fully_sharded: not in advers"),
        ("--optimizer-overrides {'eps':0.1}", "--optimizer-overrides: seqgan_adam takes"),
        ("--memory-efficient-fp16", "--memory-efficient-fp16: not with --optimizer seqgan_adam"),
    ],
)
def test_refused(options, words, data, pretrained, tmp_path):
    """In one line, before anything is trained."""
    arguments = gan(data, tmp_path / "gan", pretrained.best, *options.split())
    result = fork("train", tmp_path, arguments)
    assert result.returncode == 2 and "Traceback" not in result.output
    assert words in result.stderr.strip().splitlines()[-1]


def test_plateau_keeps_the_rates_of_the_checkpoint(data, pretrained, tmp_path):
    """fairseq would set no other one, so a resumed training must not ask for it."""
    options = "--lr-scheduler reduce_lr_on_plateau --lr-shrink 0.5".split()
    start = [*options, "--max-update", 2]
    fork("train", tmp_path, gan(data, tmp_path, pretrained.best, *start)).check()
    for option, words in (("--lr", "--lr is [0.002]"), ("--discriminator-lr", "0.002, in the")):
        result = fork("train", tmp_path, gan(data, tmp_path, None, *options, option, 0.002))
        assert result.returncode == 2 and "Traceback" not in result.output
        assert words in result.stderr.strip().splitlines()[-1]
    fork("train", tmp_path, gan(data, tmp_path, None, *options, "--max-update", 3)).check()


def test_a_moving_average_begins_with_the_weights(data, pretrained, tmp_path):
    """With those of a checkpoint that has none; it follows G, and is resumed."""
    options = (
        "--store-ema --ema-decay 0.5 --ema-fp32 --reward constant --pretrain-d-steps 0 --d-steps 0 "
        "--disable-validation"
    ).split()
    expected = {name: weight.clone() for name, weight in load(pretrained.best)["model"].items()}
    for update in (1, 2):
        arguments = gan(data, tmp_path, pretrained.best, *options, "--max-update", update)
        fork("train", tmp_path, arguments).check()
        state = load(tmp_path / "checkpoint_last.pt")
        for name, weight in state["model"].items():
            expected[name] = (expected[name] + weight) / 2
            torch.testing.assert_close(state["extra_state"]["ema"][name], expected[name])
            assert name in state["extra_state"]["ema_fp32_params"]


def test_the_mean_of_checkpoints_is_a_checkpoint(data, pretrained, played, tmp_path):
    """The weights of G are averaged, as fairseq's script does it; the rest is the last one's."""
    state, other = load(played.last), load(pretrained.last)["model"]
    state["model"] = {key: (w + other[key]) / 2 for key, w in state["model"].items()}
    torch.save(state, tmp_path / "mean.pt")
    arguments = generate(data, tmp_path / "mean.pt", "--num-samples", 2)
    samples = fork("generate", tmp_path, arguments).check()
    assert sum(line.startswith("H-") for line in samples.stdout.splitlines()) == 2
