"""fairseq_seqgan/support/atomic_write.py: whole files and folders, or what was there before."""

import os
from pathlib import Path

import pytest

from fairseq_seqgan.support import atomic_write
from fairseq_seqgan.support.errors import InputError


@pytest.fixture
def calls(monkeypatch) -> list[str]:
    """The flushes and renames in their order."""
    made = []

    def noted(name, function):
        def call(*arguments):
            made.append(name)
            return function(*arguments)

        return call

    monkeypatch.setattr(os, "fsync", noted("flush", os.fsync))
    for name in ("replace", "rename"):
        monkeypatch.setattr(Path, name, noted(name, getattr(Path, name)))
    return made


def test_files_are_flushed_before_the_first_is_renamed(tmp_path, calls):
    atomic_write.write({tmp_path / "a": "春\n", tmp_path / "b": b"\r\n\0"})
    assert calls == ["flush", "flush", "replace", "replace"]
    assert (tmp_path / "a").read_bytes() == "春\n".encode()
    assert (tmp_path / "b").read_bytes() == b"\r\n\0"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_large_file_is_flushed_before_it_is_renamed(tmp_path, calls):
    """And its folder after; what a killed attempt has left beside it is replaced."""
    (tmp_path / "a").write_text("old")
    (tmp_path / "a.tmp").write_text("half of someth")
    atomic_write.write_large(tmp_path / "a", lambda file: file.write(b"new"))
    assert calls == ["flush", "replace", "flush"]
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "new")]


def test_a_large_file_that_fails_leaves_the_old_one(tmp_path):
    def fail(file):
        file.write(b"half")
        raise KeyboardInterrupt

    (tmp_path / "a").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        atomic_write.write_large(tmp_path / "a", fail)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "old")]


@pytest.mark.parametrize(("option", "named"), [("", ""), ("--json", "--json ")])
def test_a_file_that_cannot_be_written_leaves_the_others_alone(tmp_path, option, named):
    (tmp_path / "a").write_text("old")
    contents = {tmp_path / "a": "new", tmp_path / "no" / "b": "new"}
    with pytest.raises(InputError) as caught:
        atomic_write.write(contents, option)
    assert str(caught.value) == f"error: {named}{tmp_path / 'no' / 'b'}: No such file or directory"
    assert (tmp_path / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("name", ["a" * 255, "春" * 85, "a" * 240])
def test_a_name_may_be_as_long_as_the_system_allows(tmp_path, name):
    atomic_write.write({tmp_path / name: "new"})
    atomic_write.write_large(tmp_path / name, lambda file: file.write(b"newer"), own_name=True)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "newer")]
    (tmp_path / name).unlink()
    with atomic_write.new_folder(tmp_path / name, print):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_name_that_is_too_long_is_told_of(tmp_path):
    with pytest.raises(InputError, match="a: File name too long"):
        atomic_write.write({tmp_path / ("a" * 256): "new"}, "--json")
    with pytest.raises(OSError, match="File name too long"):
        atomic_write.write_large(tmp_path / ("a" * 252), lambda file: file.write(b"new"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("existing", [False, True])
def test_a_folder_is_flushed_before_it_is_renamed(tmp_path, calls, existing):
    dest, checked = tmp_path / "d", []
    if existing:
        dest.mkdir()
        (dest / "old").write_text("old")
    with atomic_write.new_folder(dest, checked.append) as folder:
        assert folder.parent == tmp_path
        (folder / "sub").mkdir()
        for name in ("a", "sub/b"):
            (folder / name).write_text(name)
    assert calls == ["flush", "flush", "rename", *(["rename"] if existing else [])]
    assert sorted(path.name for path in dest.rglob("*")) == ["a", "b", "sub"]
    assert list(tmp_path.iterdir()) == [dest]
    assert [path.parent for path in checked] == [tmp_path] * existing


def test_an_error_leaves_the_old_folder(tmp_path):
    dest = tmp_path / "d"
    dest.mkdir()
    (dest / "old").write_text("old")
    with pytest.raises(FileNotFoundError), atomic_write.new_folder(dest, print) as folder:
        (folder / "no" / "new").write_text("new")
    assert [path.name for path in tmp_path.rglob("*")] == ["d", "old"]


def test_a_folder_that_must_not_be_removed_is_moved_back(tmp_path):
    """The check sees what was added while the new folder was being made."""
    dest = tmp_path / "d"
    dest.mkdir()

    def check(folder):
        if any(folder.iterdir()):
            raise InputError("not empty")

    def replace():
        with atomic_write.new_folder(dest, check) as made:
            (made / "new").write_text("new")
            (dest / "thesis").write_text("all my work")

    with pytest.raises(InputError, match="not empty"):
        replace()
    assert [path.name for path in tmp_path.rglob("*")] == ["d", "thesis"]


def test_refusals(tmp_path):
    (tmp_path / "a").write_text("old")
    for path, expected in (
        (tmp_path / "no" / "a", "no/a: there is no such folder"),
        (tmp_path, f"{tmp_path}: is a folder"),
        (tmp_path / "a", "a: exists; give --overwrite to replace it"),
    ):
        with pytest.raises(InputError, match=expected):
            atomic_write.refuse_to_replace([path], overwrite=False)
    atomic_write.refuse_to_replace([tmp_path / "a", tmp_path / "b"], overwrite=True)
    os.mkfifo(tmp_path / "pipe")
    for overwrite in (True, False):
        with pytest.raises(InputError, match="pipe: is no regular file"):
            atomic_write.refuse_to_replace([tmp_path / "pipe"], overwrite)
    (tmp_path / "link").symlink_to("nothing")
    with pytest.raises(InputError, match="link: exists; give --overwrite to replace it"):
        atomic_write.refuse_to_replace([tmp_path / "link"], overwrite=False)
    atomic_write.refuse_to_replace([tmp_path / "link"], overwrite=True)
    with pytest.raises(InputError, match="--json no/a: there is no such folder"):
        atomic_write.require_folder("no/a", "--json")


@pytest.mark.parametrize("other", [(), ("else",)])
def test_a_failed_folder_leaves_no_parents(tmp_path, other):
    """Those that were there stay, and so does one that holds something else by then."""
    parent = tmp_path / "there" / "new"
    parent.parent.mkdir()

    def fail():
        with atomic_write.new_folder(parent / "newer" / "dest", print):
            for name in other:
                (parent / name).touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    left = ["there", "new", "else"] if other else ["there"]
    assert [path.name for path in tmp_path.rglob("*")] == left
