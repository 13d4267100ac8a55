"""Hooks of mkdocs: the site is made of the pages where they are, and of the source they link to.

GitHub shows README.md, docs/ and examples/ in place, with relative links to each other and into the
source. mkdocs would take the pages of one folder only. So all pages get the path that they have in
the repository, and a source file or folder that a page links to becomes a page of its own.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("*.md", "docs/*.md", "examples/*.md", "examples/*/*.md", "examples/*/results/**/*.md")
SHOWN = (
    "docs/pictures/*.png",
    *(f"examples/*/results/**/*.{end}" for end in ("png", "mid", "csv")),
)
API = "docs/api.md"
LINK = re.compile(r"(?<=\]\()([^)#\s:]+)(?=[)#])")
LANGUAGES = {".py": "python", ".yaml": "yaml", ".sh": "bash", ".cff": "yaml"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replace the files of docs/ by those of the whole repository."""
    for file in list(files):
        if file.src_dir == config.docs_dir:
            files.remove(file)
    pages = _found(PAGES)
    for path in [*pages, *_found(SHOWN)]:
        options = config.site_dir, config.use_directory_urls
        files.append(File(path, str(ROOT), *options))
    for path in sorted({target for page in pages for target in _sources(page)}):
        files.append(File.generated(config, source_page(path), content=show(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to source files to their pages; show the docstrings that the API page names."""
    own = page.file.src_uri

    def replace(link: re.Match[str]) -> str:
        path = _inside(own, link[1])
        if path is None or not _is_source(path):
            return link[0]
        return posixpath.relpath(source_page(path), posixpath.dirname(own) or ".")

    text = LINK.sub(replace, markdown)
    return with_docstrings(markdown, text) if own == API else text


def with_docstrings(original: str, text: str) -> str:
    """Return *text* with the docstrings of every module that the *original* page links to."""
    modules = re.findall(r"\[`(fairseq_seqgan[\w.]*)`\]", original)
    return text + "".join(f"\n\n## {name}\n\n::: {name}\n" for name in modules)


def source_page(path: str) -> str:
    """Return the page of the site that shows *path*, a file or folder in the repository."""
    return f"source/{path}/index.md" if (ROOT / path).is_dir() else f"source/{path}.md"


def show(path: Path) -> str:
    """Return the page for a source file or folder: its text, or what is in it."""
    title = f"---\nsearch:\n  exclude: true\n---\n\n# {path.relative_to(ROOT)}\n\n"
    if path.is_dir():
        parts = sorted(p for p in path.iterdir() if p.suffix in LANGUAGES and p.stem != "__init__")
        return title + "\n".join(f"* `{part.name}`{_about(part)}" for part in parts) + "\n"
    text = path.read_text(encoding="utf-8")
    return f"{title}````{LANGUAGES.get(path.suffix, '')}\n{text}````\n"


def _about(path: Path) -> str:
    """Return the first line of a module's docstring, as the end of a line."""
    if path.suffix != ".py":
        return ""
    about = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    return f": {about.splitlines()[0]}" if about else ""


def _found(patterns: tuple[str, ...]) -> list[str]:
    """Return the files of the repository that match one of *patterns*, by their paths in it."""
    found = {path for pattern in patterns for path in ROOT.glob(pattern) if path.is_file()}
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


def _sources(page: str) -> Iterator[str]:
    """Yield the source files and folders that *page* links to."""
    for target in LINK.findall((ROOT / page).read_text(encoding="utf-8")):
        path = _inside(page, target)
        if path is not None and _is_source(path):
            yield path


def _inside(page: str, target: str) -> str | None:
    """Return the path of what *page* links to as *target*; None: it is outside, or not there."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page), target))
    return path if not path.startswith("..") and (ROOT / path).exists() else None


def _is_source(path: str) -> bool:
    """Whether the site has *path* only because a page links to it."""
    return path not in _shown_in_place()


@cache
def _shown_in_place() -> frozenset[str]:
    return frozenset([*_found(PAGES), *_found(SHOWN)])
