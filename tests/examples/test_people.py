"""samples.md shows a sample as it is, whatever it means to Markdown or HTML."""

from pathlib import Path
from types import SimpleNamespace

from helpers.examples import EXAMPLES  # noqa: F401  (makes examples/ importable)
from helpers.markdown import HOSTILE, PARSER, texts
from real.people import People


def test_a_hostile_sample_is_text(tmp_path: Path):
    samples = [text for text in HOSTILE if text == " ".join(text.split()) and "▁" not in text]
    folder = tmp_path / "samples"
    folder.mkdir()
    for name, lines in (("mle", samples), ("seqgan", samples[::-1])):
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    people = People.__new__(People)  # what is shown needs neither a recipe nor a training
    people.report = tmp_path
    people.commands = SimpleNamespace(
        task=SimpleNamespace(kind="text", noun="speeches"), data_seed=1
    )
    tokens = PARSER.parse(people._side_by_side(["MLE", "SeqGAN"]))
    cells = [tokens[i + 1] for i, token in enumerate(tokens) if token.type == "td_open"]
    shown = [texts([cell])[0] for cell in cells]
    assert shown[::2] == samples and shown[1::2] == samples[::-1]
    assert "html_block" not in {token.type for token in tokens}
