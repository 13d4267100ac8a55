"""What a user may get wrong: one line that names the culprit, and nothing half-written.

Most cases run in forked processes; one of each kind runs as the installed program.
"""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.commands import PLUGIN, differences, fork, gan, generate, load, mle, run

from fairseq_seqgan.oracle.lstm import Oracle
from fairseq_seqgan.support.errors import InputError
from fairseq_seqgan.tasks.config import check_options, make_config

pytestmark = pytest.mark.slow


def cut(name, size):
    """Return a change that leaves the first *size* bytes of file *name*."""
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:size])


def remove(name):
    return lambda folder: (folder / name).unlink()


def write(name, content):
    return lambda folder: (folder / name).write_bytes(content)


def save(name, state):
    return lambda folder: torch.save(state, folder / name)


def shorten_dictionary(folder):
    lines = (folder / "dict.txt").read_text().splitlines(keepends=True)
    (folder / "dict.txt").write_text("".join(lines[:-5]))
    (folder / "stats.json").unlink()  # it would tell that the dictionary is another one


def empty_split(folder):
    """Make of the training data what fairseq-preprocess makes of an empty file."""
    cut("train.idx", 18)(folder)
    with (folder / "train.idx").open("ab") as file:
        file.write(bytes(8))
    write("train.bin", b"")(folder)


def only_unknown_words(folder):
    """Turn every word of the held-out data into <unk>."""
    tokens = np.fromfile(folder / "valid.bin", dtype=np.uint16)
    tokens[tokens != 2] = 3
    tokens.tofile(folder / "valid.bin")
    (folder / "stats.json").unlink()


def one_sequence_of_known_words(folder):
    """Leave the words of the first held-out sequence only."""
    first = np.fromfile(folder / "valid.bin", dtype=np.uint16)[:9]
    only_unknown_words(folder)
    with (folder / "valid.bin").open("r+b") as file:
        file.write(first.tobytes())


def other_oracle(folder):
    """Write an oracle of 40 words, for data of 50."""
    Oracle.random(vocab_size=40, embed_dim=4, hidden_size=4, seed=1).save(folder / "oracle.npz")


class Evil:
    """What a pickle may hold: a call to be made when it is loaded."""

    def __reduce__(self):
        return Path.touch, (Path("executed"),)


EVIL = pickle.dumps([Evil()])
ARRAYS = pickle.dumps([np.zeros(3), "no array"])

