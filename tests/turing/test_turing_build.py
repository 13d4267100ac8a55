"""``fairseq-seqgan turing-test build``: what it draws, what it leaves out, what it refuses."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.turing_data import REAL, build_arguments, command, key_of, make_sources

from fairseq_seqgan.cli import main
from fairseq_seqgan.show.text import poem_lines
from fairseq_seqgan.support.errors import InputError
from fairseq_seqgan.turing.items import Item, distinguishable, draw

ROOT = Path(__file__).resolve().parents[2]


def data_of(page: Path) -> dict:
    text = page.read_text(encoding="utf-8")
    return json.loads(text.split('id="data">')[1].split("</script>")[0])


@pytest.fixture
def sources(tmp_path) -> dict[str, Path]:
    return make_sources(tmp_path, "poem", num=12)


# --- what is drawn


def test_characters_are_shown_in_one_spelling(tmp_path):
    """Also those of one word, which has no space to tell characters from words."""
    sources = make_sources(tmp_path, "text")
    for name, path in sources.items():
        path.write_text(f"a n n a\nt o m ▁ {name[0]}\n", encoding="utf-8")
    for path, word in zip(sources.values(), ("a n", "n o", "m"), strict=True):
        path.write_text(path.read_text().replace("a n n a", word), encoding="utf-8")
    page = tmp_path / "page.html"
    assert main(build_arguments(sources, page, "text", "--per-source", 2)) == 0
    shown = {item["content"] for item in data_of(page)["items"]}
    assert shown == {"an", "no", "m", *(f"tom {name[0]}" for name in sources)}


def test_page_and_key(sources, tmp_path, capsys):
    """Every item comes from the line that the key says, and no line comes twice."""
    page = tmp_path / "page.html"
    assert main(build_arguments(sources, page, "poem", "--per-source", 5)) == 0
    captured = capsys.readouterr()
    assert "5 items each of real, MLE, SeqGAN" in captured.out
    assert captured.err == ""
    key = json.loads((tmp_path / "page.key.json").read_text())
    data = data_of(page)
    assert data["test"] == key["test"]
    assert [item["id"] for item in data["items"]] == list(key["items"])
    lines = {name: path.read_text().splitlines() for name, path in sources.items()}
    origins = set()
    for item in data["items"]:
        source, line = key["items"][item["id"]].values()
        assert item["content"] == poem_lines(lines[source][line - 1].split(), "")
        origins.add((source, line))
    assert len(origins) == 15
    counts = [source for source, _ in origins]
    assert {name: counts.count(name) for name in sources} == dict.fromkeys(sources, 5)
    assert {frozenset(item) for item in data["items"]} == {frozenset({"id", "content"})}
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "MLE.txt",
        "SeqGAN.txt",
        "page.html",
        "page.key.json",
        "real.txt",
    ]


def test_same_seed_same_bytes(sources, tmp_path):
    made = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        page = tmp_path / f"{name}.html"
        arguments = build_arguments(sources, page, "poem", "--per-source", 6, "--seed", seed)
        assert main(arguments) == 0
        made[name] = page.read_bytes(), page.with_suffix(".key.json").read_bytes()
    assert made["a"] == made["b"]
    assert made["a"][0] != made["c"][0]


def test_order_and_ids_tell_nothing():
    """They depend on the seed and on all items: knowing the seed alone is no help."""
    orders, ids = set(), set()
    for version in range(8):
        sources = {n: [Item(i, f"{n} {version} {i}") for i in range(9)] for n in ("real", "a", "b")}
        shown = draw(sources, 6, seed=1)
        orders.add("".join(item.source[0] for item in shown))
        ids.update(item.id for item in shown)
    assert len(orders) == 8
    assert len(ids) == 8 * 18
    assert all(re.fullmatch("[0-9a-f]{8}", name) for name in ids)


def test_every_place_is_equally_likely():
    """Over many seeds, each source comes first, and last, about as often."""
    sources = {name: [Item(i, f"{name} {i}") for i in range(5)] for name in ("real", "a", "b")}
    first, last = [], []
    for seed in range(600):
        shown = draw(sources, 3, seed)
        first.append(shown[0].source)
        last.append(shown[-1].source)
    for name in sources:
        assert 150 < first.count(name) < 250  # 200 expected, standard deviation 11.5
        assert 150 < last.count(name) < 250


def test_what_cannot_be_told_apart_is_left_out():
    sources = {
        "real": [Item(1, "p"), Item(2, "q"), Item(3, "p"), Item(4, "r")],
        "a": [Item(1, "q"), Item(2, "s"), Item(3, "q"), Item(4, "t")],
        "b": [Item(1, "t"), Item(2, "u"), Item(3, "q"), Item(4, "r")],
    }
    left, told = distinguishable(sources)
    assert left == {"real": [Item(1, "p")], "a": [Item(2, "s")], "b": [Item(2, "u")]}
    assert told == [
        "1 repeated item in real left out",
        "1 repeated item in a left out",
        "1 item that is in real and a and b left out",
        "1 item that is in real and b left out",
        "1 item that is in a and b left out",
    ]


def test_copies_are_left_out_and_told(sources, tmp_path, capsys):
    """A system's copy of real data, though written with punctuation, looks the same."""
    copied = sources[REAL].read_text().splitlines()[0].split()
    marked = [*copied[:5], "，", *copied[5:10], "。", *copied[10:15], "，", *copied[15:], "。"]
    with sources["MLE"].open("a", encoding="utf-8") as file:
        file.write(f"{' '.join(marked)}\r\n\n")
    page = tmp_path / "page.html"
    assert main(build_arguments(sources, page, "poem", "--per-source", 11)) == 0
    told = capsys.readouterr().err
    assert "1 item that is in real and MLE left out" in told
    assert "1 empty line(s) in MLE left out" in told
    key = json.loads((tmp_path / "page.key.json").read_text())["items"].values()
    assert {"source": REAL, "line": 1} not in key


