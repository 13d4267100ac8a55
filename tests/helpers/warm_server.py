"""The process that the tests' warm programs are forked from; it has imported fairseq already.

    python tests/helpers/warm_server.py NUMBER

File NUMBER is the Unix socket on which it listens for the programs that ``warm.py`` makes. Such a
program sends its arguments, folder, environment and open files, and waits. This process forks. The
child runs what the program asked for, with the ``sys.path`` and ``sys.argv`` of a new process, and
the program exits as the child does. If the program is killed, so is the child.

Only libraries are imported in advance. The plugin is not, because the tests of ``--user-dir`` are
about its import, and ``fairseq_cli`` is not, because its import sets up logging. A forked process
differs from a new one in two ways: it cannot fail to import a library, and all processes of a
session share the seed of Python's string hashes. So some tests start real programs.

The server ends when its standard input does, which is when the tests end.
"""

import atexit
import contextlib
import fcntl
import gc
import io
import json
import logging
import os
import runpy
import selectors
import signal
import socket
import sys
import types
from pathlib import Path

LIBRARIES = (
    "fairseq.checkpoint_utils",
    "fairseq.options",
    "fairseq.sequence_generator",
    "fairseq.tasks",
    "fairseq.trainer",
    "hydra.experimental",
    "matplotlib.backends.backend_agg",
    "matplotlib.pyplot",
    "mido",
    "pandas",
    "requests",
    "sacrebleu",
    "scipy.stats",
    "sklearn.metrics",
    "torch._dynamo",  # which the first optimizer imports
    "yaml",
)


def preload() -> None:
    """Import the libraries; leave logging as a new process has it."""
    logging.disable(logging.INFO)
    for name in LIBRARIES:
        with contextlib.suppress(ImportError):  # one that is missing is missed by its program
            __import__(name)
    with contextlib.suppress(ImportError):
        from hydra.core.override_parser.overrides_parser import OverridesParser

        # Its grammar is learnt from what it reads, in half a second.
        forms = ["a=b", "a.b=1", "a.b='c d'", "a.b=null", "a.b=true", "a.b=0.1", "a.b=[1,2]"]
        OverridesParser.create().parse_overrides(forms)
    logging.disable(logging.NOTSET)
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
    gc.collect()
    gc.freeze()  # the collector of a child would copy every page it looks at


class Server:
    """Forks a child for every program that connects to *listener*."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.children: dict[int, socket.socket | None] = {}
        self.loaded = False
        self.selector = selectors.DefaultSelector()
        self.woken, self.waker = socket.socketpair()
        self.woken.setblocking(False)
        self.waker.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.waker.fileno(), warn_on_full_buffer=False)
        for source in (self.listener, self.woken, sys.stdin):
            self.selector.register(source, selectors.EVENT_READ)

    def serve(self) -> dict | None:
        """Serve until the tests end, and return None; in a child, return what it is to be."""
        while True:
            for key, _ in self.selector.select():
                source = key.fileobj
                if source is self.listener:
                    request = self._accept()
                    if request is not None:
                        return request
                elif source is self.woken:
                    self._reap()
                elif source is sys.stdin:
                    for child in self.children:
                        self._kill(child)
                    return None
                elif source in self.children.values():
                    self._abandon(source)

    def _accept(self) -> dict | None:
        """Fork for the next program; return its request in the child."""
        connection, _ = self.listener.accept()
        if not self.loaded:
            preload()
            self.loaded = True
        header, files, _, _ = socket.recv_fds(connection, 8, 250)
        size = int.from_bytes(header, "big")
        body = b""
        while header and len(body) < size:
            part = connection.recv(size - len(body))
            if not part:
                break
            body += part
        child = os.fork() if header and len(body) == size else -1
        if child == 0:
            for each in (connection, *filter(None, self.children.values())):
                each.close()
            self._close()
            return {**json.loads(body), "files": files}
        for file in files:
            os.close(file)
        if child < 0:  # it was killed before it had said what it was
            connection.close()
            return None
        with contextlib.suppress(OSError):  # the child does the same: whoever is first
            os.setpgid(child, child)
        self.children[child] = connection
        self.selector.register(connection, selectors.EVENT_READ)
        with contextlib.suppress(OSError):
            connection.sendall(child.to_bytes(8, "big"))
        return None

    def _close(self) -> None:
        """Let go, in a child, of all that is the server's."""
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self.selector.close()
        for each in (self.listener, self.woken, self.waker):
            each.close()

    def _reap(self) -> None:
        """Tell the programs whose children have ended how they did."""
        with contextlib.suppress(BlockingIOError):
            while self.woken.recv(4096):
                pass
        while self.children:
            child, status = os.waitpid(-1, os.WNOHANG)
            if not child:
                break
            connection = self.children.pop(child)
            if connection is not None:
                self.selector.unregister(connection)
                with contextlib.suppress(OSError):
                    connection.sendall(status.to_bytes(8, "big"))
                connection.close()

    def _abandon(self, connection: socket.socket) -> None:
        """Kill the child of a program that was killed, and what the child has started."""
        self.selector.unregister(connection)
        connection.close()
        for child, waiting in self.children.items():
            if waiting is connection:
                self.children[child] = None
                self._kill(child)

    @staticmethod
    def _kill(child: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)


