"""The documentation site, which `make docs` builds: its hooks, and a place for every page."""

import importlib.util
import re
from types import SimpleNamespace

import pytest
from helpers.commands import REPO


@pytest.fixture(scope="module")
def hooks():
    """The module docs/site_hooks.py."""
    spec = importlib.util.spec_from_file_location("site_hooks", REPO / "docs/site_hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rewritten(hooks, page, text):
    """Return what *text* becomes on *page*."""
    return hooks.on_page_markdown(text, SimpleNamespace(file=SimpleNamespace(src_uri=page)), {}, [])


def test_links_into_the_source_lead_to_pages_of_the_site(hooks):
    found = rewritten(hooks, "docs/design.md", "[a](../setup.py) [b](../preprocess#x) [c](data.md)")
    assert found == "[a](../source/setup.py.md) [b](../source/preprocess/index.md#x) [c](data.md)"
    assert rewritten(hooks, "README.md", "[a](docs/api.md) [b](https://a.b/c.py)") == (
        "[a](docs/api.md) [b](https://a.b/c.py)"
    )


def test_pages_of_source_files(hooks):
    page = hooks.show(REPO / "docs" / "site_hooks.py")
    assert '\n````python\n"""Hooks of mkdocs' in page and page.endswith("\n````\n")
    assert "* `poems.py`: " in hooks.show(REPO / "preprocess")


def test_the_api_page_shows_the_modules_that_it_names(hooks):
    text = (REPO / hooks.API).read_text(encoding="utf-8")
    shown = re.findall(r"^::: ([\w.]+)$", rewritten(hooks, hooks.API, text), re.MULTILINE)
    assert "fairseq_seqgan.pretrained" in shown and len(shown) > 8
    for name in shown:
        assert (REPO / f"{name.replace('.', '/')}.py").is_file(), name


def test_every_page_has_a_place(hooks):
    """In the navigation of mkdocs.yml."""
    named = re.findall(r"^ +- (\S+\.md)$", (REPO / "mkdocs.yml").read_text(), re.MULTILINE)
    assert len(named) == len(set(named))
    pages = {path.relative_to(REPO).as_posix() for path in REPO.glob("docs/*.md")}
    assert pages <= set(named)
    assert all((REPO / name).is_file() for name in named)
