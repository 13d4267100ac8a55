"""SeqGAN as a fairseq plugin: ``--user-dir`` points here. Importing it registers everything."""

from . import compat
from .version import __version__

compat.allow_checkpoints()
compat.numpy_2()

from . import optim  # noqa: E402  (fairseq's modules may be imported only after numpy_2)
from .criterions import seqgan as _criterion  # noqa: E402
from .models import cnn_highway  # noqa: E402
from .tasks import seqgan as _task  # noqa: E402

__all__ = ["__version__", "_criterion", "_task", "cnn_highway", "optim"]
