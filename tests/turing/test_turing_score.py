"""``fairseq-seqgan turing-test score``: the numbers against plain definitions, and bad answers."""

import json
import math
import re
import warnings
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from helpers.turing_data import answers, build_arguments, key_of, make_sources
from scipy import stats

from fairseq_seqgan.cli import main
from fairseq_seqgan.metrics import raters
from fairseq_seqgan.support.errors import InputError

NAN = math.nan


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("score")
    page = folder / "page.html"
    sources = make_sources(folder, "poem", num=8)
    assert main(build_arguments(sources, page, "poem", "--per-source", 8)) == 0
    return page


def score(page: Path, files: list[Path], out: Path) -> dict:
    arguments = ["turing-test", "score", *files, "--key", page.with_suffix(".key.json")]
    arguments.append("--overwrite")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert main([*map(str, arguments), "--json", str(out)]) == 0
    return json.loads(out.read_text(encoding="utf-8"))


def write(folder: Path, name: str, content: dict) -> Path:
    path = folder / name
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def write_raters(folder: Path, page: Path, num: int, judged: float = 1.0) -> list[Path]:
    """Write the answers of people who take real for human in 3 of 4 cases, others in half."""
    rng = np.random.default_rng(4)
    files = []
    for rater in range(num):
        verdicts = {
            item: "human" if rng.random() < (0.75 if source == "real" else 0.5) else "machine"
            for item, source in key_of(page).items()
            if rng.random() < judged
        }
        found = answers(page, verdicts, rater, f"rater {rater}")
        files.append(write(folder, f"{rater}.json", found))
    return files


# --- the numbers


@pytest.mark.parametrize(("num", "judged"), [(1, 1.0), (3, 1.0), (4, 0.7)])
def test_against_plain_definitions(page, tmp_path, num, judged):
    files = write_raters(tmp_path, page, num, judged)
    found = score(page, files, tmp_path / "out.json")
    key = key_of(page)
    given = [json.loads(path.read_text())["answers"] for path in files]
    means: dict[str, list[float]] = {"real": [], "MLE": [], "SeqGAN": []}
    counts = dict.fromkeys(means, 0)
    for item, source in key.items():
        said = [one[item] == "human" for one in given if item in one]
        counts[source] += len(said)
        if said:
            means[source].append(sum(said) / len(said))
    assert list(found["sources"]) == ["real", "MLE", "SeqGAN"]
    for name, values in means.items():
        mean = sum(values) / len(values)
        variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
        assert found["sources"][name] == {
            "human_score": pytest.approx(mean),
            "human_score_stderr": pytest.approx(math.sqrt(variance / len(values))),
            "items": len(values),
            "verdicts": counts[name],
        }
    pairs = [tuple(comparison["sources"]) for comparison in found["comparisons"]]
    assert pairs == list(combinations(means, 2))
    for (a, b), comparison in zip(pairs, found["comparisons"], strict=True):
        x, y = np.array(means[a]), np.array(means[b])
        assert comparison["difference"] == pytest.approx(x.mean() - y.mean())
        assert comparison["welch_t_test_p"] == pytest.approx(welch(x, y))
        exact = stats.mannwhitneyu(x, y).pvalue
        assert comparison["mann_whitney_u_p"] == pytest.approx(exact)
    for path, one, rater in zip(files, given, found["raters"], strict=True):
        right = sum((verdict == "human") == (key[item] == "real") for item, verdict in one.items())
        assert rater == {
            "name": f"rater {path.stem}",
            "file": str(path),
            "verdicts": len(one),
            "correct_share": pytest.approx(right / len(one)),
        }
    common = [item for item in key if all(item in one for one in given)]
    agreement = found["agreement"]
    assert (agreement["items"], agreement["raters"]) == (len(common), num)
    if num == 1:
        assert agreement["value"] is None
    else:
        table = [[one[item] == "human" for one in given] for item in common]
        assert common and (judged == 1) == (len(common) == len(key))
        assert agreement["value"] == pytest.approx(kappa(table))


def welch(x: np.ndarray, y: np.ndarray) -> float:
    """Welch's two-sided t-test, from its textbook formula."""
    a, b = x.var(ddof=1) / len(x), y.var(ddof=1) / len(y)
    t = (x.mean() - y.mean()) / math.sqrt(a + b)
    freedom = (a + b) ** 2 / (a**2 / (len(x) - 1) + b**2 / (len(y) - 1))
    return 2 * stats.t.sf(abs(t), freedom)


def kappa(table: list[list[bool]]) -> float:
    """Fleiss' kappa, from pairs of raters."""
    pairs = [a == b for row in table for a, b in combinations(row, 2)]
    agreed = sum(pairs) / len(pairs)
    human = sum(map(sum, table)) / sum(map(len, table))
    chance = human**2 + (1 - human) ** 2
    return (agreed - chance) / (1 - chance)


