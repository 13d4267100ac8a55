"""What a checkpoint says about its schedule is compared entry by entry."""

import copy

import pytest
import torch
from helpers.models import make_dictionary, make_lm

from fairseq_seqgan.adversarial.early_stopping import Best, EarlyStopping
from fairseq_seqgan.adversarial.stored_schedule import StoredSchedule
from fairseq_seqgan.adversarial.trainer import AdversarialTrainer
from fairseq_seqgan.policy.policy import Policy
from fairseq_seqgan.rewards.controls import ConstantReward
from fairseq_seqgan.support.errors import InputError
from fairseq_seqgan.support.rng import seeded_rng
from fairseq_seqgan.tasks import config

WORDS, LENGTH, SIZE, SYMBOLS = 20, 5, 30, 24
OPTIONS = {
    "pretrain_d_steps": 2, "rounds": 2, "g_steps": 1, "d_steps": 2, "k": 3, "d_batch_size": 16,
    "seed": 1, "pretrain_d_keep": "best",
}  # fmt: skip
UPDATES = 5  # in the first pass of the second pass over pool 1


def make_trainer(positives=None, **options):
    """Return a trainer whose D is a linear layer that early stopping watches."""
    if positives is None:
        positives = torch.randint(4, 4 + WORDS, (SIZE, LENGTH), generator=seeded_rng("real"))
    dictionary = make_dictionary(WORDS)
    args = config.make_config()(**OPTIONS | options)
    return AdversarialTrainer(
        args,
        positives.int(),
        ConstantReward(),
        lambda model: Policy(model, dictionary, fixed_length=LENGTH),
        batch_size=4,
        early_stopping=EarlyStopping(torch.nn.Linear(2, 1), positives, args),
    )


@pytest.fixture(scope="module")
def stored():
    """A trainer's state in the second pass over its first pool, as a checkpoint has it."""
    trainer = make_trainer()
    trainer.make_batch(make_lm("lstm_lm", make_dictionary(WORDS)), 0, 0, 1)
    discriminator = trainer.early_stopping.discriminator
    trainer.early_stopping.best = Best(
        pool=1,
        weights=discriminator.state_dict(),
        optimizer={name: {} for name, _ in discriminator.named_parameters()},
    )
    return StoredSchedule(trainer).add_to(trainer.state_dict(), UPDATES)


def check(state, updates=UPDATES, **options):
    """Check *state* as a training with *options* does that resumes it."""
    StoredSchedule(make_trainer(**options)).check("ck.pt", state, updates, SYMBOLS)


def test_the_same_training_resumes_it(stored):
    check(stored)
    check(stored, rounds=5)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("pretrain_d_steps", 3, "--pretrain-d-steps is 3, in the checkpoint 2"),
        ("rounds", 1, "--rounds is 1, in the checkpoint 2"),
        ("g_steps", 2, "--g-steps is 2, in the checkpoint 1"),
        ("d_steps", 1, "--d-steps is 1, in the checkpoint 2"),
        ("k", 4, "--k is 4, in the checkpoint 3"),
        ("seed", 2, "--seed is 2, in the checkpoint 1"),
        ("pretrain_d_keep", "last", "--pretrain-d-keep is last, in the checkpoint best"),
        ("pretrain_d_select", "gain", "--pretrain-d-select is gain, in the checkpoint auc"),
        ("pretrain_d_patience", 3, "--pretrain-d-patience is 3, in the checkpoint 0"),
        ("d_batch_size", 17, "--d-batch-size is 17, in the checkpoint 16"),
        ("negative_pool_size", 31, "--negative-pool-size is 31, in the checkpoint 30"),
        ("prefix_size", 2, "--prefix-size is 2, in the checkpoint 0"),
    ],
)
def test_another_option(option, value, words, stored):
    with pytest.raises(InputError, match=rf"^error: ck\.pt: {words};"):
        check(stored, **{option: value})


def test_early_stopping_of_no_pretraining(stored):
    """Earlier versions took these options without pre-training, and this one refuses them."""
    state = copy.deepcopy(stored)
    state["schedule"]["pretrain_d_steps"] = 0
    trainer = StoredSchedule(make_trainer(pretrain_d_keep="last", pretrain_d_steps=0))
    trainer._compare("ck.pt", state["schedule"])


