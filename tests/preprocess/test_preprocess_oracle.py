"""preprocess/oracle.py: what it writes, that fairseq reads it, and what it refuses."""

import importlib.util
import json
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from fairseq.data import Dictionary
from fairseq.tasks.language_modeling import LanguageModelingConfig, LanguageModelingTask
from helpers.commands import program

from fairseq_seqgan.oracle.lstm import OFFSET, Oracle
from fairseq_seqgan.support.errors import InputError

SCRIPT = Path(__file__).resolve().parents[2] / "preprocess" / "oracle.py"
VOCAB, LENGTH = 70, 6
COUNTS = {"train": 30, "valid": 7, "test": 11}  # too few for all 70 words to occur in training
SIZES = f"--vocab-size {VOCAB} --embed-dim 4 --hidden-size 5 --length {LENGTH}".split()
NUMBERS = [word for split, n in COUNTS.items() for word in (f"--num-{split}", str(n))]
FILES = {
    *("dict.txt", "oracle.npz", "stats.json"),
    *(f"{split}.{ending}" for split in COUNTS for ending in ("txt", "bin", "idx")),
}


def run_script(*args, cwd):
    """Run the script as a user does."""
    command = [program("python"), SCRIPT, *map(str, args)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def load_script():
    """Import the script: running its main here saves the seconds of importing fairseq."""
    sys.path.insert(0, str(SCRIPT.parent))
    try:
        spec = importlib.util.spec_from_file_location("preprocess_oracle", SCRIPT)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(SCRIPT.parent))
    return module


script = load_script()


@pytest.fixture
def no_fairseq(monkeypatch):
    """Leave out the one slow step, where the binarized files do not matter."""
    monkeypatch.setattr(script, "binarize", lambda folder, dictionary, dest: None)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The data, made once by the real command from a folder of its own, and what it printed."""
    folder = tmp_path_factory.mktemp("made")
    result = run_script("--dest", "data", "--seed", 3, *SIZES, *NUMBERS, cwd=folder)
    assert result.returncode == 0, result.stderr
    return folder / "data", result.stdout


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def read(folder, split):
    """Return the tokens of a split's text (B, T)."""
    lines = (folder / f"{split}.txt").read_text().splitlines()
    return torch.tensor([[int(word) for word in line.split()] for line in lines])


# --- what it writes


def test_writes_exactly_the_files_of_the_layout(made):
    folder, _ = made
    assert set(contents(folder)) == FILES
    assert [path.name for path in folder.parent.iterdir()] == ["data"]


def test_texts_hold_the_sequences_asked_for(made):
    for split, count in COUNTS.items():
        tokens = read(made[0], split)
        assert tokens.shape == (count, LENGTH)
        assert tokens.min() >= 0
        assert tokens.max() < VOCAB


def test_dictionary_has_every_token_in_order_and_no_other_word(made):
    dictionary = Dictionary.load(str(made[0] / "dict.txt"))
    assert len(dictionary) == VOCAB + OFFSET
    assert [dictionary.index(str(token)) for token in range(VOCAB)] == list(range(4, VOCAB + 4))
    counts = torch.bincount(read(made[0], "train").flatten(), minlength=VOCAB).tolist()
    assert dictionary.count[OFFSET:] == counts
    assert 0 in counts, "the case of a word that never occurs is part of this test"


def test_fairseqs_language_modeling_reads_every_sequence_with_an_eos(made):
    folder, _ = made
    options = {"data": str(folder), "tokens_per_sample": LENGTH + 1, "sample_break_mode": "eos"}
    config = Namespace(**{**vars(LanguageModelingConfig()), **options})
    config.dataset_impl, config.seed, config.use_plasma_view = None, 1, False
    task = LanguageModelingTask.setup_task(config)
    assert len(task.dictionary) == VOCAB + OFFSET
    for split, count in COUNTS.items():
        task.load_dataset(split)
        dataset = task.datasets[split]
        assert len(dataset) == count
        targets = torch.stack([dataset[i]["target"] for i in range(count)])
        assert targets.shape == (count, LENGTH + 1)
        assert torch.equal(targets[:, :-1] - OFFSET, read(folder, split))
        assert (targets[:, -1] == task.dictionary.eos()).all()


