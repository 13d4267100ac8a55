"""The recurrent convolutional discriminator."""

import pytest
import torch
import torch.nn.functional as F
from helpers.models import make_dictionary

from fairseq_seqgan.criterions.seqgan import make_config
from fairseq_seqgan.models.ensemble import build_discriminator
from fairseq_seqgan.models.rcnn import RCNN
from fairseq_seqgan.support.errors import InputError

PAD, SIZE = 1, 24
LENGTHS = [9, 1, 4, 5, 7, 9, 2]


@pytest.fixture
def net():
    torch.manual_seed(1)
    return RCNN(SIZE, PAD, 6, 5, 8, dropout=0.5, l2=0.2).eval()


def tokens(rows, length, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(4, SIZE, (rows, length), generator=generator)


@pytest.fixture
def padded():
    """Rows of several lengths, padded to nine tokens."""
    rows = tokens(len(LENGTHS), 9)
    return rows.masked_fill(torch.arange(9) >= torch.tensor(LENGTHS).unsqueeze(1), PAD)


def by_the_definition(net, sequence):
    """D's logits of one sequence without padding, one token after the other."""
    embedded = net.embed.weight[sequence]
    gru, hidden = net.context, net.context.hidden_size
    contexts = {}
    for name, order in (("", range(len(sequence))), ("_reverse", range(len(sequence) - 1, -1, -1))):
        weights = [getattr(gru, f"{kind}_l0{name}") for kind in ("weight_ih", "weight_hh")]
        biases = [getattr(gru, f"{kind}_l0{name}") for kind in ("bias_ih", "bias_hh")]
        h = torch.zeros(hidden)
        for t in order:
            own = (weights[0] @ embedded[t] + biases[0]).chunk(3)
            past = (weights[1] @ h + biases[1]).chunk(3)
            reset, update = (torch.sigmoid(own[i] + past[i]) for i in (0, 1))
            h = (1 - update) * torch.tanh(own[2] + reset * past[2]) + update * h
            contexts[name, t] = h
    features = [
        net.project(torch.cat([embedded[t], contexts["", t], contexts["_reverse", t]])).tanh()
        for t in range(len(sequence))
    ]
    return net.output(torch.stack(features).amax(dim=0))


def test_equals_the_definition(net, padded):
    """A GRU in each direction, the projection of a token and its contexts, the maximum."""
    expected = [by_the_definition(net, r[:n]) for r, n in zip(padded, LENGTHS, strict=True)]
    torch.testing.assert_close(net(padded), torch.stack(expected))


def test_padding_never_changes_a_score(net, padded):
    """However long the padding, whatever its embedding, and whatever else is in the batch."""
    with torch.no_grad():
        net.embed.weight[PAD] = 100.0
    found = net.score(padded)
    alone = torch.cat([net.score(padded[i : i + 1, :n]) for i, n in enumerate(LENGTHS)])
    torch.testing.assert_close(found, alone, rtol=0, atol=1e-6)
    more = net.score(F.pad(padded, (0, 11), value=PAD))
    torch.testing.assert_close(found, more, rtol=0, atol=1e-6)
    assert found.unique().numel() == len(LENGTHS)


def test_no_gradient_reaches_padding(net, padded):
    """Training moves nothing by it."""
    net(padded).square().sum().backward()
    assert (net.embed.weight.grad[PAD] == 0).all()
    assert all(p.grad.isfinite().all() and p.grad.abs().sum() > 0 for p in net.parameters())


def test_a_row_of_padding_has_a_finite_score(net):
    """No sequence is empty, but NaN would spread to all weights."""
    rows = torch.full((2, 4), PAD)
    assert net.score(rows).isfinite().all()


def test_score_is_the_probability_of_real(net, padded):
    """In any chunking; its log-odds on request; completions in their own shape."""
    expected = net(padded).softmax(dim=1)[:, 1]
    torch.testing.assert_close(net.score(padded), expected)
    torch.testing.assert_close(net.score(padded, batch_size=3), expected)
    torch.testing.assert_close(net.score(padded, log_odds=True), torch.logit(expected))
    completions = tokens(12, 9, seed=2).view(4, 3, 9)
    sequence, step = torch.tensor([0, 0, 5, 5]), torch.tensor([0, 1, 0, 1])
    scores = net.score_completions(padded, completions, sequence, step)
    torch.testing.assert_close(scores, net.score(completions.flatten(0, 1)).view(4, 3))


def test_penalty_is_on_the_output_layer_alone(net):
    """d_l2 × half the squared norm of W and b."""
    flat = torch.cat([net.output.weight.flatten(), net.output.bias])
    assert net.penalty().item() == pytest.approx(0.2 * 0.5 * flat.square().sum().item())
    net.penalty().backward()
    moved = {name for name, p in net.named_parameters() if p.grad is not None}
    assert moved == {"output.weight", "output.bias"}


def test_dropout_in_train_mode_only(net, padded):
    assert torch.equal(net(padded), net(padded))
    net.train()
    assert not torch.equal(net(padded), net(padded))


def test_learns_to_tell_two_distributions_apart(net):
    """By the order of two words, which both distributions use equally often."""
    torch.manual_seed(2)

    def draw(first, second, seed):
        rows = tokens(200, 8, seed)
        rows[:, 2], rows[:, 6] = first, second
        rows[::3, 7:] = PAD
        return rows

    def both(seed):
        return torch.cat([draw(7, 9, seed), draw(9, 7, seed + 1)])

    labels = torch.arange(2).flip(0).repeat_interleave(200)
    net.train()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(80):
        optimizer.zero_grad()
        (F.cross_entropy(net(both(3)), labels) + 0.01 * net.penalty()).backward()
        optimizer.step()
    net.eval()
    assert (net(both(5)).argmax(dim=1) == labels).float().mean() > 0.95


def build(**options):
    task = type("Task", (), {"source_dictionary": make_dictionary(30)})
    return build_discriminator("rcnn", make_config()(**options), task)


def test_built_from_its_options():
    """Its own, and those that every D has."""
    net = build(d_hidden_size=7, d_features=9, d_embed_dim=3, d_dropout=0.1, d_l2=0.5)
    assert net.embed.weight.shape == (34, 3)
    assert (net.context.hidden_size, net.output.in_features) == (7, 9)
    assert (net.dropout.p, net.l2, net.pad) == (0.1, 0.5, 1)
    net = build()
    assert net.embed.weight.shape == (34, 64)
    assert (net.context.hidden_size, net.output.in_features) == (128, 256)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("d_hidden_size", 0),
        ("d_features", -1),
        ("d_embed_dim", 0),
        ("d_dropout", 1.0),
        ("d_dropout", -0.1),
    ],
)
def test_options_out_of_range(option, value):
    """One line that names the option and its value."""
    with pytest.raises(InputError) as refused:
        build(**{option: value})
    line = str(refused.value)
    assert line.startswith(f"error: --{option.replace('_', '-')} is {value}") and "\n" not in line