def test_takes_what_fairseq_generate_printed(sources, tmp_path):
    lines = sources["MLE"].read_text().splitlines()
    printed = "".join(f"S-{n}\tx\nH-{n}\t-1.5\t{line}\n" for n, line in enumerate(lines))
    sources["MLE"].write_text("2026 | INFO | starting\n" + printed)
    assert main(build_arguments(sources, tmp_path / "page.html", "poem", "--per-source", 12)) == 0


def test_takes_a_byte_order_mark(sources, tmp_path):
    sources["MLE"].write_text("\ufeff" + sources["MLE"].read_text())
    assert main(build_arguments(sources, tmp_path / "page.html", "poem", "--per-source", 12)) == 0


def test_without_han_characters_nothing_is_chinese(tmp_path):
    page = tmp_path / "page.html"
    sources = make_sources(tmp_path, "text")
    assert main(build_arguments(sources, page, "text", "--per-source", 3)) == 0
    assert data_of(page)["language"] == ""
    sources["real"].write_text("".join(f"第 {n} 句\n" for n in range(3)))
    assert main(build_arguments(sources, page, "text", "--per-source", 3, "--overwrite")) == 0
    assert data_of(page)["language"] == "zh"


def test_parts_of_the_page_are_packaged(tmp_path):
    """An installed package, too, can build pages."""
    subprocess.run(
        [sys.executable, "setup.py", "-q", "build_py", "--build-lib", tmp_path],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    folder = "fairseq_seqgan/turing"
    parts = {
        path.name for path in (ROOT / folder).iterdir() if path.suffix in (".html", ".css", ".js")
    }
    assert parts == {"page.html", "page.css", "record.js", "music.js", "glyphs.js", "page.js"}
    assert parts <= {path.name for path in (tmp_path / folder).iterdir()}


# --- what is refused


def spoil(name: str, text: str | bytes):
    def do(sources: dict[str, Path]) -> None:
        content = text.encode() if isinstance(text, str) else text
        sources[name].write_bytes(content)

    return do


BAD = {
    "missing file": ("poem", lambda s: s["MLE"].unlink(), [], r"MLE.txt: cannot be read"),
    "empty file": ("poem", spoil("real", ""), [], r"real.txt: is empty"),
    "not UTF-8": ("poem", spoil("real", b"\xb4\xba\n"), [], r"real.txt: cannot be read"),
    "no poem": ("poem", spoil("MLE", "一 二\n"), [], r"MLE.txt, line 1: 2 tokens"),
    "no tune": ("music", spoil("MLE", "40 41\n40 x\n"), [], r"MLE.txt, line 2: 'x' is not a pitch"),
    "too few": (
        "poem",
        lambda s: None,
        ["--per-source", 13],
        r"real: 12 different items that no other source has; --per-source 13 is more",
    ),
    "the same file twice": (
        "poem",
        lambda s: s["MLE"].write_bytes(s["real"].read_bytes()),
        [],
        r"real: 0 different items",
    ),
    "per-source 0": ("poem", lambda s: None, ["--per-source", 0], r"--per-source is 0"),
    "named real": (
        "poem",
        lambda s: None,
        ["--system", "Real=x.txt"],
        r"--system Real=x.txt: the name 'Real' is the data of --real",
    ),
    "name twice": (
        "poem",
        lambda s: None,
        ["--system", "mle=x.txt"],
        r"--system mle=x.txt: the name 'mle' is there twice",
    ),
    "title names a source": (
        "poem",
        lambda s: None,
        ["--title", "Is it seqgan?"],
        r"--title 'Is it seqgan\?' tells the raters of the source 'SeqGAN'",
    ),
}


@pytest.mark.parametrize(("kind", "change", "more", "expected"), BAD.values(), ids=BAD)
def test_bad_input(tmp_path, capsys, kind, change, more, expected):
    sources = make_sources(tmp_path, kind, num=12)
    change(sources)
    before = sorted(tmp_path.iterdir())
    arguments = build_arguments(sources, tmp_path / "page.html", kind, "--per-source", 4)
    with pytest.raises(InputError) as caught:
        main([*arguments, *map(str, more)])
    message = str(caught.value)
    assert re.search(expected, message), message
    assert "\n" not in message
    assert capsys.readouterr().out == ""
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("out", "expected"),
    [
        ("page.txt", r"--out .*page.txt: its name must end with .html"),
        ("no/page.html", r"no/page.html: there is no such folder"),
        ("folder.html", r"folder.html: is a folder"),
    ],
)
def test_bad_destination(sources, tmp_path, out, expected):
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(InputError, match=expected):
        main(build_arguments(sources, tmp_path / out, "poem", "--per-source", 4))


