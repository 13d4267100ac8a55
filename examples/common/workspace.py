"""An experiment's folder: what it was made with, which steps are done, and steps run in it.

``experiment.json`` holds what the experiment is (its recipe, its data), the seconds that every
finished step took, and those spent on the others. An interrupted experiment resumes where it
stopped; another experiment is refused. Steps may run side by side, in threads of this process.
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from .console import ExperimentError, StepError
from .files import write_json
from .recipe import ROOT, difference
from .shared import escaping

STATE = "experiment.json"
TAIL, WIDTH = 12, 160  # lines of a failed command's log that are shown, and their length


@dataclass(frozen=True)
class Step:
    """A command, and what it leaves.

    Args:
        name: of its log file and in the state file.
        title: what the user reads.
        command: the command line.
        outputs: files that are there once it is done.
        follow: turns a line of its output into a line worth showing, or None.
        prepare: called before the command is run; returns whether it has to be.
        finish: called after the command succeeded.
        always: it is run again although it was finished.
        clear: the last line that it writes on failing says all there is to say.
    """

    name: str
    title: str
    command: list[str]
    outputs: tuple[Path, ...]
    follow: Callable[[str], str | None] = lambda line: None
    prepare: Callable[[], bool] = lambda: True
    finish: Callable[[], None] = lambda: None
    always: bool = False
    clear: bool = False


class Workspace:
    """The folder *dest* of one experiment; made if it is not there.

    Args:
        dest: the folder.
        identity: what makes it this experiment and no other, by name, as JSON.
        environment: variables for the commands.
        noun: what it is, for messages.

    Raises:
        ExperimentError: the folder holds something else, or another experiment, or another
            process is at work in it.
    """

    def __init__(
        self, dest: Path, identity: dict[str, Any], environment: dict[str, Any], noun: str
    ) -> None:
        self.dest, self.logs, self.environment = dest, dest / "logs", environment
        self.path = dest / STATE
        dest.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(dest)  # before its state is read, which another run may be writing
        try:
            self.state = self._begin(identity, noun)
        except ExperimentError:
            os.close(self._lock)
            raise
        self.logs.mkdir(exist_ok=True)
        self._guard = threading.RLock()  # of the state and of what follows
        self._running: set[subprocess.Popen] = set()
        self._stopped = False
        self.named_lines = False  # lines say which step they are about, which may be one of several
        self._save()

    def _begin(self, identity: dict[str, Any], noun: str) -> dict[str, Any]:
        """Return the state that the folder holds, or that of a new one."""
        advice = "choose another folder with --dest, or move this one away"
        if self.path.is_file():
            found = _read_state(self.path, tuple(identity), advice)
            for name, value in identity.items():
                if found[name] != value:
                    difference = _difference(name, found, value)
                    raise ExperimentError(f"{self.dest}: {difference}; {advice}")
            return identity | found
        if any(self.dest.iterdir()):
            raise ExperimentError(
                f"{self.dest}: is not a folder of this {noun} ({STATE} is missing); {advice}"
            )
        return {**identity, "seconds": {}, "attempts": {}, "spent": {}}

    def _save(self) -> None:
        write_json(self.path, self.state)

    def stop(self) -> None:
        """End the commands that are running, and let no other one begin."""
        with self._guard:
            self._stopped = True
            for process in self._running:
                process.terminate()

    def tell_progress(self, ended: int, steps: int) -> None:
        """Print how many of the *steps* have *ended*."""
        self._print(f"   {ended} of {steps} steps done")

    def _say(self, step: Step, text: str) -> None:
        name = f"{step.name}: " if self.named_lines else ""
        self._print(f"   {name}{escaping.visible(text)}")

    def _print(self, line: str) -> None:
        with self._guard:  # print writes a line and its end in two parts
            print(line, flush=True)

    def log(self, name: str) -> Path:
        """Return the log file of the step *name*."""
        return self.logs / f"{name}.log"

    def done(self, step: Step) -> bool:
        """Return whether *step* was finished and has left everything."""
        return step.name in self.state["seconds"] and all(path.exists() for path in step.outputs)

    def run(self, step: Step) -> bool:
        """Run *step* unless it is done; return whether it had to be run.

        Raises:
            ExperimentError: the command failed; the message ends with the last lines of its log.
        """
        if self.done(step) and not step.always:
            seconds = self.state["seconds"][step.name]
            self._print(f"== {step.title}: done before, in {seconds:.0f} s")
            return False
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        self._print(f"== {step.title}\n$ {shlex.join([*variables, *step.command])}")
        with self._guard:
            # Until it is finished again, what it leaves may be half of something.
            if self.state["seconds"].pop(step.name, None) is not None:
                self.state["attempts"].pop(step.name, None)
                self.state["spent"].pop(step.name, None)
            self.state["attempts"][step.name] = self.state["attempts"].get(step.name, 0) + 1
            self._save()
        start = time.monotonic()
        try:
            if step.prepare():
                self._run_command(step, start)
            step.finish()
        finally:
            with self._guard:
                spent = self.state["spent"].get(step.name, 0.0) + time.monotonic() - start
                self.state["spent"][step.name] = round(spent, 3)
                self._save()
        for path in step.outputs:
            if not path.exists():
                raise ExperimentError(
                    f"{step.title}: left no {path}; its log: {self.log(step.name)}"
                )
        self._say(step, f"done in {time.monotonic() - start:.0f} s")
        with self._guard:
            self.state["seconds"][step.name] = round(self.state["spent"].pop(step.name), 1)
            self._save()
        return True

    def _run_command(self, step: Step, start: float) -> None:
        log_path = self.log(step.name)
        # The command holds the lock as well: should this process be killed and the command live
        # on, no second one begins to write to the same checkpoints.
        with log_path.open("ab") as log, self._start(step, log) as process:
            assert process.stdout is not None, "it is a pipe"
            try:
                for line in process.stdout:
                    log.write(line)
                    log.flush()
                    shown = step.follow(line.decode("utf-8", "replace"))
                    if shown:
                        self._say(step, f"{shown}   {time.monotonic() - start:.0f} s")
                process.wait()
            except BaseException:
                process.terminate()
                raise
            finally:
                with self._guard:
                    self._running.discard(process)
        if process.returncode:
            lines = log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:]
            if step.clear and lines and lines[-1].startswith("error: "):
                raise ExperimentError(f"{step.title}: {lines[-1].removeprefix('error: ')}")
            raise StepError(
                f"{step.title}: the command failed with status {process.returncode}; its log "
                f"{log_path} ends with\n" + "\n".join(f"  | {line[:WIDTH]}" for line in lines)
            )

    def _start(self, step: Step, log: BinaryIO) -> subprocess.Popen:
        with self._guard:
            if self._stopped:
                raise ExperimentError(f"{step.title}: not begun, because another step ended all")
            process = subprocess.Popen(
                step.command,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=(self._lock,),
            )
            self._running.add(process)
            return process

    def _environment(self) -> dict[str, str]:
        """Return this process's environment with the recipe's variables.

        The plugin is found without being installed, and output comes line by line.
        """
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        own = {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}
        return os.environ | own | {name: str(value) for name, value in self.environment.items()}


def _difference(name: str, found: dict[str, Any], wanted: object) -> str:
    if isinstance(wanted, int | str):
        return f"made with {name} {found[name]}, not {wanted}"
    where = difference(found[name], wanted)
    return f"made with another {name}" + (f": {where}" if where else "")


def _lock(dest: Path) -> int:
    """Lock the folder *dest*; return its descriptor. It is free when every holder has ended."""
    folder = os.open(dest, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(folder)
        raise ExperimentError(f"{dest}: another run is at work in it") from error
    return folder


def _read_state(path: Path, names: tuple[str, ...], advice: str) -> dict:
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        found = {name: state[name] for name in (*names, "seconds")}
        found |= {name: state.get(name, {}) for name in ("attempts", "spent")}
        for name in ("seconds", "attempts", "spent"):
            if not all(isinstance(value, int | float) for value in found[name].values()):
                raise TypeError(f"{name} holds something else than numbers")
        return found
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ExperimentError(f"{path}: cannot be read; {advice}") from error