def test_other_data(stored):
    """Fewer sequences, longer ones, and others of the same shape."""
    positives = make_trainer().pool.positives
    for other, words in (
        (positives[1:], "the number of training sequences is 29, in the checkpoint 30"),
        (positives.repeat(1, 2), "tokens of the longest sequence is 10, in the checkpoint 5"),
        (positives.flip(0), "the checksum of the training sequences is [0-9a-f]{16}, in the"),
    ):
        with pytest.raises(InputError, match=words):
            check(stored, positives=other)


def test_every_entry_of_the_schedule_is_compared(stored):
    """Also the one that follows from others, and one that a later version may add."""
    for name in stored["schedule"].keys() - {"prefix_size"}:
        state = copy.deepcopy(stored)
        del state["schedule"][name]
        with pytest.raises(InputError, match="in the checkpoint None"):
            check(state)


def test_an_earlier_version_had_no_prefixes(stored):
    """Its checkpoints do not name the option; they stand for 0."""
    state = copy.deepcopy(stored)
    del state["schedule"]["prefix_size"]
    check(state)
    with pytest.raises(InputError, match="--prefix-size is 2, in the checkpoint 0"):
        check(state, prefix_size=2)


@pytest.mark.parametrize("name", ["schedule", "updates", "pool", "early_stopping", "slope"])
def test_every_part_that_was_stored_must_be_there(name, stored):
    """The state lists its own parts."""
    state = stored | {"parts": sorted([*stored, "slope"]), "slope": 1.0}
    check(state)
    del state[name]
    with pytest.raises(InputError, match=f"its task state holds no {name.replace('_', ' ')}"):
        check(state)


def test_the_two_numbers_of_updates_are_compared(stored):
    with pytest.raises(InputError, match="of updates is 6, the task's is 5"):
        check(stored, updates=UPDATES + 1)


def test_the_pool_of_the_update(stored):
    """Pool 1 is that of updates 1 to 12; update 12 begins pool 2, and may have drawn it."""
    length = 3 * 4  # 60 sequences in minibatches of 16, three times
    for updates in (1, length):
        check(stored | {"updates": updates}, updates)
    for updates in (0, length + 1):
        if updates:
            with pytest.raises(InputError, match="holds pool 1 at update 13, which needs pool 2"):
                check(stored | {"updates": updates}, updates)
    check(stored | {"updates": length, "pool": stored["pool"] | {"number": 2}}, length)
    with pytest.raises(InputError, match="holds pool 3 at update 12, which needs pool 1"):
        check(stored | {"updates": length, "pool": stored["pool"] | {"number": 3}}, length)


def test_pools_that_early_stopping_skips_are_not_drawn(stored):
    """After pool 1 pre-training has ended, so pool 2 is skipped, and then the G step comes."""
    ended = stored["early_stopping"] | {"ended": True, "weights": {}}
    for updates in (13, 24, 25):
        check(stored | {"early_stopping": ended, "updates": updates}, updates)
    with pytest.raises(InputError, match="holds pool 1 at update 26, which needs pool 3"):
        check(stored | {"early_stopping": ended, "updates": 26}, 26)


@pytest.mark.parametrize(
    "damage",
    [
        {"weights": {}},
        {"weights": {"weight": torch.zeros(1, 2)}},
        {"weights": {"weight": torch.zeros(1, 3), "bias": torch.zeros(1)}},
        {"optimizer": {"weight": {}}},
    ],
)
def test_a_partial_copy_of_the_best_discriminator(damage, stored):
    """It would replace D when pre-training ends, or leave D as it is then."""
    early = stored["early_stopping"] | damage
    with pytest.raises(InputError, match=r"ck\.pt: holds no whole copy of the best discriminator"):
        check(stored | {"early_stopping": early})


@pytest.mark.parametrize("pool", [None, {}, {"number": 1}, {"number": "1", "negatives": None}])
def test_what_is_no_pool(pool, stored):
    with pytest.raises(InputError, match="its pool of negatives is damaged"):
        check(stored | {"pool": pool})
