"""Texts that mean something to a Markdown parser, and what a reader sees of a parsed one."""

from markdown_it import MarkdownIt

HOSTILE = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "![](http://a/b.png)", "<!--",
    "[a](javascript:alert(1))", "a\\|b", "a|b", "\\", "\\|", "|", "`", "``a`", "*a* **b**", "_a_",
    "a_b", "# heading", "- item", "+ item", "1. item", "12) item", "---", "===", "> quote", "~~a~~",
    "&lt;b&gt;", "&#x3c;", "$x$", "www.a.com", "http://a.com", "<http://a.com>", "a@b.com", "@a",
    "[^1]", "[a]: b", "- [ ] a", "~~~", "```", "{a}", "a  b", "-5", "0.42", "1990", "▁a", "真", "□",
]  # fmt: skip
PARSER = MarkdownIt("gfm-like", {"html": True, "linkify": False})


def texts(tokens):
    """Return the text that a reader sees, and the types of all that is not plain text."""
    shown, kinds = "", set()
    for token in tokens:
        kinds.add(token.type)
        for child in token.children or ():
            shown += child.content if child.type in ("text", "code_inline") else f"<{child.type}>"
    return shown, kinds
