"""What importing the plugin does: it registers everything, and prepares fairseq."""

import logging

# While it is imported, fairseq asks every user for tensorboardX, on every command.
logging.getLogger("fairseq.tasks.text_to_speech").setLevel(logging.WARNING)

from . import criterions, models, optim, rewards, tasks  # noqa: E402
from .pretrained import SeqGAN  # noqa: E402
from .support import compat, compat_amp, compat_checkpoints, compat_commands  # noqa: E402

compat.show_all_options()
compat.report_bad_gradients()
compat.seed_without_traces()
compat.join_processes()
compat_amp.unscale_once()
compat_amp.store_loss_scale()
compat_commands.correct_options()
compat_checkpoints.allow_checkpoints()
compat_checkpoints.write_checkpoints_whole()
compat_checkpoints.refuse_damaged_checkpoints()
compat_checkpoints.run_nothing_in_checkpoints()
compat_checkpoints.report_unwritable_folder()

__all__ = ["SeqGAN", "criterions", "models", "optim", "rewards", "tasks"]
