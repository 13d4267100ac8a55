"""What every test of the commands needs."""

import pytest

from fairseq_seqgan.support import compat_checkpoints


@pytest.fixture(autouse=True)
def _allowed_checkpoints():
    """A test that leaves ``torch.serialization.safe_globals`` takes the plugin's list with it."""
    compat_checkpoints.allow_checkpoints()
