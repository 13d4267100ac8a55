"""Two and three processes that train together over gloo, each with its own share of the samples."""

from collections import Counter

import pytest
import torch
from helpers.commands import LENGTH, POOL_UPDATES, differences, gan, load, mle, training_state
from helpers.ranks import train_ranks
from helpers.trainings import made_once

from fairseq_seqgan.oracle.lstm import OFFSET

pytestmark = pytest.mark.slow

DDP = ["legacy_ddp", "pytorch_ddp"]
BATCH = 8  # of G, in each process
ROUNDS, G_STEPS = 5, 10  # 50 updates of G, 84 of D
OPTIONS = ["--batch-size", BATCH, "--rounds", ROUNDS, "--g-steps", G_STEPS]
TOTAL_UPDATES = POOL_UPDATES + ROUNDS * (G_STEPS + POOL_UPDATES)


@pytest.fixture(scope="session", params=DDP)
def pair(request, data, pretrained, tmp_path_factory):
    """A training by two processes, with what each of them saw: (folder, recordings)."""

    def make(folder):
        args = gan(data, folder, pretrained.best, *OPTIONS)
        record = f"from helpers import ranks; ranks.record({str(folder)!r})"
        for rank in train_ranks(folder, args, request.param, record):
            rank.check()

    folder = made_once(tmp_path_factory, f"pair-{request.param}", make)
    recordings = [torch.load(folder / f"rank{rank}.pt") for rank in (0, 1)]
    return request.param, folder, recordings


def test_trains_to_the_end(pair):
    """The whole schedule is played: a D minibatch is shared out, so no process trains longer."""
    _, folder, _ = pair
    assert training_state(folder / "checkpoint_last.pt")["updates"] == TOTAL_UPDATES


def test_both_hold_the_same_weights(pair):
    """After 50 updates of G and 84 of D the two have equal nets, bit for bit, and saved them."""
    _, folder, (first, second) = pair
    assert differences(first["weights"], second["weights"]) == []
    saved = training_state(folder / "checkpoint_last.pt")
    assert (
        differences(first["weights"], {"G": saved["generator"], "D": saved["discriminator"]}) == []
    )


def test_each_draws_its_own_samples(pair):
    """The G steps' sequences differ between the processes, and so do the halves of a pool."""
    _, folder, (first, second) = pair
    for update in (POOL_UPDATES, POOL_UPDATES + 1):
        drawn = first["dealt"][update], second["dealt"][update]
        assert all(tokens.shape == (BATCH, LENGTH) for tokens in drawn)
        assert not torch.equal(*drawn)
    assert all(a != b for a, b in zip(first["seeds"], second["seeds"], strict=True))  # of dropout
    negatives = training_state(folder / "checkpoint_last.pt")["task"]["pool"]["negatives"]
    same = (negatives[:100] == negatives[100:]).all(dim=1)
    assert len(negatives) == 200
    assert same.float().mean() < 0.05


def test_a_minibatch_of_d_is_shared_out(pair, data):
    """64 sequences a D update over both, and every one of the 400 of a pass in one of them."""
    _, _, (first, second) = pair
    both = [torch.cat(parts) for parts in zip(first["dealt"], second["dealt"], strict=True)]
    passes = both[:7], both[7:14]  # of the first pool
    assert [len(rows) for rows in passes[0]] == [64] * 6 + [16]
    once, again = (sorted(torch.cat(rows).tolist()) for rows in passes)
    assert once == again
    lines = (data / "train.txt").read_text().splitlines()
    real = Counter(tuple(int(word) + OFFSET for word in line.split()) for line in lines)
    assert len(lines) == 200 and real <= Counter(map(tuple, once))


def test_resume_is_exact(pair, data, pretrained, tmp_path):
    """Stopped in a d-step and trained on by two processes, it is as if it never stopped."""
    ddp, folder, _ = pair
    args = gan(data, tmp_path, pretrained.best, *OPTIONS)
    for more in (["--max-update", POOL_UPDATES + G_STEPS + 4], []):
        for rank in train_ranks(tmp_path, [*args, *more], ddp):
            rank.check()
    states = (training_state(path / "checkpoint_last.pt") for path in (folder, tmp_path))
    assert differences(*states) == []


@pytest.mark.parametrize("phase", ["mle", "gan"])
def test_three_processes_resume_exactly(phase, data, pretrained, tmp_path):
    """A sum of three depends on its order, with torch's DDP on how it lays the gradients out."""
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    states = []
    for folder, stops in ((straight, [9]), (resumed, [4, 9])):
        for stop in stops:
            more = ["--batch-size", 3, "--max-update", stop]
            args = (
                gan(data, folder, pretrained.best, "--pretrain-d-steps", 1, "--g-steps", 3, *more)
                if phase == "gan"
                else mle(data, folder, *more)
            )
            for rank in train_ranks(tmp_path, args, "pytorch_ddp", size=3):
                rank.check()
        state = load(folder / "checkpoint_last.pt")
        states.append([state[part] for part in ("model", "criterion", "last_optimizer_state")])
    assert differences(*states) == []
