"""``fairseq-seqgan export``: what stock fairseq does with the result, the plugin being absent."""

import math

import pytest
import torch
from helpers.commands import differences, load, run, run_python

from fairseq_seqgan import cli
from fairseq_seqgan.support.errors import InputError

# Runs a command of stock fairseq, and fails if it imports the plugin.
STOCK = """
import importlib, sys
sys.modules["fairseq_seqgan"] = None
command, *sys.argv[1:] = sys.argv[1:]
importlib.import_module("fairseq_cli." + command).cli_main()
"""
PYTHON = """
import sys
sys.modules["fairseq_seqgan"] = None
from fairseq.models.lstm_lm import LSTMLanguageModel
model = LSTMLanguageModel.from_pretrained(sys.argv[1])
assert type(model.task).__name__ == "LanguageModelingTask"
print(float(model.score("7 3")["score"]))
print(model.sample("7 3", beam=1, max_len_b=8))
"""


@pytest.fixture(scope="module")
def exported(played, tmp_path_factory):
    """The generator of an adversarial training, exported by the command."""
    folder = tmp_path_factory.mktemp("exported") / "lm"
    run("fairseq-seqgan", "export", played.last, folder).check()
    return folder


def test_the_weights_stay_and_the_rest_goes(exported, played):
    before, after = load(played.last), load(exported / "model.pt")
    assert differences(before["model"], after["model"]) == []
    assert after["criterion"] is None and after["last_optimizer_state"] is None
    assert after["cfg"]["task"]["_name"] == "language_modeling"
    assert not {"rollouts", "reward", "g_steps"}.intersection(after["cfg"]["task"])
    assert (exported / "model.pt").stat().st_size < played.last.stat().st_size / 2
    assert {path.name for path in exported.iterdir()} == {"model.pt", "dict.txt"}


@pytest.mark.parametrize(
    ("command", "options", "expected"),
    [
        ("validate", "--valid-subset test --batch-size 8", "valid on 'test' subset | loss"),
        ("generate", "--gen-subset test --max-len-b 12", "Translated 50 sentences"),
        ("eval_lm", "--gen-subset test --tokens-per-sample 9", "Evaluated 450 tokens"),
        (
            "train",
            "--arch lstm_lm --decoder-embed-dim 16 --decoder-hidden-size 16 --dropout 0.1 "
            "--decoder-out-embed-dim 16 --max-update 1 --batch-size 8 --optimizer sgd --lr 0.1 "
            "--tokens-per-sample 9 --no-save",
            "num_updates 1",
        ),
    ],
)
def test_stock_commands(command, options, expected, data, exported, tmp_path):
    place = "--finetune-from-model" if command == "train" else "--path"
    arguments = [data, "--task", "language_modeling", place, exported / "model.pt", "--cpu"]
    arguments += ["--sample-break-mode", "eos", "--required-batch-size-multiple", 1]
    arguments += ["--num-workers", 0, *options.split()]
    result = run_python("-c", STOCK, command, *arguments, cwd=tmp_path).check()
    assert expected in result.output


def test_stock_validation_measures_what_ours_does(data, exported, played, tmp_path):
    """The loss of the exported model is that of the checkpoint."""
    options = ["--valid-subset", "test", "--batch-size", 8, "--cpu", "--num-workers", 0]
    stock = ["--task", "language_modeling", "--required-batch-size-multiple", 1]
    stock = [*stock, "--path", exported / "model.pt"]
    ours = ["--task", "seqgan", "--user-dir", cli.__path__[0] + "/..", "--path", played.last]
    losses = []
    for program, kind in (
        (("-c", STOCK, "validate"), stock),
        (("-m", "fairseq_cli.validate"), ours),
    ):
        result = run_python(*program, data, *options, *kind, cwd=tmp_path).check()
        shown = next(line for line in result.output.splitlines() if "'test' subset | " in line)
        losses.append(shown)
    nll = float(losses[1].split("| nll ")[1].split()[0])
    # fairseq counts the end symbol behind the 8 tokens, in bits.
    bits = float(losses[0].split("| loss ")[1].split()[0])
    assert bits > 0 and nll > 0 and abs(bits * math.log(2) - nll) < 0.5


def test_from_pretrained_needs_no_other_name(exported, tmp_path):
    lines = run_python("-c", PYTHON, exported, cwd=tmp_path).check().stdout.splitlines()
    assert float(lines[0]) < 0 and lines[1].split()[:2] == ["7", "3"]


