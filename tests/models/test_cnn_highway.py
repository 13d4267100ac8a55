"""The CNN-highway discriminator."""

import copy

import pytest
import torch
import torch.nn.functional as F
from helpers.models import make_dictionary
from omegaconf import OmegaConf

from fairseq_seqgan.models import cnn_highway, pooled_convolution
from fairseq_seqgan.models.cnn_highway import CNNHighway, CNNHighwayConfig, parse_kernels
from fairseq_seqgan.models.dtypes import has_bfloat16, resolve_dtype, trains_on_gpu
from fairseq_seqgan.support.errors import InputError

PAD, SIZE = 1, 24
KERNELS = [(1, 3), (2, 4), (5, 2)]


@pytest.fixture
def net():
    torch.manual_seed(1)
    return CNNHighway(SIZE, PAD, 6, KERNELS, dropout=0.5, l2=0.2).eval()


def tokens(rows, length, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(4, SIZE, (rows, length), generator=generator)


def by_the_definition(net, sequence):
    """D's logits of one sequence without padding: window by window, in plain words."""
    embedded = net.embed.weight[sequence]
    features = []
    for layer, (width, count) in zip(net.convolutions, KERNELS, strict=True):
        windows = [
            torch.einsum("fek,ke->f", layer.weight, embedded[t : t + width]) + layer.bias
            for t in range(len(sequence) - width + 1)
        ]
        best = torch.stack(windows).amax(dim=0) if windows else torch.zeros(count)
        features.append(best.clamp(min=0))
    x = torch.cat(features)
    gate = torch.sigmoid(net.gate.weight @ x + net.gate.bias)
    transform = (net.transform.weight @ x + net.transform.bias).clamp(min=0)
    return net.output.weight @ (gate * transform + (1 - gate) * x) + net.output.bias


@pytest.mark.parametrize("length", [1, 3, 4, 5, 9])
def test_equals_the_definition(net, length):
    """Also where the sequence is shorter than the widest kernel."""
    rows = tokens(4, length)
    expected = torch.stack([by_the_definition(net, row) for row in rows])
    torch.testing.assert_close(net(rows), expected)


def test_padding_never_reaches_the_maximum(net):
    """However long the padding and whatever its embedding, the output is the same."""
    net.embed.weight.data[PAD] = 100.0
    rows = tokens(5, 9)
    lengths = [9, 1, 4, 5, 7]
    for row, length in zip(rows, lengths, strict=True):
        row[length:] = PAD
    expected = torch.stack(
        [by_the_definition(net, row[:n]) for row, n in zip(rows, lengths, strict=True)]
    )
    torch.testing.assert_close(net(rows), expected)
    torch.testing.assert_close(net(F.pad(rows, (0, 6), value=PAD)), expected)


def test_no_gradient_reaches_padding(net):
    """Nor does training move anything by it."""
    rows = tokens(3, 6)
    rows[:, 4:] = PAD
    net(rows).sum().backward()
    assert (net.embed.weight.grad[PAD] == 0).all()
    assert all(p.grad.isfinite().all() for p in net.parameters())


def test_score_is_the_probability_of_real(net):
    """Column REAL of the softmax, in any chunking."""
    rows = tokens(10, 7)
    expected = net(rows).softmax(dim=1)[:, 1]
    torch.testing.assert_close(net.score(rows), expected)
    torch.testing.assert_close(net.score(rows, batch_size=3), expected)


def test_penalty_is_on_the_output_layer_alone(net):
    """d_l2 × half the squared norm of W and b."""
    flat = torch.cat([net.output.weight.flatten(), net.output.bias])
    assert net.penalty().item() == pytest.approx(0.2 * 0.5 * flat.square().sum().item())
    net.penalty().backward()
    assert {n for n, p in net.named_parameters() if p.grad is not None} == {
        "output.weight",
        "output.bias",
    }


def test_gate_and_transform_are_separate(net):
    """A closed gate passes the features through; an open one passes the transform."""
    rows = tokens(4, 8)
    closed, opened = copy.deepcopy(net), copy.deepcopy(net)
    closed.gate.bias.data.fill_(-1e4)
    opened.gate.bias.data.fill_(1e4)
    features = net._features(rows)
    torch.testing.assert_close(closed(rows), net.output(features))
    torch.testing.assert_close(opened(rows), net.output(F.relu(net.transform(features))))


def test_dropout_in_train_mode_only(net):
    """In eval mode D is deterministic."""
    rows = tokens(4, 8)
    assert torch.equal(net(rows), net(rows))
    net.train()
    assert not torch.equal(net(rows), net(rows))


def test_learns_to_tell_two_languages_apart(net):
    """A few updates separate sequences with a bigram from those without."""
    torch.manual_seed(2)
    real, fake = tokens(200, 8, seed=3), tokens(200, 8, seed=4)
    real[:, 3], real[:, 4] = 7, 9
    rows, labels = torch.cat([real, fake]), torch.arange(2).flip(0).repeat_interleave(200)
    net.train()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        (F.cross_entropy(net(rows), labels) + net.penalty()).backward()
        optimizer.step()
    net.eval()
    assert (net(rows).argmax(dim=1) == labels).float().mean() > 0.97


def test_built_from_its_own_options():
    """The defaults are the authors': 1,720 features from twelve kernels."""
    task = type("Task", (), {"source_dictionary": make_dictionary(30)})
    net = CNNHighway.build_model(CNNHighwayConfig(), task)
    assert net.gate.in_features == 1720
    assert net.embed.weight.shape == (34, 64)


@pytest.mark.parametrize(
    ("widths", "counts", "words"),
    [
        ("1,2,3", "4,4", "--d-kernel-widths has 3 numbers and --d-kernel-counts 2"),
        ("1,x", "4,4", "--d-kernel-widths '1,x'"),
        ("1,2", "4,0", "--d-kernel-counts '4,0'"),
        ("", "4", "--d-kernel-widths ''"),
    ],
)
def test_kernel_lists_that_make_no_sense(widths, counts, words):
    """The message names the option and the list."""
    with pytest.raises(InputError, match=words):
        parse_kernels(widths, counts)


@pytest.mark.parametrize("padded", [False, True])
def test_scoring_by_tables_equals_the_convolution(net, padded):
    """Many sequences are scored by look-up; few, and those with a gradient, by convolution."""
    rows = tokens(300, 6)
    if padded:
        rows[50:100, 3:] = PAD
        rows[100:150, 1:] = PAD
    assert all(
        pooled_convolution.MaxResponses(layer, net.embed.weight, rows.numel(), PAD).table
        is not None
        for layer in net.convolutions
    )
    torch.testing.assert_close(net.score(rows), net(rows).softmax(dim=1)[:, 1])


def test_scoring_without_tables_is_cut_into_chunks(net, monkeypatch):
    """Where a table would be too large, the result is the same."""
    rows = tokens(300, 6)
    monkeypatch.setattr(pooled_convolution, "_TABLE_ELEMENTS", 0)
    monkeypatch.setattr(pooled_convolution, "_CONVOLVED_ROWS", 7)
    torch.testing.assert_close(net.score(rows), net(rows).softmax(dim=1)[:, 1])


@pytest.mark.parametrize("stride", [1, 3])
@pytest.mark.parametrize("table", [True, False])
@pytest.mark.parametrize("kernels", [KERNELS, [(3, 2), (9, 3)]])
def test_scoring_completions_equals_scoring_them_one_by_one(monkeypatch, table, kernels, stride):
    """What prefixes share is looked at once: sequences of any length, in groups, in any order.

    With a stride, most steps have no completions.
    """
    torch.manual_seed(2)
    net = CNNHighway(SIZE, PAD, 6, kernels, dropout=0.5, l2=0.2).eval()
    if not table:
        monkeypatch.setattr(pooled_convolution, "_TABLE_ELEMENTS", 0)
    monkeypatch.setattr(cnn_highway, "_SCORED_ROWS", 60)
    drawn = tokens(9, 7)
    lengths = torch.tensor([7, 7, 1, 3, 7, 2, 6, 7, 5])
    drawn[torch.arange(7) >= lengths.unsqueeze(1)] = PAD
    sequence, step = (torch.arange(7) < lengths.unsqueeze(1) - 1).nonzero(as_tuple=True)
    valued = (step + 1) % stride == 0
    sequence, step = sequence[valued], step[valued]
    order = torch.randperm(len(step))
    sequence, step = sequence[order], step[order]
    completions = tokens(len(step) * 4, 7, seed=3).view(-1, 4, 7)
    inside = (torch.arange(7) <= step.unsqueeze(1)).unsqueeze(1)
    ends = torch.randint(2, 8, (len(step), 4, 1)).maximum(step.view(-1, 1, 1) + 2)
    completions[(torch.arange(7) >= ends)] = PAD
    completions = torch.where(inside, drawn[sequence].unsqueeze(1), completions)
    scores = net.score_completions(drawn, completions, sequence, step)
    expected = net(completions.flatten(0, 1)).softmax(dim=1)[:, 1].view(-1, 4)
    torch.testing.assert_close(scores, expected)
    odds = net.score_completions(drawn, completions, sequence, step, log_odds=True)
    torch.testing.assert_close(odds, torch.logit(expected))


def trained_at_the_papers_sizes(**options):
    """Return D of the paper's sizes after 20 updates on made-up data, and the data."""
    torch.manual_seed(1)
    task = type("Task", (), {"source_dictionary": make_dictionary(100)})
    net = CNNHighway.build_model(CNNHighwayConfig(**options), task)
    real, fake = torch.randint(4, 60, (640, 20)), torch.randint(30, 104, (640, 20))
    labels = torch.arange(2).flip(0).repeat_interleave(32)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-4)
    for begin in range(0, 640, 32):
        optimizer.zero_grad()
        rows = torch.cat([real[begin : begin + 32], fake[begin : begin + 32]])
        (F.cross_entropy(net(rows).float(), labels) + net.penalty()).backward()
        optimizer.step()
    return net.eval(), torch.cat([real, fake])


