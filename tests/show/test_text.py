"""fairseq_seqgan/show/text.py: sentences and poems."""

import pytest

from fairseq_seqgan.show.text import poem_lines, sentence
from fairseq_seqgan.support.errors import InputError

POEM = "春 眠 不 觉 晓 处 处 闻 啼 鸟 夜 来 风 雨 声 花 落 知 多 少".split()


def test_poems():
    assert poem_lines(POEM, "") == ["春眠不觉晓，", "处处闻啼鸟。", "夜来风雨声，", "花落知多少。"]
    seven = poem_lines(["字"] * 28, "")
    assert seven == ["字" * 7 + mark for mark in "，。，。"]
    assert poem_lines([*"春眠不觉晓，" * 4], "") == ["春眠不觉晓，"] * 4
    rare = ["<R>", "<unk>", *POEM[2:]]
    assert poem_lines(rare, "")[0] == "□□不觉晓，"
    assert poem_lines(["e\u0304", *POEM[1:]], "")[0] == "ē眠不觉晓，"


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (POEM[:-1], "f, line 1: 19 tokens"),
        (["".join(POEM)], "f, line 1: 1 tokens"),
        ([*POEM[:-1], "word"], "f, line 1: 'word' is not one character"),
    ],
)
def test_other_lines_are_not_poems(tokens, expected):
    with pytest.raises(InputError, match=expected):
        poem_lines(tokens, "f, line 1")


def test_sentences():
    assert sentence("a walk , long".split()) == "a walk , long"
    assert sentence("▁a ▁w al k , ▁long".split()) == "a walk, long"
