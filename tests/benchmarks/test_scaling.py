"""The tables of docs/scaling.md: the formula returns what was measured, and the page's numbers."""

import sys

import pytest
from helpers.commands import REPO
from helpers.models import build_lm, make_dictionary

sys.path.append(str(REPO / "benchmarks"))

import scaling

FIGURE = {
    "name": "ranks",
    "recipe": "paper",
    "what": "a recipe",
    "sizes": {
        "batch": 64,
        "rollouts": 16,
        "pool": 10_000,
        "d_batch": 64,
        "g_steps": 4,
        "d_steps": 2,
        "k": 1,
    },
    "parameters": {"model": 333_708, "criterion": 7_045_658},
    "seconds": {
        scaling.WHOLE: {"g_step": 5.0, "pool": 4.0, "d_update": 0.10, "round": 90.0},
        scaling.HALF: {"g_step": 2.6, "pool": 2.0, "d_update": 0.06, "round": 50.0},
        scaling.TWO: {"g_step": 2.7, "pool": 2.1, "d_update": 0.08, "round": 60.0},
    },
}


def test_the_formula_returns_what_was_measured():
    """One process with the whole batch or with half of it, and two with half each."""
    for part, step in scaling.costs(FIGURE).items():
        whole, half, two = (FIGURE["seconds"][s][part] for s in FIGURE["seconds"])
        assert step.seconds(1) == pytest.approx(whole)
        assert step.seconds(1, growth=1) - step.work / 2 == pytest.approx(half)
        assert step.seconds(2) == pytest.approx(two)


def test_a_round_is_its_parts():
    """1 G step, 5 pools, 5 x 3 x 313 updates of D."""
    found = scaling.round_seconds(scaling.costs(FIGURE), FIGURE["sizes"], (1, 5, 3), 1)
    assert found == pytest.approx(5.0 + 5 * 4.0 + 4695 * 0.10)


def test_bytes_of_the_page():
    """The page's table of bytes: 1.3, 28.2 and 1.6 MB, a gather counting half."""
    found = scaling.traffic(FIGURE["parameters"], FIGURE["sizes"])
    megabytes = {part: round(sent / 1e6, 1) for part, sent in found.items()}
    assert megabytes == {"g_step": 1.3, "pool": 0.8, "d_update": 28.2}
    page = (REPO / "docs" / "scaling.md").read_text()
    for number in ("333,708", "7,045,658", "| 1.3 |", "| 28.2 |", "| 1.6 |", "132 GB"):
        assert number in page
    assert round(4695 * found["d_update"] / 1e9) == 132


def test_parameters_of_the_page():
    """The counts of G and D that the page names are those of the paper's nets."""
    model = build_lm("lstm_lm", make_dictionary(5000), 32, dropout=0.0)
    assert sum(p.numel() for p in model.parameters()) == FIGURE["parameters"]["model"]


def test_the_page_has_both_tables():
    """What was measured, and one row for each number of processes up to 64."""
    page = scaling.page([FIGURE])
    assert "| `paper`: the round" in page and "**1.50**" in page
    rows = [line.split("|")[1].strip() for line in page.splitlines() if "%" in line]
    assert rows == ["1", "2", "4", "8", "16", "32", "64"]
    first = next(line for line in page.splitlines() if line.startswith("| 1 "))
    assert first.count("100%") == 6


def test_a_recipe_of_other_sizes_has_its_own_strategy():
    """The paper's strategies belong to the paper's sizes."""
    small = {**FIGURE, "sizes": {**FIGURE["sizes"], "rollouts": 4}}
    assert "g4 d2 k1, as measured" in scaling.page([small])
    assert "g4 d2 k1" not in scaling.page([FIGURE])
