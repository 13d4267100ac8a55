"""The demo's folder: what it was made with, which steps are done, and steps run in it.

``run.json`` holds the seed, the recipe and the seconds of every finished step. A demo that was
interrupted goes on where it stopped; one with another seed or recipe is another demo.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from recipe import ROOT, DemoError, Recipe

STATE = "run.json"
TAIL, WIDTH = 12, 160  # lines of a failed command's log that are shown, and their length


@dataclass(frozen=True)
class Step:
    """A command, and what it leaves.

    Args:
        name: of its log file and in ``run.json``.
        title: what the user reads.
        command: the command line.
        outputs: files that are there once it is done.
        follow: turns a line of its output into a line worth showing, or None.
        finish: called after the command succeeded.
    """

    name: str
    title: str
    command: list[str]
    outputs: tuple[Path, ...]
    follow: Callable[[str], str | None] = lambda line: None
    finish: Callable[[], None] = lambda: None


def write(path: Path, text: str) -> None:
    """Write *text* to *path*, whole or not at all."""
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


class Workspace:
    """The folder *dest* of a demo with one recipe and seed; made if it is not there.

    Raises:
        DemoError: the folder holds something else, or another demo.
    """

    def __init__(self, dest: Path, recipe: Recipe, seed: int) -> None:
        self.dest, self.recipe = dest, recipe
        self.state = {"seed": seed, "recipe": recipe, "seconds": {}}
        advice = f"remove it (rm -r {dest}) or choose another folder with --dest"
        if (dest / STATE).is_file():
            found = _read_state(dest / STATE, advice)
            if found["seed"] != seed:
                raise DemoError(f"{dest}: made with seed {found['seed']}, not {seed}; {advice}")
            if found["recipe"] != recipe:
                raise DemoError(f"{dest}: made with another recipe; {advice}")
            self.state = found
        elif dest.is_dir() and any(dest.iterdir()):
            raise DemoError(f"{dest}: is no folder of this demo ({STATE} is missing); {advice}")
        dest.mkdir(parents=True, exist_ok=True)
        self._save()

    def _save(self) -> None:
        write(self.dest / STATE, json.dumps(self.state, indent=2) + "\n")

    def log(self, name: str) -> Path:
        """Return the log file of the step *name*."""
        return self.dest / f"{name}.log"

    def run(self, step: Step) -> bool:
        """Run *step* unless it is done; return whether it had to be run.

        Raises:
            DemoError: the command failed; the message ends with the last lines of its log.
        """
        seconds = self.state["seconds"].get(step.name)
        if seconds is not None and all(path.exists() for path in step.outputs):
            print(f"== {step.title}: done before, in {seconds:.0f} s", flush=True)
            return False
        variables = [f"{name}={value}" for name, value in self.recipe["environment"].items()]
        print(f"== {step.title}\n$ {shlex.join([*variables, *step.command])}", flush=True)
        start = time.monotonic()
        self._run_command(step, start)
        step.finish()
        for path in step.outputs:
            if not path.exists():
                raise DemoError(f"{step.title}: left no {path}; its log: {self.log(step.name)}")
        seconds = time.monotonic() - start
        print(f"   done in {seconds:.0f} s", flush=True)
        # A training that was interrupted and resumed has taken longer than its last part.
        self.state["seconds"][step.name] = round(seconds, 1)
        self._save()
        return True

    def _run_command(self, step: Step, start: float) -> None:
        log_path = self.log(step.name)
        with log_path.open("ab") as log, subprocess.Popen(
            step.command, env=self._environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=log,
        ) as process:  # fmt: skip
            try:
                for line in process.stdout:
                    log.write(line)
                    log.flush()
                    shown = step.follow(line.decode("utf-8", "replace"))
                    if shown:
                        print(f"   {shown}   {time.monotonic() - start:.0f} s", flush=True)
            except BaseException:
                process.terminate()
                raise
        if process.returncode:
            lines = log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:]
            raise DemoError(
                f"{step.title}: the command failed with status {process.returncode}; its log "
                f"{log_path} ends with\n" + "\n".join(f"  | {line[:WIDTH]}" for line in lines)
            )

    def _environment(self) -> dict[str, str]:
        """Return this process's environment with the recipe's variables.

        The plugin is found without being installed, and output comes line by line.
        """
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        own = {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}
        recipe = {name: str(value) for name, value in self.recipe["environment"].items()}
        return os.environ | own | recipe


def _read_state(path: Path, advice: str) -> dict:
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        return {name: state[name] for name in ("seed", "recipe", "seconds")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DemoError(f"{path}: cannot be read; {advice}") from error
