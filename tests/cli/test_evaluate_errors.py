"""What ``fairseq-seqgan evaluate`` refuses: one line that names the file, line or option."""

import re
from pathlib import Path

import pytest
import torch
from helpers.commands import run_python
from helpers.evaluate_command import refusal
from helpers.evaluate_data import SAMPLES, UNK, WORDS, binarize, make_data, train, write_samples

from fairseq_seqgan.cli import main
from fairseq_seqgan.oracle.lstm import Oracle
from fairseq_seqgan.support.errors import InputError


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> tuple[Path, Path]:
    """Data and a checkpoint."""
    folder = tmp_path_factory.mktemp("good")
    data = make_data(folder / "data")
    return data, train(data, folder / "model", epochs=1)


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def truncate(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def enlarge_dictionary(case) -> None:
    with (case["data"] / "dict.txt").open("a", encoding="utf-8") as file:
        file.write("another 1\n")


BAD = {
    "unknown word": (lambda c: change(c["samples"], "7 7", "7 x9"), r"samples.txt, line 2: 'x9'"),
    "special symbol": (lambda c: change(c["samples"], "5", "</s>"), r"line 4: '</s>' is a special"),
    "unk for the oracle": (lambda c: change(c["samples"], "5", "<unk>"), r"line 4: <unk>"),
    "other length": (lambda c: change(c["samples"], " 3\n", "\n"), r"line 1: 3 tokens.* have 4"),
    "blank line": (lambda c: change(c["samples"], "7 7 7 7", ""), r"line 2: 0 tokens"),
    "empty samples": (lambda c: c["samples"].write_text(""), r"samples.txt: is empty"),
    "no samples": (lambda c: c["samples"].unlink(), r"samples.txt: cannot be read"),
    "not text": (lambda c: c["samples"].write_bytes(b"\xff\xfe1 2"), r"samples.txt: cannot be rea"),
    "malformed hypothesis": (
        lambda c: c["samples"].write_text("H-0\t-1.0\t1 2 3 4\nH-1\t-1.0\n"),
        r"samples.txt, line 2: not H-<id>",
    ),
    "no oracle": (lambda c: c["oracle"].unlink(), r"oracle.npz: "),
    "truncated oracle": (lambda c: truncate(c["oracle"], 0.5), r"oracle.npz: "),
    "oracle of other size": (
        lambda c: Oracle.random(WORDS + 1, 4, 5, seed=1).save(c["oracle"]),
        r"oracle.npz: an oracle of 9 words, .* has 8",
    ),
    "no checkpoint": (lambda c: c["model"].unlink(), r"model.pt: no such checkpoint"),
    "truncated checkpoint": (lambda c: truncate(c["model"], 0.6), r"model.pt: .*truncated"),
    "empty checkpoint": (lambda c: c["model"].write_bytes(b""), r"model.pt: .*truncated"),
    "no language model": (
        lambda c: torch.save({"model": {}, "cfg": {"task": {}}}, c["model"]),
        r"model.pt: no language model",
    ),
    "no data": (lambda c: c.update(data=c["data"] / "nowhere"), r"nowhere: no such folder"),
    "no dictionary": (lambda c: (c["data"] / "dict.txt").unlink(), r"dict.txt: missing"),
    "broken dictionary": (
        lambda c: (c["data"] / "dict.txt").write_text("a b c\nword\n"),
        r"dict.txt: not a",
    ),
    "no training data": (lambda c: (c["data"] / "train.bin").unlink(), r"train.bin: missing"),
    "no held-out data": (lambda c: (c["data"] / "test.bin").unlink(), r"test.bin: missing"),
    "truncated data": (lambda c: truncate(c["data"] / "test.bin", 0.5), r"test.bin.*truncated"),
    "truncated index": (lambda c: truncate(c["data"] / "test.idx", 0.3), r"test..*truncated"),
    "empty split": (lambda c: binarize(c["data"], "test", []), r"test.*empty"),
    "empty split, older format": (
        lambda c: binarize(c["data"], "test", [], impl="cached"),
        r"test.idx: split 'test' is empty",
    ),
    "ids beyond the dictionary": (
        lambda c: binarize(c["data"], "test", [[4, 5, 6, 4000]]),
        r"test.bin: holds the symbol 4000, but dict.txt .* a dictionary of 12 symbols",
    ),
    "held-out lengths differ": (
        lambda c: binarize(c["data"], "test", [[4, 5, 6, 7], [4, 5]]),
        r"split 'test' have 2 to 4 tokens",
    ),
    "held-out unk": (
        lambda c: binarize(c["data"], "test", [[4, 5, UNK, 7]]),
        r"split 'test' holds a special symbol",
    ),
    "held-out is empty": (
        lambda c: binarize(c["data"], "test", [[], []]),
        r"split 'test' holds nothing but empty",
    ),
}


@pytest.fixture
def case(good, tmp_path) -> dict:
    """A copy of everything that a user gives, to be spoilt."""
    data, model = good
    folder = tmp_path / "data"
    folder.mkdir()
    for path in data.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (tmp_path / "model.pt").write_bytes(model.read_bytes())
    return {
        "samples": write_samples(tmp_path / "samples.txt", SAMPLES),
        "data": folder,
        "oracle": folder / "oracle.npz",
        "model": tmp_path / "model.pt",
    }


def arguments(case: dict, *more: object) -> list[str]:
    given = [str(part) for key, path in case.items() for part in (f"--{key}", path)]
    return [*given, "--num-eval-samples", "10", *map(str, more)]


def test_the_unspoilt_case_is_accepted(case):
    assert main(["evaluate", *arguments(case)]) == 0


@pytest.mark.parametrize(("spoil", "expected"), BAD.values(), ids=BAD)
def test_bad_file(case, capsys, spoil, expected):
    spoil(case)
    message = refusal(capsys, *arguments(case))
    assert re.search(expected, message), message


def test_checkpoint_of_another_dictionary(case, capsys):
    enlarge_dictionary(case)
    del case["oracle"]
    message = refusal(capsys, *arguments(case))
    assert "model.pt: trained with a dictionary of 12 symbols, the data has 13" in message


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        (["--fixed-length", 5], "--fixed-length 5: sequence 1 of split 'test' has 4 tokens"),
        (["--fixed-length", -1], "--fixed-length is -1"),
        (["--temperature", 0], "--temperature is 0"),
        (["--num-eval-samples", 0], "--num-eval-samples is 0"),
        (["--ngram", 0], "--ngram is 0"),
        (["--self-bleu-order", 0], "--self-bleu-order is 0"),
        (["--self-bleu-order", 101], "--self-bleu-order is 101: it must be at most 100"),
        (["--bleu", 2, 10**20], f"--bleu is {10**20}: it must be at most 100"),
        (["--num-eval-samples", 10**20], f"--num-eval-samples is {10**20}: it must be at most"),
        (["--self-bleu-samples", 1], "--self-bleu-samples is 1: at least 2"),
        (["--per-sample", "no/such/folder/x.npz"], "--per-sample no/such/folder/x.npz"),
        (["--valid-subset", "dev"], "there is no split 'dev'"),
        (["--json", "no/such/folder/out.json"], "--json no/such/folder/out.json"),
    ],
)
def test_bad_option(case, capsys, option, expected):
    assert expected in refusal(capsys, *arguments(case, *option))


