"""Two processes against one: equal gradients, another number on resume; what one alone suffers."""

import time

import pytest
import torch
from helpers.commands import POOL_UPDATES, fork, gan, load, training_state
from helpers.ranks import start_ranks, train_ranks

pytestmark = pytest.mark.slow

EXACT = "--dropout 0 --d-dropout 0 --d-score-dtype float32 --rounds 1 --g-steps 1".split()
FIRST = ["--pretrain-d-steps", 0, "--max-update", 2]  # one of G, then one of D


@pytest.mark.parametrize(
    "objective",
    [
        "--baseline none",
        "--baseline mean",
        "--baseline leave-one-out",
        "--g-loss distill --reward logit",
        "--kl-coef 1 --kl-reference {last} --prefix-size 2",
    ],
)
def test_gradients_are_those_of_one_process(objective, data, pretrained, tmp_path):
    """Half a batch in each of two: the gradients of G and D for the whole batch in one."""
    options = [*EXACT, *FIRST, *objective.format(last=pretrained.last).split()]
    two, one = tmp_path / "two", tmp_path / "one"
    setup = (
        f"from helpers import ranks; ranks.record_batches({str(two)!r}); "
        f"ranks.record_gradients(f'{two}/gradients{{ranks.own_rank()}}.pt')"
    )
    for rank in train_ranks(two, gan(data, two, pretrained.best, *options), "pytorch_ddp", setup):
        rank.check()
    setup = (
        f"from helpers import ranks; ranks.replay_batches({str(two)!r}); "
        f"ranks.record_gradients({str(one / 'gradients.pt')!r})"
    )
    batch = ["--batch-size", 32]  # 16 in each of the two
    fork("train", one, gan(data, one, pretrained.best, *options, *batch), setup).check()
    halves = [torch.load(two / f"gradients{rank}.pt") for rank in (0, 1)]
    wholes = torch.load(one / "gradients.pt")
    assert len(wholes) == 2
    for whole, *parts in zip(wholes, *halves, strict=True):
        assert max(gradient.abs().max() for gradient in whole.values()) > 1e-3
        for part in parts:
            assert part.keys() == whole.keys()
            worst = max((part[name] - whole[name]).abs().max() for name in whole)
            assert worst < 1e-6


@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2)])
def test_resume_with_another_number(before, after, data, pretrained, tmp_path):
    """It trains to the end, and says that it is not the training that it would have been."""
    args = gan(data, tmp_path, pretrained.best, "--rounds", 1)
    total = POOL_UPDATES + 2 + POOL_UPDATES
    for count, more in ((before, ["--max-update", POOL_UPDATES + 4]), (after, [])):
        if count == 1:
            last = fork("train", tmp_path, [*args, *more]).check()
        else:
            last, _ = (rank.check() for rank in train_ranks(tmp_path, [*args, *more]))
    assert training_state(tmp_path / "checkpoint_last.pt")["updates"] == total
    said = f"trained by {before} process{'es' if before == 2 else ''} until here, by {after} from"
    assert said in last.output


@pytest.mark.parametrize(
    ("update", "net"),
    [(3, "criterion"), (POOL_UPDATES, "model"), (POOL_UPDATES, "criterion")],
    ids=["D in its own update", "G in its own update", "D as the reward"],
)
def test_nan_in_one_stops_both(update, net, data, pretrained, tmp_path):
    """Both end with the status of divergence before the update, each with one line."""
    args = gan(data, tmp_path, pretrained.best)
    setup = f"from helpers import ranks; ranks.break_rank_one({update}, {net!r})"
    first, second = train_ranks(tmp_path, args, "pytorch_ddp", setup)
    assert (first.returncode, second.returncode) == (3, 3), first.output + second.output
    for rank, where in ((first, "infinite on another process;"), (second, "infinite;")):
        (line,) = [line for line in rank.stderr.splitlines() if line.startswith("error:")]
        assert where in line
        assert "Traceback" not in rank.output


def test_a_killed_process_ends_the_other(data, pretrained, tmp_path):
    """The survivor ends soon and not with status 0; the checkpoint that is there can be used."""
    options = ["--rounds", 1000, "--log-interval", 1, "--save-interval-updates", 5]
    args = gan(data, tmp_path, pretrained.best, *options, "--keep-interval-updates", 1)
    first, second = start_ranks(tmp_path, args)
    wait_for_updates(first.out, 20)
    second.process.kill()
    begin = time.monotonic()
    result = first.wait()
    assert result.returncode not in (0, None)
    assert time.monotonic() - begin < 60
    assert load(tmp_path / "checkpoint_last.pt")["optimizer_history"][-1]["num_updates"] >= 5


def wait_for_updates(log, count):
    """Return when *log* says that so many updates are done."""
    for _ in range(1200):
        if f"num_updates={count}," in log.read_text():
            return
        time.sleep(0.1)
    raise TimeoutError(log.read_text()[-2000:])
