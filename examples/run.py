"""Runs the experiment of a folder: ``run.py FOLDER PRESET --dest OUT``; run.sh calls it.

The folder's ``experiment.py`` holds the experiment as ``EXPERIMENT``.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    # This script's own folder is on the path already, for `common`.
    folder = Path(sys.argv[1]).resolve()
    sys.path.append(str(folder.parent))
    sys.exit(import_module(f"{folder.name}.experiment").EXPERIMENT.main(sys.argv[2:]))
