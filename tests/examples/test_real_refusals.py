"""What the experiments with real data refuse."""

import pytest
from helpers.run_sh import write
from helpers.tiny_real import poems, refused, tiny


def test_refuses_what_is_not_there(tmp_path):
    out = tmp_path / "out"
    assert "no such file or folder" in refused("poem", "quick", "--dest", out, SOURCE="nowhere")
    message = refused("obama", "quick", "--dest", out, "--source", "no/where")
    assert "--source no/where: no such file or folder" in message
    assert "--seeds is 0" in refused("nottingham", "quick", "--dest", out, "--seeds", 0)
    assert "nothing" in refused("poem", "nothing", "--dest", out)
    assert "needs --publish" in refused("poem", "quick", "--dest", out, "--publish-page")
    assert not out.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"people": {"shown": 1, "per-source": 1, "sources": {"A": "gan/last"}}}, "no row 'gan/"),
        ({"people": {"shown": 1, "per-source": 1}}, "sources: must name rows"),
        ({"people": {"shown": 1}}, "per-source must be a whole number"),
        ({"people": {"shown": 1, "per-source": 1, "sources": {}}}, "sources: must name rows"),
        (
            {"people": {"shown": 0, "per-source": 1, "sources": {"A": "mle/last"}}},
            "shown is 0: it must be a whole number from 1 on",
        ),
        ({"systems": {"x": {"label": "x", "kind": "oracle"}}}, "kind 'oracle'"),
    ],
)
def test_refuses_a_broken_recipe(tmp_path, change, message):
    path = write(tmp_path / "broken.yaml", tiny("poem", ["mle", "seqgan"]) | change)
    assert message in refused("poem", path, "--dest", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_source_of_another_kind_is_one_clear_line(tmp_path):
    """The script's own words, not the end of a log."""
    (tmp_path / "raw").write_text("this is no poem\n" * 100)
    out = tmp_path / "out"
    message = refused("poem", "quick", "--dest", out, "--source", tmp_path / "raw")
    assert message.startswith("error: data: ") and "no quatrain of 5 characters" in message


def test_refuses_other_data_in_a_folder_that_is_begun(tmp_path):
    recipe = write(tmp_path / "tiny.yaml", tiny("poem", ["real", "mle", "seqgan"]))
    (tmp_path / "bad").write_text("no poem\n")
    out = tmp_path / "out"
    refused("poem", recipe, "--dest", out, "--source", tmp_path / "bad")
    message = refused("poem", recipe, "--dest", out, "--source", poems(tmp_path))
    assert "made with source" in message
