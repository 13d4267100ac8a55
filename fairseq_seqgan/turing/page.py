"""The page on which items are judged: one HTML file that needs nothing else, and its key.

The parts (``page.html``, ``page.css``, ``*.js``) are in this folder and are put together here. The
text of the user's files reaches the page as JSON, escaped so that it cannot end its element, and
the scripts show it as text only. The content security policy allows the page's own script and
style, by their hashes, and nothing from a network.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, NamedTuple

from .items import Shown

KEY_FORMAT = "turing-test key"
VERSION = 1
# In the order in which they are joined: each uses the ones before it.
_SCRIPTS = ("record.js", "music.js", "glyphs.js", "page.js")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


class Page(NamedTuple):
    """A page and the key that belongs to it."""

    test: str  # names the pair: a hash of all that the page shows
    html: str
    key: dict[str, Any]  # for JSON


def build(kind: str, title: str, items: Sequence[Shown], seed: int) -> Page:
    """Return the page that shows *items* in their order, and the key that says where each is from.

    The page names no source and no seed: its items have random ids.
    """
    data: dict[str, Any] = {
        "kind": kind,
        "items": [{"id": item.id, "content": item.content} for item in items],
    }
    test = hashlib.sha256(json.dumps([title, data]).encode()).hexdigest()[:16]
    key = {
        "format": KEY_FORMAT,
        "version": VERSION,
        "test": test,
        "kind": kind,
        "title": title,
        "seed": seed,
        "items": {item.id: {"source": item.source, "line": item.line} for item in items},
    }
    chinese = kind == "poem" or any(_HAN.search(str(item.content)) for item in items)
    data = {"test": test, "language": "zh" if chinese else "", **data}
    return Page(test, _assemble(title, data), key)


def _assemble(title: str, data: dict[str, Any]) -> str:
    style = _part("page.css")
    script = "".join(_part(name) for name in _SCRIPTS)
    parts = {
        "TITLE": html.escape(title),
        "STYLE": style,
        "STYLE_HASH": _policy_hash(style),
        "SCRIPT": script,
        "SCRIPT_HASH": _policy_hash(script),
        "DATA": _inert(json.dumps(data, ensure_ascii=False, separators=(",", ":"))),
    }
    # In one pass, so that a "{{...}}" in the user's text is not replaced.
    return re.sub(r"\{\{([A-Z_]+)\}\}", lambda match: parts[match[1]], _part("page.html"))


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _policy_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _inert(text: str) -> str:
    """Return JSON in which no character can end or comment out the element that holds it."""
    return re.sub("[<>&\u2028\u2029]", lambda match: f"\\u{ord(match[0]):04x}", text)
