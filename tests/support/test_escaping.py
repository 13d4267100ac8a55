"""fairseq_seqgan/support/escaping.py, read back by a Markdown parser."""

import random

import pytest
from helpers.markdown import HOSTILE, PARSER, texts

from fairseq_seqgan.support.errors import InputError
from fairseq_seqgan.support.escaping import Markdown, markdown, markdown_code, visible


@pytest.mark.parametrize("text", HOSTILE)
def test_a_paragraph_shows_the_text_as_it_is(text):
    shown, kinds = texts(PARSER.parse(markdown(text)))
    assert shown == text
    assert kinds == {"paragraph_open", "inline", "paragraph_close"}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_table_keeps_its_cells(text):
    cell = markdown(text)
    tokens = PARSER.parse(f"| a | b |\n|:--|:--|\n| {cell} | x |\n| y | {cell} |\n\nend")
    cells = [tokens[i + 1] for i, token in enumerate(tokens) if token.type == "td_open"]
    assert [texts([inner])[0] for inner in cells] == [text, "x", "y", text]


@pytest.mark.parametrize("text", [*HOSTILE, " a", "", "a\n\n# b", "`a`", "```"])
def test_a_code_span_shows_the_text_as_it_is(text):
    shown, kinds = texts(PARSER.parse(f"x {markdown_code(text)} y"))
    assert shown.split() == ["x", *visible(text).split(), "y"]
    assert kinds == {"paragraph_open", "inline", "paragraph_close"}


def test_random_texts():
    """Any text of the characters that mean something, also where several come together."""
    rng = random.Random(1)
    for _ in range(500):
        text = "".join(rng.choices("\\`*_{}[]<>#|~$&!-+.=:/@ax1 ()\"'", k=rng.randint(1, 12)))
        text = " ".join(text.split())
        if text:
            assert texts(PARSER.parse(markdown(text)))[0] == text, repr(text)


def test_markdown_stays_as_it_is():
    table = Markdown("| a |\n|---|")
    assert markdown(table) is table


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x07", r"\x1b[2J\x07"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202egnp", r"\u202egnp"),
        ("\ud800", r"\ud800"),
        ("\u2028", r"\u2028"),
        ("真　b\xa0c", "真　b\xa0c"),
        ("می\u200cخواهم", "می\u200cخواهم"),
    ],
)
def test_visible(text, shown):
    assert visible(text) == shown


def test_an_error_is_one_line_without_escape_sequences(capsys):
    error = InputError("f.txt, line 3: '\x1b[2J\n' is not in the dictionary")
    assert error.code == 2
    assert capsys.readouterr().err == (
        "error: f.txt, line 3: '\\x1b[2J\\n' is not in the dictionary\n"
    )
