"""The steps of the experiment, and the run folders that they fill (docs/run-folders.md)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from .about import identity, provenance
from .commands import Commands
from .files import extract, read_json, write, write_json
from .shared import run_folder
from .systems import BEST, LAST, System, Variant
from .workspace import Step, Workspace

SAMPLES = "samples.txt"  # of a run folder


class Steps:
    """Makes the steps of one experiment."""

    def __init__(self, work: Workspace, commands: Commands) -> None:
        self.work, self.commands = work, commands
        self.runs = work.dest / "runs"

    def folder(self, variant: Variant, seed: int) -> Path:
        """Return the run folder, made if it is not there."""
        folder = self.runs / variant.folder(seed)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def data(self) -> Step:
        """Make the data."""
        outputs = self.commands.data_outputs()
        follow = lambda line: line.strip() if " tokens" in line else None  # noqa: E731
        title, command = self.commands.data_title, self.commands.make_data()
        return Step("data", title, command, outputs, follow, clear=True)

    def train(self, system: System, variants: list[Variant], seed: int) -> Step:
        """Train *system*; its run folders say from now on that they are not finished."""
        # Imported late: it imports torch, and a wrong option should be told at once.
        from .progress import show

        def prepare() -> bool:
            for variant in variants:
                self._write_about(variant, seed, finished=False)
                # Of an earlier training, whose checkpoints are gone.
                for name in (SAMPLES, run_folder.METRICS, run_folder.SCORES):
                    (self.folder(variant, seed) / name).unlink(missing_ok=True)
            return True

        checkpoint = self.commands.checkpoint(system, LAST, seed)
        pretrain = system.training_options["pretrain-d-steps"] if system.adversarial else None
        return Step(
            self._training_name(system, seed),
            f"training: {system.label}, seed {seed}",
            self.commands.train(system, seed),
            outputs=(checkpoint, self.training_log(system, seed)),
            follow=lambda line: show(line, pretrain),
            prepare=prepare,
        )

    @staticmethod
    def _training_name(system: System, seed: int) -> str:
        return f"train-{system.name}-seed{seed}"

    def training_log(self, system: System, seed: int) -> Path:
        """Return the log of a training."""
        return self.work.log(self._training_name(system, seed))

    def samples(self, variant: Variant, seed: int) -> Step | None:
        """Draw the samples of *variant*, one a line, if it is drawn at all."""
        output = self.samples_file(variant, seed)
        drawing = self.commands.samples(variant, seed, output)
        if drawing is None:
            return None
        command, raw = drawing

        def prepare() -> bool:
            if self._about(variant, seed) is None:
                self._write_about(variant, seed, finished=False)
            return True

        def finish() -> None:
            if variant.system.options is not None:
                write(output, extract(raw, self.commands.num_samples))
                raw.unlink()
            elif raw != output:
                shutil.move(raw, output)

        title = f"drawing samples: {self._title(variant, seed)}"
        name = f"samples-{variant.folder(seed)}"
        return Step(name, title, command, (output,), prepare=prepare, finish=finish)

    def evaluate(self, variant: Variant, seed: int) -> Step:
        """Measure the samples of *variant*, and its model."""
        folder = self.folder(variant, seed)
        samples = self.samples_file(variant, seed)
        command = self.commands.evaluate(variant, seed, samples, folder)
        outputs = (folder / run_folder.METRICS, folder / run_folder.SCORES)
        title = f"evaluating: {self._title(variant, seed)}"
        return Step(f"metrics-{variant.folder(seed)}", title, command, outputs)

    def finish(self, variant: Variant, seed: int) -> None:
        """Put the training's log into the run folder, and say that it is finished."""
        folder = self.folder(variant, seed)
        about = self._about(variant, seed)
        if about is not None and about["finished"]:
            return
        if variant.plain and variant.system.options is not None:
            log = self.training_log(variant.system, seed)
            write(folder / run_folder.LOG, log.read_text(encoding="utf-8", errors="replace"))
        self._write_about(variant, seed, finished=True)

    def samples_file(self, variant: Variant, seed: int) -> Path:
        """Return the file of samples, one a line."""
        return self.folder(variant, seed) / SAMPLES

    def _about(self, variant: Variant, seed: int) -> dict[str, Any] | None:
        """Return what ``run.json`` says; None of a joined run, which is not this folder's own."""
        path = self.folder(variant, seed) / run_folder.RUN
        about = read_json(path) if path.is_file() else None
        return None if about is None or "joined" in about else about

    @staticmethod
    def _title(variant: Variant, seed: int) -> str:
        best = ", best on validation" if variant.checkpoint == BEST else ""
        return f"{variant.label}{best}, seed {seed}"

    def _write_about(self, variant: Variant, seed: int, finished: bool) -> None:
        """Write ``run.json``."""
        folder = self.folder(variant, seed)
        samples, name = self.samples_file(variant, seed), variant.folder(seed)
        drawing = self.commands.samples(variant, seed, samples)
        own = {} if drawing is None else {f"samples-{name}": drawing[0]}
        own[f"metrics-{name}"] = self.commands.evaluate(variant, seed, samples, folder)
        before = {"data": self.commands.make_data()}
        if variant.system.options is not None:
            training = self._training_name(variant.system, seed)
            before[training] = self.commands.train(variant.system, seed)
            if variant.timed:  # once, whatever else is made of it
                own = {training: before[training], **own}
        about = identity(self.commands, variant, seed)
        about |= provenance(self.work, self.commands, before | own)
        seconds, attempts = (self.work.state[key] for key in ("seconds", "attempts"))
        about["wall_seconds"] = round(sum(seconds.get(step, 0.0) for step in own), 1)
        about["attempts"] = max(attempts.get(step, 1) for step in own)
        write_json(folder / run_folder.RUN, about | {"finished": finished})
