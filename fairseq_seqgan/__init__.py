"""SeqGAN as a fairseq plugin: ``--user-dir`` points here. Importing it registers everything.

There is one exception. Most subcommands of ``fairseq-seqgan`` need no fairseq, whose import takes
seconds; those that read checkpoints import ``plugin`` themselves.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .pretrained import SeqGAN

__all__ = ["SeqGAN", "__version__"]

if Path(sys.argv[0] if sys.argv else "").stem != "fairseq-seqgan":
    from . import plugin  # noqa: F401


def __getattr__(name: str) -> Any:
    """Return ``SeqGAN``, which brings all of the plugin."""
    if name == "SeqGAN":
        from .plugin import SeqGAN

        return SeqGAN
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
