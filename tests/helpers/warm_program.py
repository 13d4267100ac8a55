"""What stands in for ``python`` and ``fairseq-...``: it asks the warm server for such a process.

``warm.py`` makes a folder of links to a copy of this file, each called like the program that it
stands for, with ``about.json`` beside them. It starts in a few hundredths of a second, so it
imports as little as it can. Where a forked process would differ from a new one, because of an
option of Python or of an environment variable that Python reads when it starts, it becomes the real
program.
"""

import json
import os
import signal
import socket
import sys
from contextlib import suppress

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def meaning(name: str, real: str, arguments: list[str]) -> dict | None:
    """Return what is to be run, and its ``sys.argv``; None where only Python itself can say."""
    if name != "python":
        return {"kind": "script", "what": real, "argv": [real, *arguments]}
    if arguments[:1] == ["-m"] and len(arguments) > 1:
        return {"kind": "module", "what": arguments[1], "argv": arguments[1:]}
    if arguments[:1] == ["-c"] and len(arguments) > 1:
        return {"kind": "code", "what": arguments[1], "argv": ["-c", *arguments[2:]]}
    if arguments and not arguments[0].startswith("-"):
        return {"kind": "script", "what": arguments[0], "argv": arguments}
    return None


def read_by_python(environment: dict[str, str]) -> dict[str, str]:
    """Return the variables that the interpreter reads when it starts, and only then."""
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(("PYTHON", "LC_", "LANG"))
        # PYTHON is the run.sh's own; the other two are done after the fork.
        and name not in ("PYTHON", "PYTHONPATH", "PYTHONUNBUFFERED")
    }


def inherited() -> list[int]:
    """Return the numbers of the open files that this process was started with."""
    found = []
    for number in map(int, os.listdir("/dev/fd")):  # noqa: PTH208  (pathlib takes long to import)
        with suppress(OSError):  # that of the list itself, which is closed by now
            if os.get_inheritable(number):
                found.append(number)
    return found


def request(meant: dict, python: str) -> dict:
    """Return all that a process is started with, but for the files themselves."""
    umask = os.umask(0)
    os.umask(umask)
    started = {"cwd": os.getcwd(), "umask": umask, "env": dict(os.environ)}  # noqa: PTH109
    return {**meant, **started, "python": python, "numbers": inherited()}


def ask(address: str, asked: dict) -> int:
    """Have the server fork for *asked*, hand on signals, and return the child's wait status."""
    body = json.dumps(asked).encode()
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(address)
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)  # until the child can be told
    socket.send_fds(connection, [len(body).to_bytes(8, "big")], asked["numbers"])
    connection.sendall(body)
    child = int.from_bytes(answer(connection), "big")

    def forward(number: int, _: object) -> None:
        with suppress(ProcessLookupError):  # it has just ended
            os.kill(child, number)

    for number in FORWARDED:
        signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    for number in asked["numbers"]:  # who reads from a pipe must see when the child closes it
        os.close(number)
    return int.from_bytes(answer(connection), "big")


def answer(connection: socket.socket) -> bytes:
    """Return what the server says next."""
    said = connection.recv(8)
    if not said:
        raise SystemExit("the server of the warm programs has ended")
    return said


def end_like(status: int) -> None:
    """End this process as the child ended."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))


def main() -> None:
    """Run the program that this file is called after."""
    folder, name = os.path.split(sys.argv[0])
    with open(os.path.join(folder, "about.json"), encoding="utf-8") as file:  # noqa: PTH118, PTH123
        about = json.load(file)
    real = about["programs"][name]
    meant = meaning(name, real, sys.argv[1:])
    if meant is None or read_by_python(dict(os.environ)) != about["read_by_python"]:
        os.execv(real, [real, *sys.argv[1:]])
    python = os.path.join(folder, "python")  # noqa: PTH118
    end_like(ask(about["address"], request(meant, python)))


if __name__ == "__main__":
    main()
