"""What tests of policies share."""

import pytest
from helpers.commands import fork, gan, mle
from helpers.policies import ARCHS
from helpers.samples import TRANSFORMER
from helpers.trainings import made_once


@pytest.fixture(params=ARCHS)
def arch(request):
    return request.param


@pytest.fixture(scope="session")
def played_text(text, tmp_path_factory):
    """An adversarial training of a transformer on sentences of 2 to 6 words."""

    def make(folder):
        form = {"model": TRANSFORMER, "shape": "--tokens-per-sample 12"}
        fork("train", folder, mle(text, folder / "mle", **form)).check()
        start = folder / "mle" / "checkpoint_best.pt"
        fork("train", folder, gan(text, folder, start, "--rounds", 1, **form)).check()

    return made_once(tmp_path_factory, "transformer", make) / "checkpoint_last.pt"
