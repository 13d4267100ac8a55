"""Mutated recipes, run folders, samples, answers and states of experiments.

See ``test_fuzz_data.py`` and ``helpers/mutations.py``.
"""

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml
from helpers.examples import EXAMPLES, ExperimentError, experiment, load, publish, variants
from helpers.make_runs import main as make_runs
from helpers.models import make_dictionary
from helpers.mutations import TRIES, VALUES, Outcomes, mutate_bytes, mutate_tree, rng_of
from helpers.turing_data import answers, build_arguments, key_of, make_sources
from markdown_it import MarkdownIt

from fairseq_seqgan.cli import inputs, main
from fairseq_seqgan.reporting import (
    aggregate,
    json_report,
    learning_curves,
    markdown_report,
    matched_nll,
    pairs,
    results_csv,
    runs,
)
from fairseq_seqgan.support.errors import InputError
from fairseq_seqgan.turing.answers import read_answers, read_key
from fairseq_seqgan.turing.result import measure

EXPERIMENT_ERRORS = (InputError, ExperimentError)


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)


# --- recipes


def all_commands(name, path):
    """Return the recipe of *path*, from which every command line of its experiment was made."""
    recipe, systems = load(name, path)
    from argparse import Namespace

    commands = experiment(name, path).commands(
        Namespace(source=None), recipe, {system.name: system for system in systems}, Path("/dest")
    )
    for system in systems:
        if system.options is not None:
            commands.train(system, 1)
    for row in variants(systems):
        commands.samples(row, 1, Path("/dest/samples.txt"))
        commands.evaluate(row, 1, Path("/dest/samples.txt"), Path("/dest"))
    commands.make_data()
    commands.report(Path("/dest/runs"), Path("/dest/report"))
    return recipe


def leaves(tree, above=()):
    """Return every value in *tree* that is not a dict, by its keys."""
    if isinstance(tree, dict):
        found = [leaves(value, (*above, key)) for key, value in tree.items()]
        return {key: value for part in found for key, value in part.items()}
    return {above: tree}


def as_meant(own, recipe):
    """Return whether *recipe* states every value that the file *own* does."""
    wanted, stated = leaves(own), leaves(recipe)
    skipped = [key for key in wanted if key[:1] in (("base",), ("rows",)) or wanted[key] is None]
    wanted = {key: value for key, value in wanted.items() if key not in skipped}
    return all(key in stated and same(stated[key], wanted[key]) for key in wanted)


def same(a, b):
    return type(a) is type(b) and (a == b or (a != a and b != b))


SOURCES = [
    ("demo", "demo"),
    ("nottingham", "quick"),
    ("synthetic", "few_updates"),
    ("obama", "quick"),
]


def test_recipes_as_bytes(tmp_path):
    """A preset is refused by its line or section, or states what the file says."""
    path, found = tmp_path / "own.yaml", Outcomes("recipes", tmp_path)
    for i in range(TRIES["recipes"]):
        name, preset = SOURCES[i % len(SOURCES)]
        good = (EXAMPLES / name / f"{preset}.yaml").read_bytes()
        path.write_bytes(mutate_bytes(good, rng_of("recipes", i)))
        recipe = found.attempt(i, path, lambda n=name: all_commands(n, path), EXPERIMENT_ERRORS)
        if recipe is not None:
            own = yaml.safe_load(path.read_bytes())
            found.explain(i, path, as_meant(own, recipe), "another recipe than the file's")
    assert found.tried == TRIES["recipes"] and found.read and found.refused


def test_recipes_as_trees(tmp_path):
    """Values of other types, missing and unknown keys."""
    path, found = tmp_path / "own.yaml", Outcomes("trees", tmp_path)
    values = tuple(value for value in VALUES if value != "\ud800")  # YAML cannot hold it
    for i in range(TRIES["trees"]):
        name, preset = SOURCES[i % len(SOURCES)]
        good = yaml.safe_load((EXAMPLES / name / f"{preset}.yaml").read_bytes())
        path.write_text(yaml.safe_dump(mutate_tree(good, rng_of("trees", i), values)))
        recipe = found.attempt(i, path, lambda n=name: all_commands(n, path), EXPERIMENT_ERRORS)
        if recipe is not None:
            own = yaml.safe_load(path.read_bytes())
            found.explain(i, path, as_meant(own, recipe), "another recipe than the file's")
    assert found.tried == TRIES["trees"] and found.refused


