"""docs/options.md says what the dataclasses say."""

import dataclasses
import importlib.util

import pytest
from helpers.commands import REPO

from fairseq_seqgan.criterions import seqgan as criterion
from fairseq_seqgan.optim.seqgan_adam import SeqGANAdamConfig
from fairseq_seqgan.tasks import config as task


@pytest.fixture(scope="module")
def script():
    """The module docs/make_options.py."""
    spec = importlib.util.spec_from_file_location("make_options", REPO / "docs/make_options.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_script_writes(script):
    """Whoever changes a help text or a default runs python docs/make_options.py."""
    assert script.PAGE.read_text(encoding="utf-8") == script.page()


@pytest.mark.parametrize(
    "options",
    [task.make_config(), criterion.make_config(), SeqGANAdamConfig],
    ids=lambda c: c.__name__,
)
def test_no_option_of_ours_is_missing(script, options):
    """Every field that a class of this package defines is a row of the page."""
    page = script.PAGE.read_text(encoding="utf-8")
    ours = [cls for cls in options.__mro__ if cls.__module__.startswith("fairseq_seqgan")]
    names = {name for cls in ours for name in vars(cls).get("__annotations__", {})}
    for field in dataclasses.fields(options):
        if field.name in names and "help" in field.metadata and field.name != "sample_break_mode":
            assert f"| `--{field.name.replace('_', '-')}`" in page, field.name