def test_statistics_hold_the_sizes_and_the_oracles_own_nll(made):
    folder, printed = made
    stats = json.loads((folder / "stats.json").read_text())
    oracle = Oracle.load(folder / "oracle.npz")
    assert (oracle.vocab_size, oracle.embed_dim, oracle.hidden_size) == (VOCAB, 4, 5)
    sizes = [stats[n] for n in ("vocab_size", "embed_dim", "hidden_size", "length", "seed")]
    assert sizes == [VOCAB, 4, 5, LENGTH, 3]
    assert (stats["oracle"], stats["start_token"]) == ("random", 0)
    for split, count in COUNTS.items():
        numbers = stats["splits"][split]
        nll = oracle.nll(read(folder, split))
        assert numbers["sequences"] == count
        assert numbers["tokens"] == count * LENGTH
        assert numbers["nll_oracle"] == pytest.approx(nll.mean().item(), abs=1e-4)
        error = nll.std().item() / count**0.5
        assert numbers["nll_oracle_standard_error"] == pytest.approx(error, abs=1e-4)
        assert f"{split}: {count} sequences of {LENGTH} tokens" in printed
        assert f"{numbers['nll_oracle']:.3f}" in printed


def test_splits_are_drawn_independently(made):
    folder, _ = made
    tokens = {split: read(folder, split) for split in COUNTS}
    for first, second in (("train", "valid"), ("train", "test"), ("valid", "test")):
        n = COUNTS["valid"]
        assert not (tokens[first][:n] == tokens[second][:n]).all(dim=1).any()
    stats = json.loads((folder / "stats.json").read_text())
    assert len({numbers["generator_seed"] for numbers in stats["splits"].values()}) == 3


def test_same_seed_same_bytes_other_seed_other_bytes(made, tmp_path):
    first = contents(made[0])
    for seed in (3, 4):
        script.main(["--dest", str(tmp_path / str(seed)), "--seed", str(seed), *SIZES, *NUMBERS])
    assert contents(tmp_path / "3") == first
    other = contents(tmp_path / "4")
    # An index holds lengths and positions only, and those are the same.
    assert {name for name in FILES if other[name] == first[name]} == {f"{s}.idx" for s in COUNTS}


def test_size_of_one_split_leaves_the_others_alone(made, tmp_path, no_fairseq):
    numbers = ["--num-train", "5", "--num-valid", "7", "--num-test", "11"]
    script.main(["--dest", str(tmp_path / "d"), "--seed", "3", *SIZES, *numbers])
    for split in ("valid", "test"):
        assert torch.equal(read(tmp_path / "d", split), read(made[0], split))


# --- importing an oracle


def test_saved_oracle_serves_again_with_another_seed(made, tmp_path, no_fairseq):
    folder, _ = made
    options = ["--params", str(folder / "oracle.npz"), "--length", str(LENGTH), *NUMBERS]
    script.main(["--dest", str(tmp_path / "same"), "--seed", "3", *options])
    script.main(["--dest", str(tmp_path / "other"), "--seed", "4", *options])
    same, other, first = contents(tmp_path / "same"), contents(tmp_path / "other"), contents(folder)
    assert same["oracle.npz"] == other["oracle.npz"] == first["oracle.npz"]
    assert same["train.txt"] == first["train.txt"] != other["train.txt"]
    assert json.loads(same["stats.json"])["oracle"] == "imported"


def test_authors_oracle_is_imported(authors_pickle, authors_npz, tmp_path, no_fairseq):
    numbers = ["--num-train", "1000", "--num-valid", "50", "--num-test", "50"]
    for name, path in (("pickle", authors_pickle), ("npz", authors_npz)):
        options = ["--params", str(path), "--vocab-size", "5000", *numbers]
        script.main(["--dest", str(tmp_path / name), *options])
    assert contents(tmp_path / "pickle") == contents(tmp_path / "npz")
    stats = json.loads((tmp_path / "npz" / "stats.json").read_text())
    assert stats["splits"]["train"]["nll_oracle"] == pytest.approx(5.75, abs=0.05)
    assert len((tmp_path / "npz" / "dict.txt").read_text().splitlines()) == 5000


@pytest.mark.parametrize("option", ["--vocab-size", "--embed-dim", "--hidden-size"])
def test_sizes_that_contradict_the_file_are_refused(made, tmp_path, option):
    message = rf"oracle\.npz: its {option[2:].replace('-', '_')} is .* contradicting {option} 9"
    options = ["--params", str(made[0] / "oracle.npz"), option, "9"]
    with pytest.raises(InputError, match=message):
        script.main(["--dest", str(tmp_path / "d"), *options])
    assert list(tmp_path.iterdir()) == []


def test_parameters_that_overflow_are_refused(tmp_path):
    arrays = Oracle.random(5, 2, 2, seed=1).arrays()
    for name in ("bi", "bc", "bo"):
        arrays[name][:] = 50.0  # h is near 1, and the logits are beyond float32
    for name in ("Wout", "bout"):
        arrays[name][:] = 3e38
    np.savez(tmp_path / "large.npz", **arrays)
    with pytest.raises(InputError, match=r"large\.npz: the NLL of its samples is"):
        script.main(["--dest", str(tmp_path / "d"), "--params", str(tmp_path / "large.npz")])


