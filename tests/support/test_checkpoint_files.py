"""A checkpoint file is whole, or it is found not to be; a write that fails changes nothing."""

import random
import resource
from contextlib import contextmanager

import pytest
import torch
from helpers.commands import differences

from fairseq_seqgan.support import checkpoint_files
from fairseq_seqgan.support.checkpoint_files import newest_whole, read_checkpoint, whole_last
from fairseq_seqgan.support.errors import InputError


def state(updates=1, size=300):
    weights = torch.randn(size, generator=torch.Generator().manual_seed(updates))
    return {"model": {"w": weights}, "optimizer_history": [{"num_updates": updates}]}


@pytest.fixture
def checkpoint(tmp_path):
    """A small checkpoint."""
    path = tmp_path / "checkpoint_last.pt"
    checkpoint_files.save(state(), str(path))
    return path


def read_or_refused(path):
    """Return what is read from *path*, or the line of the error."""
    try:
        return read_checkpoint(path)
    except InputError as error:
        return str(error)


def test_no_flipped_bit_changes_what_is_read(checkpoint):
    """Of 1000 bits at random, and all of one weight: an error, or the contents are unchanged."""
    content, rng = checkpoint.read_bytes(), random.Random(1)
    weight = content.find(state()["model"]["w"][:1].numpy().tobytes())
    bits = [rng.randrange(8 * len(content)) for _ in range(1000)]
    bits += range(8 * weight, 8 * weight + 32)
    found = []
    for bit in bits:
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        checkpoint.write_bytes(damaged)
        outcome = read_or_refused(checkpoint)
        if isinstance(outcome, str):
            assert outcome.startswith(f"error: {checkpoint}: ")
            found.append(bit)
        else:
            assert differences(outcome, state()) == []
    assert set(bits[1000:]) <= set(found)
    assert len(found) > 300  # the others are padding


def test_no_shortened_file_is_read(checkpoint):
    content = checkpoint.read_bytes()
    for size in [*range(0, len(content), 61), len(content) - 1]:
        checkpoint.write_bytes(content[:size])
        with pytest.raises(InputError, match=r"perhaps truncated$"):
            read_checkpoint(checkpoint)


@pytest.mark.parametrize("zipped", [True, False])
def test_no_checksum_is_no_error(zipped, tmp_path):
    """Files of old formats, or written without checksums, are read."""
    path = tmp_path / "checkpoint.pt"
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(state(), path, _use_new_zipfile_serialization=zipped)
    finally:
        torch.serialization.set_crc32_options(True)
    assert differences(read_checkpoint(path), state()) == []


def test_newest(tmp_path):
    """By updates, not by name or time, among fairseq's names, and not a damaged one."""
    last = tmp_path / "checkpoint_last.pt"
    assert newest_whole(tmp_path, last) is None
    saves = {
        "checkpoint.best_loss_1.2340.pt": 4,
        "checkpoint_best.pt": 3,
        "checkpoint_3_30.pt": 30,
        "checkpoint2.pt": 20,
        "checkpoint_1_9.pt": 9,
        "checkpoint_last.pt": 40,
        "checkpoint_mine.pt": 50,
    }
    for name, updates in saves.items():
        checkpoint_files.save(state(updates), str(tmp_path / name))
    assert whole_last(tmp_path) == last
    torch.save([1, 2], last)  # another program's, and whole
    (tmp_path / "checkpoint_4_70.pt").write_bytes(b"")
    torch.save({"model": {}}, tmp_path / "checkpoint9.pt")
    expected = ["checkpoint_3_30.pt", "checkpoint2.pt", "checkpoint_1_9.pt"]
    expected += ["checkpoint.best_loss_1.2340.pt", "checkpoint_best.pt"]
    for name in expected:
        assert newest_whole(tmp_path, last) == tmp_path / name
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[:-1])
    assert newest_whole(tmp_path, last) is None


@contextmanager
def no_larger_than(size):
    """Let this process write no file beyond *size* bytes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [0, 1, 1000, 5000, 41000])
@pytest.mark.parametrize("how", ["save", "copy"])
def test_full_disk(how, size, checkpoint, tmp_path):
    """An error that names file and reason; what was there is there, and nothing more."""
    source = tmp_path / "checkpoint_1_2.pt"
    checkpoint_files.save(state(2, size=10000), str(source))
    before = checkpoint.read_bytes()
    argument = state(2, size=10000) if how == "save" else str(source)
    with (
        no_larger_than(size),
        pytest.raises(InputError, match=rf"{checkpoint}: cannot be written \(File too large\)"),
    ):
        getattr(checkpoint_files, how)(argument, str(checkpoint))
    assert checkpoint.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [source.name, checkpoint.name]
    with no_larger_than(size), pytest.raises(InputError) as error:
        checkpoint_files.save(state(2, size=10000), str(tmp_path / "exported.pt"), resumes=False)
    assert str(error.value).endswith("exported.pt: cannot be written (File too large)")
    getattr(checkpoint_files, how)(argument, str(checkpoint))
    assert differences(read_checkpoint(checkpoint), state(2, size=10000)) == []


def test_a_copy_is_a_file_of_its_own(checkpoint, tmp_path):
    """Damage to one of them is not damage to both."""
    other = tmp_path / "checkpoint_best.pt"
    checkpoint_files.copy(str(checkpoint), str(other))
    with checkpoint.open("r+b") as file:
        file.truncate(10)
    assert differences(read_checkpoint(other), state()) == []
