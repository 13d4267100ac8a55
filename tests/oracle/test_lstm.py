"""The oracle LSTM: its equations and its samples."""

import itertools

import numpy as np
import pytest
import torch

from fairseq_seqgan.oracle import parameters
from fairseq_seqgan.oracle.lstm import ARRAY_NAMES, OFFSET, Oracle, from_fairseq
from fairseq_seqgan.policy import categorical
from fairseq_seqgan.support.errors import InputError
from fairseq_seqgan.support.rng import seeded_rng


def small(vocab: int = 11, embed: int = 3, hidden: int = 5, seed: int = 1) -> Oracle:
    return Oracle.random(vocab, embed, hidden, seed)


# --- the equations


def torch_lstm_log_probs(oracle: Oracle, tokens: torch.Tensor) -> torch.Tensor:
    """The same numbers from torch.nn, whose gates are ordered input, forget, candidate, output."""
    arrays = {name: torch.from_numpy(array) for name, array in oracle.arrays().items()}
    lstm = torch.nn.LSTM(oracle.embed_dim, oracle.hidden_size, batch_first=True)
    linear = torch.nn.Linear(oracle.hidden_size, oracle.vocab_size)
    with torch.no_grad():
        lstm.weight_ih_l0.copy_(torch.cat([arrays["W" + gate] for gate in "ifco"], dim=1).T)
        lstm.weight_hh_l0.copy_(torch.cat([arrays["U" + gate] for gate in "ifco"], dim=1).T)
        lstm.bias_ih_l0.copy_(torch.cat([arrays["b" + gate] for gate in "ifco"]))
        lstm.bias_hh_l0.zero_()
        linear.weight.copy_(arrays["Wout"].T)
        linear.bias.copy_(arrays["bout"])
        start = torch.full((tokens.size(0), 1), oracle.start_token)
        inputs = torch.cat([start, tokens[:, :-1]], dim=1)
        log_probs = linear(lstm(arrays["emb"][inputs])[0]).log_softmax(dim=2)
    return log_probs.gather(2, tokens.unsqueeze(2)).squeeze(2)


def test_log_probs_equal_torchs_own_lstm():
    oracle = small(vocab=23, embed=4, hidden=6)
    oracle.start_token = 3  # not the default, so that an ignored start token is seen
    tokens = torch.randint(0, 23, (9, 7), generator=seeded_rng("tokens"))
    expected = torch_lstm_log_probs(oracle, tokens)
    torch.testing.assert_close(oracle.log_probs(tokens), expected, rtol=1e-5, atol=1e-5)


def test_one_step_by_hand():
    """With all weights 0 but a few, h = sigmoid(bo) tanh(sigmoid(bi) tanh(emb[0] Wc + bc))."""
    zeros = {n: np.zeros(shape) for n, shape in parameters.shapes(2, 1, 1).items()}
    given = {"bi": 0.3, "bf": 7.0, "bo": -0.4, "bc": 0.2, "Wc": 0.5}
    arrays = zeros | {name: np.full_like(zeros[name], value) for name, value in given.items()}
    arrays["emb"] = np.array([[2.0], [9.0]])
    arrays["Wout"] = np.array([[1.0, 0.0]])
    cell = 1 / (1 + np.exp(-0.3)) * np.tanh(2.0 * 0.5 + 0.2)
    hidden = 1 / (1 + np.exp(0.4)) * np.tanh(cell)
    expected = [[hidden - np.logaddexp(hidden, 0)], [-np.logaddexp(hidden, 0)]]
    found = Oracle(arrays).log_probs(torch.tensor([[0], [1]]))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_probabilities_of_all_sequences_add_up_to_one():
    every = torch.tensor(list(itertools.product(range(4), repeat=3)))
    assert small(vocab=4).log_probs(every).sum(dim=1).exp().sum().item() == pytest.approx(1.0)


def test_nll_is_the_mean_over_tokens_with_a_minus_sign():
    oracle = small()
    tokens = torch.tensor([[1, 2, 10], [0, 0, 5]], dtype=torch.int32)
    nll = oracle.nll(tokens)
    assert nll.shape == (2,)
    torch.testing.assert_close(nll, -oracle.log_probs(tokens).sum(dim=1) / 3)


def test_scoring_in_chunks_equals_scoring_at_once(monkeypatch):
    oracle = small()
    tokens = oracle.sample(50, 4, seeded_rng("tokens"))
    expected = oracle.log_probs(tokens)
    monkeypatch.setattr(Oracle, "_rows", lambda self: 16)  # 50 = 3 x 16 + 2
    torch.testing.assert_close(oracle.log_probs(tokens), expected, rtol=1e-6, atol=1e-6)


def test_no_sequences_are_no_error():
    oracle = small()
    assert oracle.nll(torch.empty(0, 4, dtype=torch.long)).shape == (0,)
    assert oracle.sample(0, 4, seeded_rng("none")).shape == (0, 4)


def test_random_weights_are_standard_normal_and_depend_on_the_seed():
    arrays = Oracle.random(2000, 16, 16, seed=1).arrays()
    for name in ("emb", "Wout", "bout"):
        assert abs(arrays[name].mean()) < 0.08
        assert abs(arrays[name].std() - 1) < 0.05
    gates = np.concatenate(
        [arrays[n].ravel() for n in ARRAY_NAMES if n[0] in "WUb" and n[1:] in "ifoc"]
    )
    assert abs(gates.mean()) < 0.08
    assert abs(gates.std() - 1) < 0.05
    assert all(arrays["b" + gate].all() for gate in "ifoc")  # biases too
    assert np.array_equal(small(seed=1).arrays()["emb"], small(seed=1).arrays()["emb"])
    assert not np.array_equal(small(seed=1).arrays()["emb"], small(seed=2).arrays()["emb"])


