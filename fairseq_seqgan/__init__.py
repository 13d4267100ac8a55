"""SeqGAN as a fairseq plugin: ``--user-dir`` points here. Importing it registers everything."""

import logging

# While it is imported, fairseq asks every user for tensorboardX, on every command.
logging.getLogger("fairseq.tasks.text_to_speech").setLevel(logging.WARNING)

from . import compat  # noqa: E402
from .version import __version__  # noqa: E402

compat.allow_checkpoints()
compat.numpy_2()

from . import optim  # noqa: E402  (fairseq's modules may be imported only after numpy_2)
from .criterions import scheduled_sampling as _baseline  # noqa: E402
from .criterions import seqgan as _criterion  # noqa: E402
from .models import cnn_highway  # noqa: E402
from .tasks import seqgan as _task  # noqa: E402

__all__ = ["__version__", "_baseline", "_criterion", "_task", "cnn_highway", "optim"]
