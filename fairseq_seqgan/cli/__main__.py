"""``python -m fairseq_seqgan.cli``: the command without an installed script."""

import sys

from . import main

sys.exit(main())
