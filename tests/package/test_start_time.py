"""Commands that need no model import neither fairseq nor torch: they start in half a second."""

import pytest
from helpers.commands import REPO, run_python

STARTED = """
import sys
sys.argv = ["fairseq-seqgan", *sys.argv[1:]]
from fairseq_seqgan.cli import main
try:
    main()
except SystemExit as error:
    assert not error.code, error
loaded = {"torch", "fairseq"}.intersection(sys.modules)
assert not loaded, loaded
"""


@pytest.mark.parametrize(
    "words",
    [
        "--version",
        "--help",
        "user-dir",
        "prepare --help",
        "preprocess poems --help",
        "report --help",
        "report RUNS --output OUT",
        "show --samples SAMPLES --kind text",
        "turing-test --help",
    ],
)
def test_is_light(words, tmp_path):
    (tmp_path / "samples").write_text("a b\n", encoding="utf-8")
    runs = REPO / "tests" / "reporting" / "data" / "runs"
    places = {"SAMPLES": tmp_path / "samples", "RUNS": runs, "OUT": tmp_path / "out"}
    words = [places.get(word, word) for word in words.split()]
    code = ["-c", STARTED, *words]
    run_python(*code, cwd=tmp_path, cold=True, env={"PYTHONPATH": str(REPO)}).check()


def test_python_gets_all_of_the_plugin_at_once():
    """In a program of a user's own, importing the package registers everything."""
    code = (
        "import fairseq_seqgan; from fairseq.tasks import TASK_REGISTRY; "
        "assert 'seqgan' in TASK_REGISTRY; fairseq_seqgan.SeqGAN"
    )
    run_python("-c", code, cwd=REPO).check()