def test_the_metric_knows_the_textbook_case():
    """Two raters who agree on 3 of 4 items, half of all verdicts human: (3/4 - 1/2) / (1/2)."""
    found = raters.agreement(np.array([[1, 1, 0, 0], [1, 1, 0, 0.0]]))
    assert found == (pytest.approx(1.0), 4, 2)
    found = raters.agreement(np.array([[1, 1, 0, 0, NAN], [1, 0, 0, 0, 1]]))
    # 3 of 8 verdicts are human, so chance is (9 + 25) / 64.
    assert found == (pytest.approx((3 / 4 - 34 / 64) / (30 / 64)), 4, 2)


@pytest.mark.parametrize(
    ("ratings", "items"),
    [([[1, 0]], 2), ([[1, NAN], [NAN, 0]], 0), ([[1, 1], [1, 1]], 2), (np.zeros((2, 0)), 0)],
)
def test_agreement_that_is_not_defined(ratings, items):
    found = raters.agreement(np.array(ratings, dtype=float))
    assert math.isnan(found.kappa) and found.items == items


def test_items_count_once():
    """An item with many verdicts does not outweigh one with few."""
    found = raters.human_score(np.array([[1, 0, NAN], [1, NAN, NAN], [1, NAN, NAN]]))
    assert found == (0.5, pytest.approx(0.5), 2, 4)
    empty = raters.human_score(np.array([[NAN]]))
    assert math.isnan(empty.mean) and math.isnan(empty.stderr) and empty[2:] == (0, 0)
    assert math.isnan(raters.human_score(np.array([[1.0]])).stderr)


def test_comparisons_that_are_not_defined():
    ones, zeros, mixed = np.ones((1, 4)), np.zeros((1, 4)), np.array([[1.0, 0, 1, 0]])
    found = raters.compare(ones, zeros)
    assert found.difference == 1 and math.isnan(found.welch_p) and found.mann_whitney_p < 0.05
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # which SciPy would warn of
        assert raters.compare(ones, mixed).welch_p == pytest.approx(welch(ones[0], mixed[0]))
    assert all(math.isnan(value) for value in raters.compare(ones, np.array([[NAN]])))


@pytest.mark.parametrize("ratings", [[1, 0], [[2.0]], [[0.5]]])
def test_ratings_that_are_none(ratings):
    for function in (raters.item_scores, raters.agreement):
        with pytest.raises(InputError, match="rating"):
            function(np.array(ratings, dtype=float))


# --- what is printed


def test_printed_tables(page, tmp_path, capsys):
    score(page, write_raters(tmp_path, page, 3), tmp_path / "out.json")
    printed = capsys.readouterr().out
    found = json.loads((tmp_path / "out.json").read_text())
    for source in found["sources"].values():
        assert f"{source['human_score']:.4f}" in printed
    for comparison in found["comparisons"]:
        assert f"{comparison['welch_t_test_p']:.3g}" in printed
    assert "Welch's t-test" in printed and "Mann-Whitney" in printed
    kappa = found["agreement"]["value"]
    assert f"Fleiss' kappa {kappa:.3f} (3 raters, 24 items that all of them judged)" in printed
    assert "incomplete" not in printed


def test_incomplete_answers_count(page, tmp_path, capsys):
    key = key_of(page)
    half = dict.fromkeys(list(key)[:10], "human")
    everything = dict.fromkeys(key, "machine")
    files = [
        write(tmp_path, "half.json", answers(page, half, 1)),
        write(tmp_path, "none.json", answers(page, {}, 2)),
        write(tmp_path, "all.json", answers(page, everything, 3, "Li\x1b[31m\n")),
    ]
    found = score(page, files, tmp_path / "out.json")
    assert sum(source["verdicts"] for source in found["sources"].values()) == 34
    assert [rater["verdicts"] for rater in found["raters"]] == [10, 0, 24]
    assert found["raters"][1]["correct_share"] is None
    printed = capsys.readouterr().out
    assert "incomplete: 2 of 3 raters did not judge all 24 items; 38 verdicts" in printed
    assert "agreement: not defined, no item was judged by all 3 raters" in printed
    assert "(no name 1)" in printed
    assert "\x1b" not in printed and "Li [31m" in printed


def test_one_rater_with_one_answer(page, tmp_path, capsys):
    first = next(iter(key_of(page)))
    found = score(
        page, [write(tmp_path, "a.json", answers(page, {first: "human"}))], tmp_path / "out.json"
    )
    values = [source["human_score"] for source in found["sources"].values()]
    assert sorted(values, key=str) == [1.0, None, None]
    assert "one rater, so there is none to compute" in capsys.readouterr().out


# --- what is refused


def changed(**fields: object):
    return lambda found: found | fields