# The change to the data folder, which also holds mle.pt; options; words of the error.
DATA_FILES = [
    (shutil.rmtree, "", ["{folder}: no such folder"]),
    (remove("dict.txt"), "", ["dict.txt: missing"]),
    (write("dict.txt", b""), "", ["dict.txt: empty"]),
    (write("dict.txt", b"a b c\n"), "", ["dict.txt: not a dictionary", "expected '<token> <cnt>"]),
    (write("dict.txt", b"\xff\xfe\0"), "", ["dict.txt: not a dictionary", "encoding"]),
    (remove("train.bin"), "", ["train.bin: missing"]),
    (remove("valid.idx"), "", ["valid.idx: missing"]),
    (None, "--train-subset rain", ["rain.idx: missing; there is no split 'rain'"]),
    (cut("train.bin", 100), "", ["train.bin: damaged or truncated; it has 100 bytes, not 3600"]),
    (cut("train.idx", 100), "", ["train.idx: damaged or truncated; it has 100 bytes, not 2426"]),
    (cut("valid.idx", 10), "", ["valid.idx: truncated"]),
    (write("valid.idx", b"no index"), "", ["valid.idx: not an index of fairseq-preprocess"]),
    (empty_split, "", ["train.idx: split 'train' is empty"]),
]
CHECKPOINTS = [
    (remove("mle.pt"), "", ["mle.pt: no such checkpoint"]),
    (cut("mle.pt", 20000), "", ["mle.pt: not a readable checkpoint, perhaps truncated"]),
    (cut("mle.pt", 0), "", ["mle.pt: not a readable checkpoint, perhaps truncated"]),
    (write("mle.pt", EVIL), "", ["mle.pt: not a readable checkpoint"]),
    (save("mle.pt", {"weights": {}}), "", ["mle.pt: not a fairseq checkpoint"]),
    (save("mle.pt", {"model": None}), "", ["mle.pt: not a fairseq checkpoint"]),
    (shorten_dictionary, "", ["mle.pt: trained with a dictionary of 54", "the data has 49"]),
]
ORACLES = [
    (None, "--oracle nowhere.npz", ["nowhere.npz: No such file"]),
    (other_oracle, "--oracle {folder}/oracle.npz", ["oracle.npz: an oracle of 40 words", "has 50"]),
    (cut("oracle.npz", 500), "--oracle {folder}/oracle.npz", ["oracle.npz: not a readable npz"]),
    (write("o.pkl", EVIL), "--oracle {folder}/o.pkl", ["o.pkl: not a readable pickle", "refused"]),
    (write("o.pkl", ARRAYS), "--oracle {folder}/o.pkl", ["o.pkl: not a readable pickle"]),
    (
        None,
        "--oracle {folder}/oracle.npz --fixed-length 0",
        ["--oracle needs --fixed-length"],
    ),
]
LENGTHS = [
    (None, "--tokens-per-sample 8", ["--tokens-per-sample 8 is too short", "has 9 tokens"]),
    (None, "--fixed-length 7", ["--fixed-length 7: sequence 1 of split 'valid' has 8 tokens"]),
    (None, "--fixed-length 9 --tokens-per-sample 12", ["--fixed-length 9: sequence 1", "8 tokens"]),
    (None, "--fixed-length 0 --max-length 3", ["--max-length 3: a training sequence has 8 tokens"]),
    (None, "--sample-break-mode none", ["--sample-break-mode", "eos"]),
]
BF16 = "--bf16 --fp16-no-flatten-grads"
OPTIONS = [
    (None, "--rounds 0", ["--rounds is 0"]),
    (None, "--batch-size 0", ["--batch-size"]),
    (None, "--discriminator-lr=-1", ["--discriminator-lr is -1"]),
    (None, "--discriminator-weight-decay=-1", ["--discriminator-weight-decay is -1"]),
    (None, "--lr=-1", ["--lr is -1.0: it must be 0 or more"]),
    (None, "--lr 0.1,1e999", ["--lr is inf"]),
    (None, "--clip-norm nan", ["--clip-norm is nan"]),
    (None, "--clip-norm=-1", ["--clip-norm is -1"]),
    (None, "--weight-decay inf", ["--weight-decay is inf"]),
    (None, "--discriminator-clip-norm nan", ["--discriminator-clip-norm is nan"]),
    (None, "--stop-min-lr 0.1", ["--stop-min-lr 0.1: --lr 0.01 is not above it"]),
    (None, "--optimizer adam", ["--optimizer adam: D would have no learning rate of its own"]),
    (
        None,
        "--best-checkpoint-metric nll_oracle",
        ["nll_oracle: validation logs it only with"],
    ),
    (
        None,
        "--best-checkpoint-metric nlll",
        ["nlll: validation does not log it; it logs"],
    ),
    (
        None,
        "--best-checkpoint-metric d_gain --pretrain-d-steps 0 --d-steps 0 --reward constant",
        ["--best-checkpoint-metric d_gain: validation logs it only where D is trained"],
    ),
    (
        None,
        "--best-checkpoint-metric entropy --valid-subset valid,test",
        ["entropy: validation logs it only for the first of --valid-subset"],
    ),
    (
        None,
        "--best-checkpoint-metric d_gain --num-eval-samples 1",
        ["d_gain: validation logs it only with --num-eval-samples 2 or more"],
    ),
    (None, "--reset-optimizer", ["--reset-optimizer with --finetune-from-model"]),
    (
        None,
        "--restore-file {folder}/mle.pt",
        ["--restore-file with --finetune-from-model", "leave one away"],
    ),
    (None, "--max-tokens 4", ["--max-tokens 4: the longest sequence of split 'valid' has 9"]),
    (
        None,
        "--max-tokens-valid 4",
        ["--max-tokens 4: the longest sequence of split 'valid' has 9"],
    ),
    (None, "--g-step-memory 0.005", ["--g-step-memory 0.005: one sequence with its 28 rollouts"]),
    (None, "--pretrain-d-select gain", ["--pretrain-d-select gain needs --pretrain-d-keep best"]),
    (None, "--g-loss distill --batch-size 1", ["--g-loss distill needs a --batch-size of 2"]),
    (
        None,
        "--g-loss distill --rollout-ema-decay 0.9",
        ["--rollout-ema-decay needs rollouts, and --g-loss distill has none"],
    ),
    (
        only_unknown_words,
        "--best-checkpoint-metric d_gain",
        ["--best-checkpoint-metric d_gain: split 'valid' has no sequence for D"],
    ),
    (
        one_sequence_of_known_words,
        "--best-checkpoint-metric d_gain",
        ["--best-checkpoint-metric d_gain: split 'valid' has one sequence, a gain needs two"],
    ),
    (None, "--d-label-smoothing 1", ["--d-label-smoothing is 1.0: it must be in [0, 1)"]),
    (None, "--pretrain-d-keep first", ["--pretrain-d-keep: invalid choice: 'first'"]),
    (None, "--pretrain-d-keep best --disable-validation", ["--pretrain-d-keep best", "held-out"]),
    (
        None,
        "--pretrain-d-keep best --fp16 --fp16-no-flatten-grads",
        ["--pretrain-d-keep best: not with fp16"],
    ),
    (None, "--update-freq 1,2", ["--update-freq"]),
    (None, "--d-kernel-widths 1,x,3", ["--d-kernel-widths '1,x,3'"]),
    (None, "--d-kernel-counts 8,8", ["--d-kernel-widths has 3 numbers and --d-kernel-counts 2"]),
    (None, "--d-dropout 1", ["--d-dropout"]),
    (None, "--discriminator lstm", ["--discriminator: invalid choice: 'lstm'", "'cnn_highway'"]),
    (None, "--discriminator rcnn --d-hidden-size 0", ["--d-hidden-size is 0: at least 1"]),
    (None, "--discriminator rcnn --d-features -2", ["--d-features is -2: at least 1"]),
    (None, "--reward bleurgh", ["--reward: invalid choice: 'bleurgh'"]),
    (None, "--reward bleu --bleu-smoothing much", ["--bleu-smoothing: invalid choice: 'much'"]),
    (None, "--reward bleu --bleu-references 2", ["--bleu-references is 2.0", "(0, 1]"]),
    (None, "--reward bleu --bleu-order 9", ["--bleu-order 9: the longest of 80 references has 8"]),
    (
        None,
        "--pretrain-d-steps 0 --d-steps 0",
        ["--reward discriminator with --pretrain-d-steps 0 and --d-steps 0", "nothing trains"],
    ),
    (
        None,
        "--reward logit --pretrain-d-steps 0 --d-steps 0",
        ["--reward logit with --pretrain-d-steps 0 and --d-steps 0", "nothing trains"],
    ),
    (None, "--fp16", ["--fp16-no-flatten-grads"]),
    (None, f"{BF16} --clip-norm 5", ["--clip-norm 5.0: not with --fp16 and --bf16"]),
    (None, f"{BF16} --discriminator-clip-norm 5", ["--discriminator-clip-norm 5.0: not with"]),
    (None, f"{BF16} --rollout-ema-decay 0.8", ["--rollout-ema-decay 0.8: not with"]),
    (None, "--use-old-adam", ["--use-old-adam: not with --optimizer seqgan_adam"]),
    (None, "--fp16-adam-stats", ["--fp16-adam-stats: not with --optimizer seqgan_adam"]),
    (None, "--add-bos-token", ["--add-bos-token"]),
    (None, "--valid-subset valid,train", ["--valid-subset valid,train", "training split itself"]),
    (
        None,
        "--kl-coef 1 --kl-reference {folder}/dict.txt",
        ["dict.txt: not a readable checkpoint"],
    ),
]
CASES = [*DATA_FILES, *CHECKPOINTS, *ORACLES, *LENGTHS, *OPTIONS]
# One of every kind, and what must never be executed.
AS_PROGRAM = [DATA_FILES[8], CHECKPOINTS[3], ORACLES[3]]


