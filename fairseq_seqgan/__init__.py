"""SeqGAN as a fairseq plugin: ``--user-dir`` points here. Importing it registers everything."""

import logging

# While it is imported, fairseq asks every user for tensorboardX, on every command.
logging.getLogger("fairseq.tasks.text_to_speech").setLevel(logging.WARNING)

from . import criterions, models, optim, rewards, tasks  # noqa: E402
from .pretrained import SeqGAN  # noqa: E402
from .support import compat  # noqa: E402
from .version import __version__  # noqa: E402

compat.allow_checkpoints()
compat.show_all_options()
compat.report_bad_gradients()
compat.write_checkpoints_whole()
compat.refuse_damaged_checkpoints()
compat.run_nothing_in_checkpoints()

__all__ = ["SeqGAN", "__version__", "criterions", "models", "optim", "rewards", "tasks"]
