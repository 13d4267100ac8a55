"""The package's modules that are pure Python, loaded without the rest of it.

Importing a module of ``fairseq_seqgan`` imports fairseq as well, which takes seconds. A wrong
option should be refused at once.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

PACKAGE = Path(__file__).resolve().parents[2] / "fairseq_seqgan"


def _load(place: str) -> ModuleType:
    """Return the module in the file *place* of the package."""
    path = PACKAGE / place
    spec = importlib.util.spec_from_file_location(f"shared_{path.stem}", path)
    assert spec is not None and spec.loader is not None, path
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


escaping = _load("support/escaping.py")  # text for a terminal or a Markdown page
reading = _load("support/reading.py")  # files, but no pipes
hypotheses = _load("support/hypotheses.py")  # what fairseq-generate printed
run_folder = _load("reporting/run_folder.py")  # names of files, and the words of run.json