def name_of(case):
    """Return the test's name for a case: its options, or else what is wrong."""
    return case[1] or case[2][0]


@pytest.fixture
def folder(data, pretrained, tmp_path):
    """A copy of the data and of the pre-trained model, to be damaged."""
    shutil.copytree(data, tmp_path / "data")
    shutil.copy(pretrained.best, tmp_path / "data" / "mle.pt")
    return tmp_path / "data"


def fill_in(case, folder):
    """Damage *folder* as *case* says; return the arguments of fairseq-train and the words."""
    change, options, words = case
    if change is not None:
        change(folder)
    options = [option.format(folder=folder) for option in options.split()]
    arguments = gan(folder, folder.parent / "gan", folder / "mle.pt", *options)
    return arguments, [word.format(folder=folder) for word in words]


def assert_refused(result, words, folder):
    """Check the one line, the exit status, and that nothing was written."""
    assert result.returncode == 2
    assert "Traceback" not in result.output
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith(("error: ", "fairseq-train: error: ")), result.stderr[-2000:]
    assert len([text for text in result.output.splitlines() if text.startswith("error:")]) <= 1
    for word in words:
        assert word in line
    assert not list(folder.parent.glob("gan/*.pt"))
    assert not list(folder.parent.rglob("executed"))


OF_A_LANGUAGE_MODEL = [
    ("--lr=-1", "--lr is -1.0"),
    ("--clip-norm nan", "--clip-norm is nan"),
    ("--best-checkpoint-metric nll_oracle", "nll_oracle: validation logs it only with --oracle"),
    ("--best-checkpoint-metric entropy", "entropy: validation logs it only with --oracle, or"),
    ("--best-checkpoint-metric d_gain", "d_gain: validation logs it only in adversarial training"),
    (
        "--best-checkpoint-metric nll --sample-break-mode none",
        "nll: validation logs it only with --sample-break-mode eos",
    ),
]


