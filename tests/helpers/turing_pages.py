"""Pages of ``fairseq-seqgan turing-test`` and a browser to open them in, for the tests."""

import json
from pathlib import Path

import pytest

from fairseq_seqgan.cli import main
from helpers.browser import Browser, start_browser
from helpers.turing_data import REAL, SYSTEMS, build_arguments, make_sources

PER_SOURCE = 4
TOTAL = PER_SOURCE * 3


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Browser:
    with start_browser(tmp_path_factory.mktemp("downloads")) as started:
        yield started


def make_page(folder: Path, kind: str, *more: object, **sources: int) -> Path:
    page = folder / f"{kind}.html"
    arguments = build_arguments(
        make_sources(folder, kind, **sources), page, kind, "--per-source", PER_SOURCE, *more
    )
    assert main(arguments) == 0
    return page


@pytest.fixture(scope="module")
def poem_page(tmp_path_factory) -> Path:
    return make_page(tmp_path_factory.mktemp("poem_page"), "poem")


@pytest.fixture(scope="module")
def tune_page(tmp_path_factory) -> Path:
    return make_page(tmp_path_factory.mktemp("tune_page"), "music")


def items_of(page: Path) -> list[dict]:
    text = page.read_text(encoding="utf-8")
    return json.loads(text.split('id="data">')[1].split("</script>")[0])["items"]


def names_in(text: str) -> list[str]:
    return [name for name in (REAL, *SYSTEMS) if name.casefold() in text.casefold()]