# --- run folders


@pytest.fixture(scope="module")
def good_runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "runs"
    make_runs(folder)
    for name in ("random_unigram", "scheduled_sampling", "mle-t0.8", "mle_continued", "oracle"):
        for path in folder.glob(f"{name}-seed*"):
            shutil.rmtree(path)
    return folder


def report_of(folder):
    """Return what ``fairseq-seqgan report`` finds and writes, but for the pictures."""
    collection = runs.collect([folder])
    rows = aggregate.make_rows(collection, "seqgan")
    reference = aggregate.find(rows, "seqgan")
    compared = matched_nll.compare(rows, reference) if collection.oracle else []
    controlled = matched_nll.compare_with_controls(rows) if collection.oracle else []
    parts = rows, reference
    paired = pairs.compare(*parts)
    found = json_report.as_json(collection, *parts, paired, compared, controlled)
    json.dumps(found, allow_nan=False)
    learning_curves.make_curves(rows, "updates")
    results_csv.results_csv(rows).encode()
    page = markdown_report.report(collection, *parts, "seqgan", paired, compared, controlled)
    page.encode()
    return found, page


def page_shape(page):
    """Return the headings of a Markdown page, its number of table cells, and what could run."""
    tokens = MarkdownIt("gfm-like", {"linkify": False, "html": True}).parse(page)
    inner = [child for token in tokens for child in token.children or ()]
    kinds = [token.type for token in (*tokens, *inner)]
    hostile = {"html_block", "html_inline", "image", "link_open", "hr"}
    headings = [
        tokens[i + 1].content.split(" ")[0]
        for i, token in enumerate(tokens)
        if token.type == "heading_open"
    ]
    return headings, hostile.intersection(kinds)


def test_run_folders(good_runs, tmp_path):
    """A damaged run is refused; in the report no label has an effect, and no number is changed."""
    shutil.copytree(good_runs, tmp_path / "runs")
    folder, found = tmp_path / "runs", Outcomes("runs", tmp_path)
    good, good_page = report_of(folder)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    for i in range(TRIES["runs"]):
        rng = rng_of("runs", i)
        path = rng.choice(paths)
        before = path.read_bytes()
        if path.suffix == ".json" and rng.random() < 0.8:
            path.write_text(json.dumps(mutate_tree(json.loads(before), rng)))
        else:
            path.write_bytes(mutate_bytes(before, rng))
        read = found.attempt(i, path, lambda: report_of(folder), (InputError,))
        if read is not None:
            report, page = read
            headings, hostile = page_shape(page)
            found.explain(i, path, not hostile, f"{hostile} in report.md")
            known = set(page_shape(good_page)[0]) | {"constant", "Each"}
            found.explain(i, path, set(headings) <= known, f"headings {headings}")
            if path.suffix == ".npz":
                same = report["rows"] == good["rows"]
                incomplete = len(report["incomplete"]) > len(good["incomplete"])
                found.explain(i, path, same or incomplete, "other scores")
        path.write_bytes(before)
    assert found.tried == TRIES["runs"] and found.read and found.refused


# --- samples


def test_samples(tmp_path):
    """What is read are the words of the file, line by line, as ids of the dictionary."""
    dictionary = make_dictionary(12)
    path, found = tmp_path / "samples.txt", Outcomes("samples", tmp_path)
    rows = [[str((7 * i + j) % 12) for j in range(1 + i % 5)] for i in range(20)]
    plain = "".join(" ".join(row) + "\n" for row in rows)
    printed = "".join(f"S-{i}\t\nH-{i}\t-1.5\t{' '.join(row)}\nP-{i}\t-1\n" for i, row in
                      reversed(list(enumerate(rows))))  # fmt: skip
    for i in range(TRIES["samples"]):
        good = (plain, printed)[i % 2]
        path.write_bytes(mutate_bytes(good.encode(), rng_of("samples", i)))
        read = found.attempt(i, path, lambda: inputs.read_samples(path, dictionary), (InputError,))
        if read is not None:
            lines = path.read_text(encoding="utf-8-sig").split("\n")
            for ids, line in read:
                text = lines[line - 1]
                text = text.split("\t", 2)[2] if text.startswith("H-") else text
                words = [dictionary[index] for index in ids]
                found.explain(i, path, words == text.split(), f"line {line} was read as {words}")
        for kind in ("poem", "music"):
            arguments = ["show", "--samples", str(path), "--kind", kind, "--num", "3"]
            arguments += (
                ["--out", str(tmp_path / "tunes"), "--overwrite"] if kind == "music" else []
            )
            if kind == "poem" or i % 10 == 0:
                found.attempt(i, path, lambda a=arguments: main(a), (InputError,))
    assert found.tried > TRIES["samples"] and found.read and found.refused


