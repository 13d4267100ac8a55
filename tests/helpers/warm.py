"""Programs for the tests that need not import fairseq first, which takes seconds each time.

:class:`Warm` makes a folder of programs: ``python``, and those of the environment whose names begin
with ``fairseq-``. Each behaves like the one that it is called after: arguments, folder,
environment, open files, signals, output, exit code. It is a process that asks the one process which
has imported the libraries (``warm_server.py``) to fork. What such a program starts is warm as well,
because its ``sys.executable`` is.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from helpers.warm_program import read_by_python

VARIABLE = "SEQGAN_TESTS_WARM_PROGRAMS"  # the folder, for pytest's workers
HERE = Path(__file__).parent
REAL = Path(sys.executable)


class Warm:
    """The server and its programs, until :meth:`stop`."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="warm-"))
        address = str(self.folder / "socket")
        _write_programs(self.folder / "bin", address)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(address)
        listener.listen(100)
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        self.process = subprocess.Popen(
            [REAL, HERE / "warm_server.py", str(listener.fileno())],
            pass_fds=[listener.fileno()],
            env={**environment, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,  # it ends when this one does, however that comes about
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        listener.close()
        os.environ[VARIABLE] = str(self.folder / "bin")

    def stop(self) -> None:
        """End the server and all that it has forked."""
        self.process.communicate()
        shutil.rmtree(self.folder)
        del os.environ[VARIABLE]


def _write_programs(folder: Path, address: str) -> None:
    folder.mkdir()
    program = folder / "program"
    source = (HERE / "warm_program.py").read_text(encoding="utf-8")
    # Without the packages of the environment, of which it needs none: they are slow to find.
    program.write_text(f"#!{REAL} -IS\n{source}", encoding="utf-8")
    program.chmod(0o700)
    programs = {"python": str(REAL)}
    programs |= {path.name: str(path) for path in REAL.parent.glob("fairseq-*")}
    for name in programs:
        (folder / name).symlink_to(program)
    about = {"address": address, "programs": programs}
    about["read_by_python"] = read_by_python(dict(os.environ))
    (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")


def program(name: str) -> Path:
    """Return the warm program *name*."""
    return Path(os.environ[VARIABLE]) / name