@pytest.mark.parametrize("which", ["page.html", "page.key.json"])
def test_replaces_nothing_unasked(sources, tmp_path, which):
    """A new key would make the answers to the old page worthless."""
    (tmp_path / which).write_text("old")
    arguments = build_arguments(sources, tmp_path / "page.html", "poem", "--per-source", 4)
    with pytest.raises(InputError, match=f"{which}: exists; give --overwrite"):
        main(arguments)
    assert (tmp_path / which).read_text() == "old"
    assert main([*arguments, "--overwrite"]) == 0
    assert len(key_of(tmp_path / "page.html")) == 12


@pytest.mark.parametrize("option", ["--title", "--out"])
def test_text_that_is_not_utf8(sources, tmp_path, option):
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=rf"{option} .*caf.*is not UTF-8"):
        main(build_arguments(sources, tmp_path / "page.html", "poem", option, "caf\udce9"))
    assert sorted(tmp_path.iterdir()) == before


def test_a_refusal_as_the_user_sees_it(sources, tmp_path):
    sources["MLE"].unlink()
    result = command(*build_arguments(sources, tmp_path / "page.html", "poem"))
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in result.stderr
    result = command("turing-test", "build", "--real", "x", "--out", "y", "--system", "nameless")
    assert result.returncode == 2
    assert "argument --system: 'nameless' is not NAME=FILE" in result.stderr.splitlines()[-1]
