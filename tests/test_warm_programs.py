"""The warm programs that most tests start behave as the real ones do."""

import os
import signal
import subprocess
import time

import pytest
from helpers.commands import PLUGIN, program, run

SEEN = """
import json, os, signal, sys, multiprocessing
print(json.dumps({
    "argv": sys.argv, "path": sys.path, "name": __name__, "file": globals().get("__file__"),
    "cwd": os.getcwd(), "umask": os.umask(0), "environment": dict(os.environ),
    "input": sys.stdin.read(), "files": [n for n in range(100) if os.path.exists(f"/dev/fd/{n}")],
    "signals": [str(signal.getsignal(n)) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)],
    "start": multiprocessing.get_start_method(),
    "ours": sorted(n for n in sys.modules if n.startswith(("fairseq_seqgan", "fairseq_cli"))),
}))
"""
ENDINGS = {
    "at the end": "print('done')",
    "exit 3": "import sys; sys.exit(3)",
    "exit 300": "import sys; sys.exit(300)",
    "exit none": "import sys; sys.exit()",
    "exit message": "import sys; print('so far'); sys.exit('error: no')",
    "killed": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    # A shell starts what runs behind with interruptions ignored, and then Python ignores them, too.
    "interrupted": "import os, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "os.kill(os.getpid(), signal.SIGINT); signal.pause()",
    "os._exit": "import os; os._exit(4)",
    "atexit": "import atexit; atexit.register(print, 'last'); print('first')",
    "thread": "import threading, time\n"
    "threading.Thread(target=lambda: (time.sleep(0.2), print('thread'))).start()",
    "unwritable": "import os; os.close(1); print('x')",
}


def both(*arguments, name="python", **options):
    """Run the real and the warm program; return what each left."""
    found = []
    for cold in (True, False):
        command = [program(name, cold), *map(str, arguments)]
        given = {"input": b"given", "capture_output": True, **options}
        found.append(subprocess.run(command, timeout=120, check=False, **given))
    return found


@pytest.fixture
def script(tmp_path):
    """A script in a folder of its own, and a module that it can import."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "seen.py").write_text(SEEN)
    return folder / "seen.py"


@pytest.mark.parametrize("kind", ["script", "relative script", "link", "module", "code"])
def test_a_program_sees_the_same(kind, script, tmp_path):
    """Arguments, paths, folder, environment, files, standard input: all but the interpreter."""
    (tmp_path / "link.py").symlink_to(script)
    begin = {
        "script": [script],
        "relative script": ["folder/seen.py"],
        "link": [tmp_path / "link.py"],
        "module": ["-m", "folder.seen"],
        "code": ["-c", SEEN],
    }[kind]
    environment = {**os.environ, "PYTHONPATH": f"/nowhere:{tmp_path}", "OWN": "ü\udcff"}
    reading, writing = os.pipe()
    real, warm = both(
        *begin, "a b", "", "--x=ü", cwd=tmp_path, env=environment, pass_fds=[writing], umask=0o27
    )
    os.close(reading)
    os.close(writing)
    assert real.returncode == warm.returncode == 0, warm.stderr
    assert warm.stdout == real.stdout
    assert b'"ours": []' in warm.stdout  # neither the plugin nor fairseq's commands


@pytest.mark.parametrize("how", ENDINGS)
def test_it_ends_the_same(how):
    """With the same exit code or signal, and the same output."""
    real, warm = both("-c", ENDINGS[how])
    assert (warm.returncode, warm.stdout) == (real.returncode, real.stdout)
    assert warm.stderr.splitlines()[-1:] == real.stderr.splitlines()[-1:]


def test_an_exception_is_a_traceback():
    """And the exit code 1."""
    real, warm = both("-c", "print('before')\nraise ValueError('because')")
    assert warm.returncode == real.returncode == 1
    assert warm.stdout == real.stdout == b"before\n"
    for result in (real, warm):
        lines = result.stderr.decode().splitlines()
        assert lines[0].startswith("Traceback") and lines[-1] == "ValueError: because"


def test_output_is_unbuffered_on_demand():
    """Lines of the two streams into one file come in the order in which they were written."""
    code = "import sys\nfor i in range(3): sys.stdout.write('o'); sys.stderr.write('e')"
    options = {"capture_output": False, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    options["env"] = {**os.environ, "PYTHONUNBUFFERED": "1"}
    real, warm = both("-c", code, **options)
    assert warm.stdout == real.stdout == b"oeoeoe"


def test_options_of_the_interpreter_start_the_real_one():
    """A forked process could not take them over."""
    code = "import sys; print(sys.flags.optimize, sys.flags.hash_randomization, sys.executable)"
    real, warm = both("-O", "-c", code)
    assert warm.stdout == real.stdout
    real, warm = both("-c", code, env={**os.environ, "PYTHONHASHSEED": "0"})
    assert warm.stdout == real.stdout and b"0 0 " in warm.stdout


def test_what_a_program_starts_is_warm():
    """By sys.executable, whose folder holds the other programs, too."""
    code = (
        "import subprocess, sys\n"
        "child = 'import sys; print(sys.executable, \"torch\" in sys.modules)'\n"
        "subprocess.run([sys.executable, '-c', child], check=True)"
    )
    environment = {**os.environ, "PYTHON": str(program("python"))}  # as for run.sh
    result = subprocess.run(
        [program("python"), "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == f"{program('python')} True\n"
    assert program("fairseq-train").parent == program("python").parent


@pytest.mark.parametrize("end", ["killed", "terminated"])
def test_signals_reach_it(end, tmp_path):
    """A program that is killed or terminated ends with all that it does and has started."""
    code = (
        "import subprocess, sys\n"
        "begun = 'import time; print(\"begun\", flush=True); time.sleep(60)'\n"
        "child = subprocess.Popen([sys.executable, '-c', begun])\n"
        "import signal; signal.signal(signal.SIGTERM, lambda *_: (child.kill(), sys.exit(5)))\n"
        "child.wait()"
    )
    process = subprocess.Popen(
        [program("python"), "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout.readline() == "begun\n"
    os.killpg(process.pid, signal.SIGKILL if end == "killed" else signal.SIGTERM)
    begin = time.monotonic()
    assert process.stdout.read() == ""  # when the last one that could write has ended
    assert process.wait(timeout=20) == (-signal.SIGKILL if end == "killed" else 5)
    assert time.monotonic() - begin < 20


def test_the_plugin_is_imported_by_user_dir(tmp_path):
    """fairseq-train knows the task with --user-dir, and not without it."""
    options = ["/nowhere", "--task", "seqgan", "--arch", "lstm_lm", "--batch-size", "1"]
    refused = run("fairseq-train", *options, cwd=tmp_path)
    assert refused.returncode == 2 and "invalid choice: 'seqgan'" in refused.stderr
    real, warm = both(*options, "--user-dir", PLUGIN, name="fairseq-train", cwd=tmp_path)
    assert warm.returncode == real.returncode == 2
    assert warm.stderr.splitlines()[-1] == real.stderr.splitlines()[-1]
    assert b"/nowhere: no such folder" in warm.stderr