# --- the command and its mistakes


def test_mistake_is_one_line_and_exit_code_1(tmp_path):
    (tmp_path / "bad.pkl").write_bytes(b"not a pickle")
    result = run_script("--dest", "d", "--params", "bad.pkl", cwd=tmp_path)
    assert result.returncode == 2
    assert result.stdout == ""
    line = result.stderr.splitlines()[-1]
    assert line.startswith("error: bad.pkl: not a readable pickle")
    assert "Traceback" not in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["bad.pkl"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", "must be at least 1, not 0"),
        ("-3", "must be at least 1, not -3"),
        ("1000000000000", "is 1000000000000: it must be at most 1,000,000,000"),
    ],
)
@pytest.mark.parametrize(
    "option",
    [
        "--length",
        "--num-train",
        "--num-valid",
        "--num-test",
        "--vocab-size",
        "--embed-dim",
        "--hidden-size",
    ],
)
def test_numbers_out_of_range_are_refused(option, value, expected, tmp_path):
    with pytest.raises(InputError, match=f"{option} {expected}"):
        script.main(["--dest", str(tmp_path / "d"), option, value])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [[], ["--dest", "d", "--length", "x"], ["--dest", "d", "-x"]])
def test_mistakes_that_argparse_finds_exit_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        script.main(arguments)
    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err


# --- the destination


def test_existing_data_is_replaced_only_when_asked(tmp_path, no_fairseq):
    arguments = ["--dest", str(tmp_path / "d"), *SIZES, *NUMBERS]
    (tmp_path / "d").mkdir()  # an empty folder is nobody's
    script.main([*arguments, "--seed", "1"])
    before = contents(tmp_path / "d")
    with pytest.raises(InputError, match="not empty; give --overwrite"):
        script.main([*arguments, "--seed", "2"])
    assert contents(tmp_path / "d") == before
    script.main([*arguments, "--seed", "2", "--overwrite"])
    assert contents(tmp_path / "d") != before
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


@pytest.mark.parametrize("foreign", ["thesis.tex", "checkpoints/", "train.txt/"])
def test_overwriting_never_takes_what_is_not_of_the_script(foreign, tmp_path, no_fairseq):
    path = tmp_path / "d" / foreign
    if foreign.endswith("/"):
        path.mkdir(parents=True)
    else:
        path.parent.mkdir()
        path.write_text("mine")
    with pytest.raises(InputError, match=f"not replaced, because {path.name} in it"):
        script.main(["--dest", str(tmp_path / "d"), "--overwrite", *SIZES, *NUMBERS])
    assert path.exists()


@pytest.mark.parametrize("content", ["{}", '{"files": {}}', "mine"])
def test_overwriting_never_takes_statistics_of_something_else(content, tmp_path, no_fairseq):
    path = tmp_path / "d" / "stats.json"
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(InputError, match=r"not replaced, because stats\.json in it is not as this"):
        script.main(["--dest", str(tmp_path / "d"), "--overwrite", *SIZES, *NUMBERS])
    assert path.read_text() == content


def test_destination_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "d").write_text("mine")
    with pytest.raises(InputError, match="is not a folder"):
        script.main(["--dest", str(tmp_path / "d"), "--overwrite", *SIZES, *NUMBERS])
    with pytest.raises(InputError, match="Not a directory"):
        script.main(["--dest", str(tmp_path / "d" / "e"), *SIZES, *NUMBERS])
    assert (tmp_path / "d").read_text() == "mine"


@pytest.mark.parametrize("error", [InputError("late"), KeyboardInterrupt(), OSError(28, "full")])
def test_failure_at_the_end_leaves_everything_as_it_was(error, tmp_path, monkeypatch, no_fairseq):
    arguments = ["--dest", str(tmp_path / "d"), "--overwrite", *SIZES, *NUMBERS]
    script.main(arguments)
    before = contents(tmp_path / "d")

    def fail(*_):
        raise error

    monkeypatch.setattr(script, "binarize", fail)
    expected = InputError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected):
        script.main([*arguments, "--seed", "2"])
    assert contents(tmp_path / "d") == before
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_failing_last_rename_puts_the_old_data_back(tmp_path, monkeypatch, no_fairseq):
    arguments = ["--dest", str(tmp_path / "d"), "--overwrite", *SIZES, *NUMBERS]
    script.main(arguments)
    before = contents(tmp_path / "d")
    rename, failed = Path.rename, []

    def fail(self, target):
        if Path(target).name == "d" and not failed:  # the new folder's; the old one's comes next
            failed.append(self)
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(InputError, match="Input/output error"):
        script.main(arguments)
    assert contents(tmp_path / "d") == before
    assert [path.name for path in tmp_path.iterdir()] == ["d"]
