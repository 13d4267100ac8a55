"""Mistakes of a user: what is wrong, the options, and the words of the message."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import torch

from fairseq_seqgan.oracle.lstm import Oracle

BF16 = "--bf16"


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
        ["--max-tokens-valid 4: the longest sequence of split 'valid' has 9"],
    ),
    (
        None,
        "--fixed-length 0 --max-length 1000000000",
        ["--max-length is 1000000000: it must be at most 100,000"],
    ),
    (
        None,
        "--lr-scheduler tri_stage",
        ["tri_stage: its options", "please specify steps or phase_ratio"],
    ),
    (
        None,
        "--lr-scheduler step --lr-deacy-period 0",
        ["--lr-scheduler step: its options cannot be used", "assert self.lr_deacy_period > 0"],
    ),
    (
        None,
        "--lr-scheduler reduce_lr_on_plateau --lr-shrink 1",
        ["--lr-scheduler reduce_lr_on_plateau: its options", "Factor should be < 1.0"],
    ),
    (
        None,
        "--lr-scheduler inverse_sqrt --warmup-updates 0",
        ["--lr-scheduler inverse_sqrt: its options"],
    ),
    (None, "--lr-scheduler manual --update2lr foo", ["--lr-scheduler manual: its options"]),
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
    (None, "--seed=-1", ["--seed is -1: it must be in 0 ... 2^32 - 1"]),
    (None, "--seed 4294967296", ["--seed is 4294967296"]),
    (None, "--batch-size=-4", ["--batch-size is -4: below 0"]),
    (None, "--save-interval 0", ["--save-interval is 0: it must be above 0"]),
    (None, "--shorten-method truncate", ["--shorten-method: not with this task"]),
    (None, "--output-dictionary-size 8", ["--output-dictionary-size: not with this task"]),
    (None, "--checkpoint-suffix=-x", ["--checkpoint-suffix: not with this task"]),
    (None, "--max-target-positions 5", ["--max-target-positions 5", "9 tokens with its end"]),
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
