"""What tests of policies share."""

import pytest
from helpers.policies import ARCHS


@pytest.fixture(params=ARCHS)
def arch(request):
    return request.param