def test_an_oracle_has_nothing_to_train():
    assert list(small().parameters()) == []


# --- samples


def test_sample_frequencies_match_the_exact_probabilities():
    oracle = small(vocab=5)
    every = torch.tensor(list(itertools.product(range(5), repeat=2)))
    expected = oracle.log_probs(every).sum(dim=1).exp() * 20000
    tokens = oracle.sample(20000, 2, seeded_rng("chi-square"))
    observed = torch.bincount(tokens[:, 0] * 5 + tokens[:, 1], minlength=25)
    rare = expected < 5  # the statistic needs cells of at least five: these become one
    expected = torch.cat([expected[~rare], expected[rare].sum().view(-1)])
    observed = torch.cat([observed[~rare], observed[rare].sum().view(-1)])
    chi_square = ((observed - expected) ** 2 / expected.clamp(min=1e-9)).sum().item()
    assert len(expected) > 10
    assert chi_square < 51.2  # the 99.9 % point for 24 degrees of freedom


@pytest.mark.parametrize("batch_size", [1, 2, 7, 64, 10**6])
def test_samples_do_not_depend_on_the_batch_size(batch_size):
    oracle = small(vocab=200, embed=8, hidden=8)
    expected = oracle.sample(150, 6, seeded_rng("batch"))
    found = oracle.sample(150, 6, seeded_rng("batch"), batch_size=batch_size)
    assert torch.equal(found, expected)
    assert len(expected.unique(dim=0)) == 150


def test_no_batch_is_so_small_that_it_is_rounded_differently(monkeypatch):
    """A matrix product of a few rows has other last bits, which now and then change a token."""
    rows, draw = [], categorical.draw

    def recording(logits, *rest):
        rows.append(len(logits))
        return draw(logits, *rest)

    monkeypatch.setattr(categorical, "draw", recording)
    for num, batch_size in ((5, 1), (5, None), (40, 39)):
        assert small().sample(num, 2, seeded_rng("batch"), batch_size).shape == (num, 2)
    assert min(rows) >= 16


def test_samples_repeat_with_the_seed_and_change_with_it():
    oracle = small()
    first = oracle.sample(20, 6, seeded_rng("a", 1))
    assert first.dtype == torch.long
    assert torch.equal(first, oracle.sample(20, 6, seeded_rng("a", 1)))
    assert not torch.equal(first, oracle.sample(20, 6, seeded_rng("a", 2)))


def test_fairseq_ids_are_token_plus_four():
    assert OFFSET == 4
    assert from_fairseq(torch.tensor([[4, 5], [11, 14]])).tolist() == [[0, 1], [7, 10]]
    with pytest.raises(InputError, match="special symbol 2"):
        from_fairseq(torch.tensor([5, 2]))


def test_a_dictionary_in_another_order_is_refused(tmp_path):
    """fairseq-preprocess sorts by frequency, and token i would be the id of another one."""
    path = tmp_path / "oracle.npz"
    Oracle.random(vocab_size=12, embed_dim=4, hidden_size=4, seed=1).save(path)
    special, words = ["<s>", "<pad>", "</s>", "<unk>"], [str(i) for i in range(12)]
    assert Oracle.load_for(path, [*special, *words]).vocab_size == 12
    assert Oracle.load_for(path, [*special, *"abcdefghijkl"]).vocab_size == 12  # names of one's own
    with pytest.raises(InputError, match="in another order"):
        Oracle.load_for(path, [*special, *sorted(words)])
    with pytest.raises(InputError, match="an oracle of 12 words, the data's dictionary has 11"):
        Oracle.load_for(path, [*special, *words[:-1]])


# --- the authors' parameters


def test_authors_oracle_scores_its_own_samples_and_uniform_tokens(authors_npz):
    oracle = Oracle.load(authors_npz)
    own = oracle.sample(3000, 20, seeded_rng("own", 1))
    assert oracle.nll(own).mean().item() == pytest.approx(5.75, abs=0.03)
    uniform = torch.randint(0, 5000, (1500, 20), generator=seeded_rng("uniform", 1))
    assert oracle.nll(uniform).mean().item() == pytest.approx(11.43, abs=0.05)


# --- wrong arguments


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (torch.tensor([[0, 11]]), r"token 11 is not in the oracle's 0\.\.10"),
        (torch.tensor([[0, -1]]), "token -1 is not in"),
        (torch.tensor([0, 1]), r"shape \(2,\)"),
        (torch.empty(2, 0, dtype=torch.long), r"shape \(2, 0\)"),
        (torch.tensor([[0.0, 1.0]]), "float32"),
        (torch.tensor([[True, False]]), "bool"),
    ],
)
def test_wrong_tokens_are_refused(tokens, message):
    with pytest.raises(InputError, match=message):
        small().nll(tokens)


@pytest.mark.parametrize(("num", "length", "batch_size"), [(-1, 3, None), (2, 0, None), (2, 3, 0)])
def test_wrong_sample_sizes_are_refused(num, length, batch_size):
    with pytest.raises(InputError, match="cannot sample"):
        small().sample(num, length, seeded_rng("x"), batch_size)


@pytest.mark.parametrize("sizes", [(0, 3, 5), (11, 0, 5), (11, 3, -1)])
def test_wrong_oracle_sizes_are_refused(sizes):
    with pytest.raises(InputError, match="must be at least 1"):
        Oracle.random(*sizes, seed=1)
