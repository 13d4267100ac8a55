"""What a user may get wrong: one line that names the culprit, and nothing half-written.

Most cases run in forked processes; one of each kind runs as the installed program.
"""

import pytest
from helpers.commands import PLUGIN, fork, gan, generate, mle, run
from helpers.mistakes import AS_PROGRAM, CASES, EVIL, name_of, shorten_dictionary

from fairseq_seqgan.support.errors import InputError
from fairseq_seqgan.tasks.config import check_options, make_config

pytestmark = pytest.mark.slow


def fill_in(case, folder):
    """Damage *folder* as *case* says; return the arguments of fairseq-train and the words."""
    change, options, words = case
    if change is not None:
        change(folder)
    options = [option.format(folder=folder) for option in options.split()]
    arguments = gan(folder, folder.parent / "gan", folder / "mle.pt", *options)
    return arguments, [word.format(folder=folder) for word in words]


def assert_refused(result, words, folder):
    """Check the one line, the exit status, and that nothing was written."""
    assert result.returncode == 2
    assert "Traceback" not in result.output
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith(("error: ", "fairseq-train: error: ")), result.stderr[-2000:]
    assert len([text for text in result.output.splitlines() if text.startswith("error:")]) <= 1
    for word in words:
        assert word in line
    assert not list(folder.parent.glob("gan/*.pt"))
    assert not list(folder.parent.rglob("executed"))


OF_A_LANGUAGE_MODEL = [
    ("--lr=-1", "--lr is -1.0"),
    ("--clip-norm nan", "--clip-norm is nan"),
    ("--seed=-1", "--seed is -1"),
    ("--output-dictionary-size 8", "--output-dictionary-size: not with this task"),
    ("--max-target-positions 5", "--max-target-positions 5"),
    (
        "--lr-scheduler polynomial_decay --total-num-update 0",
        "polynomial_decay: it needs --total-num-update",
    ),
    ("--best-checkpoint-metric nll_oracle", "nll_oracle: validation logs it only with --oracle"),
    (
        "--best-checkpoint-metric nll --maximize-best-checkpoint-metric",
        "--maximize-best-checkpoint-metric: of nll, lower is better",
    ),
    ("--best-checkpoint-metric entropy", "entropy: validation logs it only with --oracle, or"),
    ("--best-checkpoint-metric d_gain", "d_gain: validation logs it only in adversarial training"),
    (
        "--best-checkpoint-metric nll --sample-break-mode none",
        "nll: validation logs it only with --sample-break-mode eos",
    ),
]


@pytest.mark.parametrize(("options", "word"), OF_A_LANGUAGE_MODEL)
def test_refused_in_the_mle_phase(options, word, folder):
    """The same before a language model is trained."""
    arguments = mle(folder, folder.parent / "gan", *options.split())
    assert_refused(fork("train", folder.parent, arguments), [word], folder)


@pytest.mark.parametrize("case", CASES, ids=map(name_of, CASES))
def test_refused_before_training(case, folder):
    """Every mistake of the table ends the program with its line before anything is trained."""
    arguments, words = fill_in(case, folder)
    assert_refused(fork("train", folder.parent, arguments), words, folder)


def test_symbols_beyond_the_dictionary(folder):
    """Data of another, larger dictionary than the one beside it is refused, too."""
    shorten_dictionary(folder)
    arguments = gan(folder, folder.parent / "gan", None)
    words = ["valid.bin: holds the symbol 53", "49 symbols"]
    assert_refused(fork("train", folder.parent, arguments), words, folder)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("rollouts", -1),
        ("rollout_stride", 0),
        ("g_step_memory", 0.0),
        ("rounds", 0),
        ("g_steps", 0),
        ("d_steps", -1),
        ("pretrain_d_steps", -1),
        ("k", 0),
        ("d_batch_size", 0),
        ("negative_pool_size", -1),
        ("fixed_length", -1),
        ("max_length", -1),
        ("num_eval_samples", 0),
        ("temperature", float("nan")),
        ("temperature", 0),
        ("rollout_ema_decay", 1),
        ("bleu_order", 0),
        ("bleu_references", 0.0),
        ("bleu_references", 1.5),
        ("bleu_references", float("nan")),
    ],
)
def test_numbers_out_of_range(option, value):
    """N < 1, rounds = 0 and their like: the message names the option and the value."""
    with pytest.raises(InputError, match=f"^error: --{option.replace('_', '-')} is {value}"):
        check_options(make_config()(**{"reward": "bleu", option: value}))


@pytest.mark.parametrize("case", AS_PROGRAM, ids=map(name_of, AS_PROGRAM))
def test_refused_by_the_program(case, folder):
    """The same of the real program, from its start to its exit status."""
    arguments, words = fill_in(case, folder)
    result = run("fairseq-train", *arguments, cwd=folder.parent, cold=True)
    assert_refused(result, words, folder)


@pytest.mark.parametrize("command", ["validate", "generate", "eval-lm"])
def test_nothing_in_a_checkpoint_is_run(command, folder):
    """Even where the environment has torch load whatever a file holds."""
    (folder / "mle.pt").write_bytes(EVIL)
    options = f"--user-dir {PLUGIN} --task seqgan --cpu --num-workers 0 --path {folder}/mle.pt"
    subset = "--valid-subset" if command == "validate" else "--gen-subset"
    result = run(
        f"fairseq-{command}",
        *(folder, *options.split(), subset, "test", "--batch-size", 8),
        cwd=folder.parent,
        env={"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"},
    )
    assert_refused(result, ["mle.pt: not a readable checkpoint"], folder)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ("", "--num-samples"),
        ("--num-samples -3", "--num-samples is -3"),
        ("--num-samples 3 --temperature 0", "--temperature is 0.0"),
        ("--num-samples 3 --path {folder}/mle.pt:{folder}/mle.pt", "not an ensemble"),
        ("--num-samples 3 --guide 4 --path {folder}/mle.pt:{folder}/mle.pt", "not an ensemble"),
        ("--num-samples 3 --path {folder}/gone.pt", "gone.pt: no such checkpoint"),
        ("--num-samples 3 --path {folder}/test.bin", "test.bin: not a readable checkpoint"),
        ("--prefix-size 2 --gen-subset rest", "rest.idx: missing"),
    ],
)
def test_generate_refuses(options, word, folder):
    """fairseq-generate says in one line what it cannot do, and prints no sample."""
    options = [option.format(folder=folder) for option in options.split()]
    arguments = generate(folder, folder / "mle.pt", *options)
    result = fork("generate", folder.parent, arguments)
    assert_refused(result, [word], folder)
    assert "H-0" not in result.stdout
