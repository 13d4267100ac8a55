"""samples.md shows a sample as it is, whatever it means to Markdown or HTML."""

from pathlib import Path
from types import SimpleNamespace

from helpers.examples import EXAMPLES  # noqa: F401  (makes examples/ importable)
from helpers.markdown import HOSTILE, PARSER, texts
from real.people import People, _first_seed


def test_a_hostile_sample_is_text(tmp_path: Path):
    samples = [text for text in HOSTILE if text == " ".join(text.split()) and "▁" not in text]
    folder = tmp_path / "samples"
    folder.mkdir()
    for name, lines in (("mle", samples), ("seqgan", samples[::-1])):
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    people = People.__new__(People)  # what is shown needs neither a recipe nor a training
    people.report, people.seed = tmp_path, 1
    people.commands = SimpleNamespace(
        task=SimpleNamespace(kind="text", noun="speeches"), data_seed=1
    )
    tokens = PARSER.parse(people._side_by_side(["MLE", "SeqGAN"]))
    cells = [tokens[i + 1] for i, token in enumerate(tokens) if token.type == "td_open"]
    shown = [texts([cell])[0] for cell in cells]
    assert shown[::2] == samples and shown[1::2] == samples[::-1]
    assert "html_block" not in {token.type for token in tokens}


def test_people_see_the_lowest_seed_whose_samples_are_here(tmp_path: Path):
    """Those of a joined folder are not; to look for them makes no folder."""
    runs, row = tmp_path / "runs", SimpleNamespace(folder=lambda seed: f"mle-seed{seed}")
    for name, seed in (("mle", 1), ("mle", 2), ("mle", 3), ("real", 0)):
        (runs / f"{name}-seed{seed}").mkdir(parents=True)
        (runs / f"{name}-seed{seed}" / "run.json").write_text(f'{{"seed": {seed}}}')
    for seed in (3, 2):
        (runs / f"mle-seed{seed}" / "samples.txt").write_text("1 2 3")
    before = sorted(runs.iterdir())
    assert _first_seed(SimpleNamespace(runs=runs), [row]) == 2
    assert sorted(runs.iterdir()) == before
