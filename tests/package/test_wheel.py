"""The wheel is complete: unpacked into a fresh environment, it works from another folder.

The environment sees the other packages of this one by a ``.pth`` file, so nothing is downloaded.
"""

import configparser
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from helpers.commands import REPO

pytestmark = pytest.mark.slow

BUILD = "from setuptools.build_meta import build_wheel; print(build_wheel({folder!r}))"
SCRIPT = "#!{python}\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of what it is made of."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md"):
        shutil.copy(REPO / name, source)
    for name in ("fairseq_seqgan", "preprocess"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPO / name, source / name, ignore=ignore)
    code = BUILD.format(folder=str(folder))
    subprocess.run([sys.executable, "-c", code], cwd=source, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The programs of a fresh environment into which the wheel was unpacked."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False)
    packages = next(home.glob("lib/python*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            archive.extract(name, packages)
    # A path file's own path files are not read, so the plugin that is installed here is not found.
    others = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "others.pth").write_text("\n".join(others), encoding="utf-8")
    points = configparser.ConfigParser()
    points.read(next(packages.glob("*.dist-info")) / "entry_points.txt")
    for name, target in points["console_scripts"].items():
        module, function = target.split(":")
        path = home / "bin" / name
        text = SCRIPT.format(python=home / "bin" / "python", module=module, function=function)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o700)
    return home / "bin"


def test_holds_every_file(wheel):
    """All modules of the package and of preprocess/, and what the pages and reports are made of."""
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = set()
    for folder, prefix in (("fairseq_seqgan", ""), ("preprocess", "fairseq_seqgan/")):
        for path in (REPO / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                expected.add(prefix + path.relative_to(REPO).as_posix())
    assert found == expected


def test_works_from_another_folder(installed, tmp_path):
    """``prepare`` reads a text, and the plugin's own files are those of the wheel."""

    def call(*words, code=0):
        done = subprocess.run(
            [installed / words[0], *map(str, words[1:])],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": str(installed), "OMP_NUM_THREADS": "1"},
            timeout=120,
        )
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    place = Path(call("fairseq-seqgan", "user-dir").strip())
    assert installed.parent in place.parents
    lines = [f"{a} {b} {c}\n" for a in "abcde" for b in "abcd" for c in "abc"]
    (tmp_path / "text").write_text("".join(lines), encoding="utf-8")
    said = call("fairseq-seqgan", "prepare", "--train", "text", "--dest", "data")
    assert "note: 51 training sequences, fewer than a batch of 64" in said
    assert (tmp_path / "data" / "train.bin").stat().st_size > 0
    said = call("fairseq-seqgan", "preprocess", "poems", "--source", "x", "--dest", "y", code=2)
    assert said == "error: x: no such file or folder\n"