def test_a_file_alone(played, tmp_path):
    cli.main(["export", str(played.last), str(tmp_path / "lm.pt")])
    assert differences(load(played.last)["model"], load(tmp_path / "lm.pt")["model"]) == []


def test_what_stands_beside_it_stays(played, tmp_path):
    (tmp_path / "lm.pt.tmp").write_text("mine", encoding="utf-8")
    cli.main(["export", str(played.last), str(tmp_path / "lm.pt")])
    assert (tmp_path / "lm.pt.tmp").read_text(encoding="utf-8") == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lm.pt", "lm.pt.tmp"]


@pytest.mark.parametrize("ours", [True, False])
def test_a_task_of_another_name_is_known_by_what_it_has_stored(ours, played, exported, tmp_path):
    """A user's subclass of the task stores what ours does; another may be no language model."""
    state = load(played.last)
    state["cfg"]["task"]["_name"] = "my_task"
    if not ours:
        del state["extra_state"]["SeqGANTask"]
    torch.save(state, tmp_path / "mine.pt")
    arguments = ["export", str(tmp_path / "mine.pt"), str(tmp_path / "lm")]
    if ours:
        cli.main(arguments)
        assert differences(load(tmp_path / "lm" / "model.pt"), load(exported / "model.pt")) == []
    else:
        with pytest.raises(InputError, match="trained with task 'my_task'"):
            cli.main(arguments)


def test_pieces_go_along(text, tmp_path, pretrained, data):
    """fairseq's from_pretrained finds the model of sentencepiece under this name."""
    folder = tmp_path / "data"
    folder.mkdir()
    for name in ("dict.txt",):
        (folder / name).write_bytes((data / name).read_bytes())
    (folder / "sentencepiece.model").write_bytes(b"a model")
    out = tmp_path / "lm"
    cli.main(["export", str(pretrained.best), str(out), "--data", str(folder)])
    assert (out / "sentencepiece.bpe.model").read_bytes() == b"a model"
    assert load(out / "model.pt")["cfg"]["bpe"]["_name"] == "sentencepiece"


def test_nothing_is_overwritten(played, tmp_path):
    for name in ("lm.pt", "folder"):
        out = tmp_path / name
        out.mkdir() if name == "folder" else out.write_text("mine", encoding="utf-8")
        with pytest.raises(InputError, match=f"{name}: exists; nothing is overwritten"):
            cli.main(["export", str(played.last), str(out)])
    assert (tmp_path / "lm.pt").read_text(encoding="utf-8") == "mine"
    assert list((tmp_path / "folder").iterdir()) == []


def test_mistakes(played, data, text, tmp_path):
    torch.save([torch.ones(3)], tmp_path.parent / "list.pt")
    for arguments, message in (
        ([tmp_path.parent / "list.pt", tmp_path / "lm"], "it holds a list"),
        ([played.last, tmp_path / "lm", "--data", f"{data}:{data}"], "one folder is needed"),
        ([tmp_path / "none.pt", tmp_path / "lm"], "none.pt: no such checkpoint"),
        ([played.last, tmp_path / "lm", "--data", text], "trained with a dictionary of 54 symbols"),
        ([played.last, tmp_path / "a" / "lm.pt"], "there is no such folder"),
    ):
        with pytest.raises(InputError, match=message):
            cli.main(["export", *map(str, arguments)])
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_whose_options_are_none(pretrained, tmp_path):
    """Without --data, the folder is looked for in them."""
    state = load(pretrained.best) | {"cfg": "none"}
    torch.save(state, tmp_path / "part.pt")
    with pytest.raises(InputError, match=r"part\.pt: names no data folder"):
        cli.main(["export", str(tmp_path / "part.pt"), str(tmp_path / "lm")])


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("model", "its 'cfg' holds no options of 'model'"),
        ("common", "its 'cfg' holds no options of 'common'"),
        ("task", "trained with task 'None', which is no language model"),
        ("history", "its 'optimizer_history' does not say 'num_updates'"),
    ],
)
def test_a_checkpoint_that_lacks_a_part(part, expected, pretrained, data, tmp_path):
    state = load(pretrained.best)
    if part == "history":
        state["optimizer_history"] = []
    else:
        state["cfg"][part] = None
    torch.save(state, tmp_path / "part.pt")
    with pytest.raises(InputError, match=f"part.pt: {expected}"):
        cli.main(["export", str(tmp_path / "part.pt"), str(tmp_path / "lm"), "--data", str(data)])
    assert not (tmp_path / "lm").exists()