# --- answers


def test_answers_and_keys(tmp_path):
    """The verdicts that count are those in the file, and for a source that the key names."""
    sources = make_sources(tmp_path, "text")
    page = tmp_path / "page.html"
    main(build_arguments(sources, page, "text", "--per-source", 4))
    verdicts = {item: ("human", "machine")[i % 2] for i, item in enumerate(key_of(page))}
    paths = {"key": page.with_suffix(".key.json"), "answers": tmp_path / "answers.json"}
    paths["answers"].write_text(json.dumps(answers(page, verdicts, rater="Ann")))
    contents = {name: path.read_bytes() for name, path in paths.items()}
    found = Outcomes("answers", tmp_path)

    def use():
        key = read_key(paths["key"])
        result = measure(read_answers([paths["answers"]], key), key)
        json.dumps(result.as_json(), allow_nan=False).encode()
        return result, result.as_text()

    for i in range(TRIES["answers"]):
        rng = rng_of("answers", i)
        name = ("key", "answers")[i % 2]
        path, good = paths[name], contents[name]
        if rng.random() < 0.6:
            path.write_text(json.dumps(mutate_tree(json.loads(good), rng)))
        else:
            path.write_bytes(mutate_bytes(good, rng))
        read = found.attempt(i, path, use, (InputError,))
        if read is not None:
            result, text = read
            stated = json.loads(paths["answers"].read_text(encoding="utf-8-sig"))["answers"]
            items = json.loads(paths["key"].read_text(encoding="utf-8-sig"))["items"]
            same = result.raters[0].verdicts == len(stated)
            same &= set(result.scores) == {item["source"] for item in items.values()}
            found.explain(i, path, same and "\x1b" not in text, "other verdicts")
        path.write_bytes(good)
    assert found.tried == TRIES["answers"] and found.read and found.refused


# --- experiments


def test_states_of_experiments(tmp_path):
    """The marker of a publication and the state of an experiment: refused, or as they were."""
    from common.workspace import Workspace

    found = Outcomes("experiments", tmp_path)
    target = tmp_path / "results"
    target.mkdir()
    for name in ("report.md", "report.json", "recipe.yaml"):
        (target / name).write_text(name)
    digests = {name: publish._digest(target / name) for name in publish._names(target)}
    marker = target / publish.MARKER
    marker.write_text(json.dumps({"publisher": publish.PUBLISHER, "files": digests}))
    good = marker.read_bytes()
    state = tmp_path / "out" / "experiment.json"
    identity = {"recipe": {"options": {"mle": {"lr": 0.1}}}, "oracle": "a fresh one"}

    def begin():
        work = Workspace(tmp_path / "out", identity, {}, "experiment")
        os.close(work._lock)
        return work

    begin()
    stated = json.dumps(json.loads(state.read_text()) | {"seconds": {"data": 1.5}, "attempts": {}})
    for i in range(TRIES["experiments"]):
        rng = rng_of("experiments", i)
        path, content = ((marker, good), (state, stated.encode()))[i % 2]
        if rng.random() < 0.6:
            path.write_text(json.dumps(mutate_tree(json.loads(content), rng)))
        else:
            path.write_bytes(mutate_bytes(content, rng))
        if path == marker:
            (target / "mine.txt").write_text("mine")
            found.attempt(
                i, path, lambda: publish.check_target(target, tmp_path / "out"), EXPERIMENT_ERRORS
            )
            found.explain(i, path, found.read == 0 or path == state, "a file would be lost")
            found.read = 0
        else:
            work = found.attempt(i, path, begin, EXPERIMENT_ERRORS)
            if work is not None:
                same = all(work.state[name] == value for name, value in identity.items())
                found.explain(i, path, same, "another experiment")
                found.read = 0
        path.write_bytes(content)


def test_there_are_enough_mutations():
    """A run tries 1,000 or more, not counting what is tried in several ways."""
    assert sum(TRIES.values()) >= 1000