def become(request: dict, paths: list[str]) -> None:
    """Take over the files, the folder, the environment and the arguments of *request*.

    Args:
        paths: ``sys.path`` of a new process.
    """
    targets = request["numbers"]
    # First out of the way of the numbers that they are to have.
    moved = [_above(file, max([2, *targets])) for file in request["files"]]
    for file, number in zip(moved, targets, strict=True):
        os.dup2(file, number, inheritable=True)
        os.close(file)
    os.chdir(request["cwd"])
    os.umask(request["umask"])
    os.environ.clear()
    os.environ.update(request["env"])
    added = os.environ.get("PYTHONPATH")
    sys.path[:] = [*(added.split(os.pathsep) if added else []), *paths]
    sys.executable = request["python"]
    sys.argv = request["argv"]
    if os.environ.get("PYTHONUNBUFFERED"):
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            file = open(stream.fileno(), "wb", 0, closefd=False)  # noqa: SIM115
            about = {"encoding": stream.encoding, "errors": stream.errors}
            setattr(sys, name, io.TextIOWrapper(file, write_through=True, **about))
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    if "torch" in sys.modules:
        threads = os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0))
        sys.modules["torch"].set_num_threads(int(threads))


def _above(file: int, number: int) -> int:
    """Return a duplicate of *file* that is higher than *number*; close *file*."""
    moved = fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, number + 1)
    os.close(file)
    return moved


def execute(kind: str, what: str) -> None:
    """Run a ``script``, a ``module`` (``-m``) or ``code`` (``-c``) as the interpreter does."""
    if kind == "module":
        sys.path.insert(0, str(Path.cwd()))
        runpy.run_module(what, run_name="__main__", alter_sys=True)
        return
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    if kind == "script":
        path = Path.cwd() / what
        sys.path.insert(0, str(path.resolve().parent))
        main.__file__, code = str(path), path.read_bytes()
    else:
        sys.path.insert(0, "")
        path, code = "<string>", what
    exec(compile(code, path, "exec", dont_inherit=True), main.__dict__)


class Ending:
    """Ends a child as the interpreter would, but skips the teardown of all imported modules.

    That teardown takes longer than most of the programs. The interpreter calls this object last:
    after it has reported an exception, joined the threads and called the other exit functions.
    """

    def __init__(self) -> None:
        self.child, self.exception = False, None
        atexit.register(self)

    def __call__(self) -> None:
        if not self.child:
            return
        sys.stdout.flush()  # should this fail, the interpreter says so
        sys.stderr.flush()
        if isinstance(self.exception, KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        code = 0 if self.exception is None else 1
        if isinstance(self.exception, SystemExit):
            code = self.exception.code
            code = 0 if code is None else code if isinstance(code, int) else 1
        os._exit(code & 0xFF)


if __name__ == "__main__":
    ENDING, PATHS = Ending(), sys.path[1:]
    found = Server(socket.socket(fileno=int(sys.argv[1]))).serve()
    if found is not None:
        ENDING.child = True
        become(found, PATHS)
        try:
            execute(found["kind"], found["what"])
        except BaseException as error:
            ENDING.exception = error
            raise  # to the interpreter, which reports it