@pytest.mark.parametrize("option", ["--json", "--per-sample"])
def test_file_that_cannot_be_written(case, tmp_path, option):
    before = sorted(tmp_path.parent.iterdir())
    with pytest.raises(InputError, match=rf"{option} .*: is a folder"):
        main(["evaluate", *arguments(case, option, tmp_path)])
    assert sorted(tmp_path.parent.iterdir()) == before


@pytest.mark.parametrize("option", ["--json", "--per-sample"])
def test_a_file_that_is_there_stays(case, tmp_path, capsys, option):
    """Without --overwrite, whatever it is; before any work."""
    (tmp_path / "thesis.tex").write_text("all my work")
    message = refusal(capsys, *arguments(case, option, tmp_path / "thesis.tex"))
    assert f"{option} {tmp_path / 'thesis.tex'}: exists; give --overwrite to replace it" in message
    assert (tmp_path / "thesis.tex").read_text() == "all my work"


def test_outputs_are_two_files(case, tmp_path, capsys):
    """Under two names as well; before any work."""
    (tmp_path / "here").symlink_to(tmp_path)
    both = ["--json", tmp_path / "new", "--per-sample", tmp_path / "here" / "new"]
    message = refusal(capsys, *arguments(case, *both, "--overwrite"))
    assert message.endswith(f"{both[3]}: --json names the same file; give another file")


@pytest.mark.parametrize(
    "name", ["samples", "oracle", "model", "discriminator", "judge", "ensemble"]
)
def test_an_input_is_no_output(case, capsys, name):
    path = case[name if name in case else "model"]
    before, more = path.read_bytes(), [] if name in case else [f"--{name}", path]
    message = refusal(capsys, *arguments(case, *more, "--json", path, "--overwrite"))
    assert message.endswith(f"--json {path}: the command reads it; give another file")
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["dict.txt", "train.bin", "test.idx"])
def test_the_data_are_no_output(case, capsys, name):
    path = case["data"] / name
    before = path.read_bytes()
    message = refusal(capsys, *arguments(case, "--json", path, "--overwrite"))
    assert message.endswith(f"--json {path}: the command reads it; give another file")
    assert path.read_bytes() == before


def test_per_sample_needs_an_oracle(case, tmp_path, capsys):
    del case["oracle"]
    message = refusal(capsys, *arguments(case, "--per-sample", tmp_path / "scores.npz"))
    assert "--per-sample needs --oracle" in message


def test_sequences_too_long_for_the_model(case, capsys, monkeypatch):
    from fairseq.models import FairseqLanguageModel

    monkeypatch.setattr(FairseqLanguageModel, "max_positions", lambda self: 3)
    message = refusal(capsys, *arguments(case))
    assert "model.pt: the model takes 3 tokens, split 'test' needs 4" in message


@pytest.mark.slow
def test_a_refusal_as_the_user_sees_it(case):
    """Exit status 1, the line at the end of stderr, and no traceback."""
    case["samples"].unlink()
    result = run_python("-m", "fairseq_seqgan.cli", "evaluate", *arguments(case), cwd=Path.cwd())
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1].startswith(f"error: {case['samples']}: cannot be read")
    assert "Traceback" not in result.output