@pytest.mark.parametrize(("options", "word"), OF_A_LANGUAGE_MODEL)
def test_refused_in_the_mle_phase(options, word, folder):
    """The same before a language model is trained."""
    arguments = mle(folder, folder.parent / "gan", *options.split())
    assert_refused(fork("train", folder.parent, arguments), [word], folder)


@pytest.mark.parametrize("case", CASES, ids=map(name_of, CASES))
def test_refused_before_training(case, folder):
    """Every mistake of the table ends the program with its line before anything is trained."""
    arguments, words = fill_in(case, folder)
    assert_refused(fork("train", folder.parent, arguments), words, folder)


def test_symbols_beyond_the_dictionary(folder):
    """Data of another, larger dictionary than the one beside it is refused, too."""
    shorten_dictionary(folder)
    arguments = gan(folder, folder.parent / "gan", None)
    words = ["valid.bin: holds the symbol 53", "49 symbols"]
    assert_refused(fork("train", folder.parent, arguments), words, folder)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("rollouts", -1),
        ("rollout_stride", 0),
        ("g_step_memory", 0.0),
        ("rounds", 0),
        ("g_steps", 0),
        ("d_steps", -1),
        ("pretrain_d_steps", -1),
        ("k", 0),
        ("d_batch_size", 0),
        ("negative_pool_size", -1),
        ("fixed_length", -1),
        ("max_length", -1),
        ("num_eval_samples", 0),
        ("temperature", float("nan")),
        ("temperature", 0),
        ("rollout_ema_decay", 1),
        ("bleu_order", 0),
        ("bleu_references", 0.0),
        ("bleu_references", 1.5),
        ("bleu_references", float("nan")),
    ],
)
def test_numbers_out_of_range(option, value):
    """N < 1, rounds = 0 and their like: the message names the option and the value."""
    with pytest.raises(InputError, match=f"^error: --{option.replace('_', '-')} is {value}"):
        check_options(make_config()(**{"reward": "bleu", option: value}))