needs_bfloat16 = pytest.mark.skipif(
    not has_bfloat16(uses_gpu=False), reason="no bfloat16 on this processor"
)


@needs_bfloat16
def test_scoring_in_bfloat16_moves_no_reward_by_more_than_a_bound():
    """Every score within 0.004 of float32's."""
    net, rows = trained_at_the_papers_sizes(d_score_dtype="bfloat16")
    lowered = net.score(rows)
    net.score_dtype = torch.float32
    exact = net.score(rows)
    assert exact.std() > 0.05
    assert 0 < (lowered - exact).abs().max() < 0.004


@needs_bfloat16
def test_training_in_bfloat16_moves_rewards_little():
    """After the same updates, scores are 0.01 apart on average and 0.08 at most."""
    exact, rows = trained_at_the_papers_sizes(d_score_dtype="float32")
    lowered, _ = trained_at_the_papers_sizes(d_score_dtype="float32", d_train_dtype="bfloat16")
    assert lowered.gate.weight.dtype == torch.float32
    apart = (lowered.score(rows) - exact.score(rows)).abs()
    assert exact.score(rows).std() > 0.05
    assert 0 < apart.mean() < 0.01
    assert apart.max() < 0.08


def test_precision_that_the_processor_lacks(monkeypatch, caplog):
    """A warning, and float32."""
    for probe in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, probe, lambda: False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)  # D computes elsewhere
    assert resolve_dtype("--d-train-dtype", "bfloat16", uses_gpu=False) == torch.float32
    assert caplog.text.count("--d-train-dtype bfloat16: this machine has none") == 1
    assert resolve_dtype("--d-score-dtype", "auto", uses_gpu=False) == torch.float32
    assert caplog.text.count("has none") == 1
    assert resolve_dtype("--d-train-dtype", "bfloat16", uses_gpu=True) == torch.bfloat16


@pytest.mark.parametrize("cpu", [False, True])
def test_training_with_cpu_does_not_ask_the_gpu(cpu, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    command = OmegaConf.create({"common": {"cpu": cpu}, "criterion": {}})
    assert trains_on_gpu(command.criterion) is not cpu