BAD = {
    "another page": (changed(test="0" * 16), r"a.json: answers to another page, 0000000000000000"),
    "another item": (changed(answers={"zz": "human"}), r"a.json: 'zz' is not an item of the page"),
    "another verdict": (
        lambda f: f | {"answers": dict.fromkeys(f["answers"], "cat")},
        r"a.json: the answer to \w+ is 'cat', not human or machine",
    ),
    "a list for a verdict": (
        lambda f: f | {"answers": {item: [1] for item in f["answers"]}},
        r"a.json: the answer to \w+ is '\[1\]'",
    ),
    "no answers": (changed(answers={}), r"a.json: there is not one answer"),
    "no rater": (changed(rater=None), r"a.json: the rater's name or the answers are missing"),
    "answers are a list": (changed(answers=["human"]), r"a.json: .* answers are missing"),
    "no session": (changed(session=7), r"a.json: its session"),
    "another format": (changed(format="turing-test key"), r"a.json: not answers that the page"),
    "another version": (changed(version=2), r"a.json: of version 2, this program knows 1"),
    "a list": (lambda f: [f], r"a.json: not answers that the page saved"),
}


def refusal(capsys, *arguments: object) -> str:
    with pytest.raises(InputError) as caught:
        main(["turing-test", "score", *map(str, arguments)])
    assert capsys.readouterr().out == ""
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(("change", "expected"), BAD.values(), ids=BAD)
def test_bad_answers(page, tmp_path, capsys, change, expected):
    good = answers(page, {next(iter(key_of(page))): "human"})
    path = write(tmp_path, "a.json", change(good))
    message = refusal(capsys, path, "--key", page.with_suffix(".key.json"))
    assert re.search(expected, message), message


BROKEN = {
    "cut off": (b'{"format": "turing-test answers"', r"a.json: broken, .*\(line 1: "),
    "not UTF-8": (b"\xff\xfe{}", r"a.json: broken, .*not UTF-8"),
    "nested": (b"[" * 100_000, r"a.json: broken, or not"),
    "a long number": (b'{"a": 1' + b"1" * 5000 + b"}", r"a.json: broken, or not"),
    "large": (b" " * (2**24 + 1), r"larger than 16 MiB"),
    "empty": (b"", r"a.json: broken, .*\(line 1: "),
}


@pytest.mark.parametrize("which", ["answers", "key"])
@pytest.mark.parametrize(("content", "expected"), BROKEN.values(), ids=BROKEN)
def test_broken_files(page, tmp_path, capsys, which, content, expected):
    (tmp_path / "a.json").write_bytes(content)
    good = write(tmp_path, "good.json", answers(page, {}))
    key = page.with_suffix(".key.json")
    files = [tmp_path / "a.json", "--key", key] if which == "answers" else [good, "--key", "a.json"]
    message = refusal(capsys, *(tmp_path / f if f == "a.json" else f for f in files))
    assert re.search(expected, message), message


def test_missing_files(page, tmp_path, capsys):
    key = page.with_suffix(".key.json")
    good = write(tmp_path, "good.json", answers(page, {}))
    assert "no.json: cannot be read (No such" in refusal(capsys, "no.json", "--key", key)
    assert "no.json: cannot be read (No such" in refusal(capsys, good, "--key", "no.json")
    message = refusal(capsys, good, "--key", key, "--json", tmp_path / "no" / "x.json")
    assert "there is no such folder" in message


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_answers_and_key_are_no_output(page, tmp_path, capsys, overwrite):
    key = page.with_suffix(".key.json")
    good = write(tmp_path, "good.json", answers(page, {}))
    for path in (good, key):
        before = path.read_bytes()
        message = refusal(capsys, good, "--key", key, "--json", path, *overwrite)
        assert message.endswith(f"--json {path}: the command reads it; give another file")
        assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ({}, "names no items"),
        ({"a": "real"}, "item 'a' has no source"),
        ({"a": {"source": "real"}}, "has no items of 'real', or of nothing else"),
        ({"a": {"source": "x"}, "b": {"source": "y"}}, "has no items of 'real'"),
    ],
)
def test_bad_key(page, tmp_path, capsys, items, expected):
    key = json.loads(page.with_suffix(".key.json").read_text()) | {"items": items}
    good = write(tmp_path, "good.json", answers(page, {}))
    message = refusal(capsys, good, "--key", write(tmp_path, "key.json", key))
    assert expected in message


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ({"session": 1, "rater": "Li"}, "the answers of rater 'Li' are in .*a.json already"),
        ({"session": 1, "rater": ""}, "the answers of the same person are in .*a.json already"),
        ({"session": 2, "rater": " li "}, "the answers of rater 'li' are in .*a.json already"),
    ],
)
def test_one_person_twice(page, tmp_path, capsys, second, expected):
    verdicts = dict.fromkeys(key_of(page), "human")
    files = [
        write(tmp_path, "a.json", answers(page, verdicts, 1, "Li")),
        write(tmp_path, "b.json", answers(page, verdicts, **second)),
    ]
    message = refusal(capsys, *files, "--key", page.with_suffix(".key.json"))
    assert re.search(f"b.json: {expected}; give one file for each person", message), message


def test_people_without_names_are_different_people(page, tmp_path):
    verdicts = dict.fromkeys(key_of(page), "human")
    files = [write(tmp_path, f"{n}.json", answers(page, verdicts, n)) for n in (1, 2)]
    found = score(page, files, tmp_path / "out.json")
    assert len(found["raters"]) == 2
    assert found["agreement"]["value"] is None  # all verdicts are the same