@pytest.mark.parametrize("case", AS_PROGRAM, ids=map(name_of, AS_PROGRAM))
def test_refused_by_the_program(case, folder):
    """The same of the real program, from its start to its exit status."""
    arguments, words = fill_in(case, folder)
    result = run("fairseq-train", *arguments, cwd=folder.parent, cold=True)
    assert_refused(result, words, folder)


@pytest.mark.parametrize("command", ["validate", "generate", "eval-lm"])
def test_nothing_in_a_checkpoint_is_run(command, folder):
    """Even where the environment has torch load whatever a file holds."""
    (folder / "mle.pt").write_bytes(EVIL)
    options = f"--user-dir {PLUGIN} --task seqgan --cpu --num-workers 0 --path {folder}/mle.pt"
    subset = "--valid-subset" if command == "validate" else "--gen-subset"
    result = run(
        f"fairseq-{command}",
        *(folder, *options.split(), subset, "test", "--batch-size", 8),
        cwd=folder.parent,
        env={"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"},
    )
    assert_refused(result, ["mle.pt: not a readable checkpoint"], folder)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ("", "--num-samples"),
        ("--num-samples -3", "--num-samples is -3"),
        ("--num-samples 3 --temperature 0", "--temperature is 0.0"),
        ("--num-samples 3 --path {folder}/mle.pt:{folder}/mle.pt", "not an ensemble"),
        ("--num-samples 3 --guide 4 --path {folder}/mle.pt:{folder}/mle.pt", "not an ensemble"),
        ("--num-samples 3 --path {folder}/gone.pt", "gone.pt: no such checkpoint"),
        ("--num-samples 3 --path {folder}/test.bin", "test.bin: not a readable checkpoint"),
        ("--prefix-size 2 --gen-subset rest", "rest.idx: missing"),
    ],
)
def test_generate_refuses(options, word, folder):
    """fairseq-generate says in one line what it cannot do, and prints no sample."""
    options = [option.format(folder=folder) for option in options.split()]
    arguments = generate(folder, folder / "mle.pt", *options)
    result = fork("generate", folder.parent, arguments)
    assert_refused(result, [word], folder)
    assert "H-0" not in result.stdout


def spoil(state, net, value):
    """Set the output weights of G or D in a checkpoint's *state* to *value*."""
    weights = state["model" if net == "G" else "criterion"]
    names = [name for name in weights if name.endswith(("fc_out.weight", "output.weight"))]
    weights[(names or list(weights))[-1]].fill_(value)


@pytest.mark.parametrize(
    ("net", "value", "options", "phase", "tensor"),
    [
        ("G", float("nan"), [], "a draw of negatives", "the policy's log-probability"),
        ("G", float("inf"), ["--pretrain-d-steps", 0], "a generator step", "log-probability"),
        ("D", float("nan"), [], "a pretrain step", "the loss"),
        ("D", float("inf"), ["--pretrain-d-steps", 0], "a generator step", "the reward"),
    ],
)
def test_nan_stops_before_the_update(net, value, options, phase, tensor, folder, played):
    """NaN or infinity ends the training; the error names phase and tensor; no weight has moved."""
    state = load(played.last)
    spoil(state, net, value)
    torch.save(state, folder / "spoiled.pt")
    options = [*"--reset-optimizer --reset-dataloader --reset-meters".split(), *options]
    arguments = gan(folder, folder.parent / "gan", None, "--restore-file", folder / "spoiled.pt")
    result = fork("train", folder.parent, [*arguments, *options])
    assert result.returncode == 3
    assert "Traceback" not in result.output
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith("error: ")
    assert phase in line and tensor in line
    # fairseq keeps what it had in crash.pt, and writes no other checkpoint.
    assert [path.name for path in folder.parent.glob("gan/*.pt")] == ["crash.pt"]
    after = load(folder.parent / "gan" / "crash.pt")
    for part in ("model", "criterion"):
        assert differences(bits(state[part]), bits(after[part])) == []


def bits(weights):
    """Return *weights* as integers, where NaN equals NaN."""
    return {name: weight.view(torch.int32) for name, weight in weights.items()}
