"""Functions that few programs call (bolide._seldom), with what PyTorch gives written down."""

import math

import bolide
import pytest
from conftest import DEVICE

ON = {"device": DEVICE}
ROWS = [[1.0, 2, 3], [4, 5, 6], [7, 8, 9], [1, 0, 2]]


def rows(grad=False):
    return bolide.tensor(ROWS, dtype=bolide.float64, requires_grad=grad, **ON)


def test_get_device_and_flush_denormal():
    assert bolide.get_device(bolide.ones(2)) == -1
    assert bolide.set_flush_denormal(True) is False
    tiny = bolide.tensor(1e-40, **ON)
    assert (tiny + 0).item() > 0
    with pytest.raises(TypeError, match="expected a bool, got int"):
        bolide.set_flush_denormal(1)


@pytest.mark.parametrize(
    ("call", "values", "slopes"),
    [
        (bolide.selu_, [-1.1113307, 2.101402], [0.6467686, 1.050701]),
        (lambda x: bolide.celu_(x, 2.0), [-0.7869387, 2.0], [0.6065307, 1.0]),
        (lambda x: bolide.threshold_(x, 0.5, 7.0), [7.0, 2.0], [0.0, 1.0]),
        (lambda x: bolide.rrelu_(x, 0.25, 0.75), [-0.5, 2.0], [0.5, 1.0]),
    ],
    ids="selu_ celu_ threshold_ rrelu_".split(),
)
def test_activations_in_place(call, values, slopes):
    x = bolide.tensor([-1.0, 2.0], **ON)
    assert call(x) is x
    assert x.tolist() == pytest.approx(values, rel=1e-5)
    leaf = bolide.tensor([-1.0, 2.0], requires_grad=True, **ON)
    call(leaf.clone()).sum().backward()
    assert leaf.grad.tolist() == pytest.approx(slopes, rel=1e-5)
    with pytest.raises(RuntimeError):
        call(leaf)


def test_rrelu_draws_slopes_while_training():
    bolide.manual_seed(0)
    x = bolide.full((4000,), -2.0, requires_grad=True, **ON)
    y = bolide.rrelu(x, 0.25, 0.75, training=True)
    assert -1.5 <= y.min().item() < -1.4 and -0.6 < y.max().item() <= -0.5
    assert abs(y.mean().item() + 1) < 0.02
    y.sum().backward()
    assert bolide.allclose(x.grad * -2, y.detach())
    assert (bolide.rrelu(-x.detach(), 0.25, 0.75, training=True) == 2).all()
    with pytest.raises(RuntimeError, match="lower of at most upper, got 2 and 1"):
        bolide.rrelu(x, 2, 1)


def test_binomial_counts_successes():
    bolide.manual_seed(0)
    drawn = bolide.binomial(bolide.full((20000,), 10.0, **ON), bolide.tensor(0.3, **ON))
    assert abs(drawn.mean().item() - 3) < 0.05 and abs(drawn.var().item() - 2.1) < 0.1
    assert drawn.frac().sum().item() == 0 and not drawn.requires_grad
    count = bolide.tensor([-3.0, 3.0, 3.75, 0.0, 2.0], **ON)
    chance = bolide.tensor([0.5, 1.5, 1.0, 1.0, -1.0], **ON)
    assert bolide.binomial(count, chance).tolist() == [0, 3, 3.75, 0, 0]
    assert bolide.binomial(count[:2], chance[:2] * math.nan).isnan().all()
    with pytest.raises(ValueError, match=r"floating-point count, got bolide\.int64"):
        bolide.binomial(count.long(), chance)
    with pytest.raises(RuntimeError, match="one dtype"):
        bolide.binomial(count, chance.double())


@pytest.mark.parametrize(
    ("reduce", "initial", "values", "slopes"),
    [
        ("sum", None, [[1, 2, 3], [0, 0, 0], [12, 13, 17]], [1, 1, 1, 1]),
        ("mean", 3.0, [[4, 5, 6], [3, 3, 3], [5, 16 / 3, 20 / 3]], [1, 1 / 3, 1 / 3, 1 / 3]),
        ("max", None, [[1, 2, 3], [-math.inf] * 3, [7, 8, 9]], [1, 0, 1, 0]),
        ("min", 2.0, [[1, 2, 2], [2, 2, 2], [1, 0, 2]], None),
        ("prod", None, [[1, 2, 3], [1, 1, 1], [28, 0, 108]], [1, 7, 4, 28]),
    ],
)
def test_segments_are_reduced(reduce, initial, values, slopes):
    lengths, offsets = (bolide.tensor(v, **ON) for v in ([1, 0, 3], [0, 1, 1, 4]))
    x = rows(grad=True)
    y = bolide.segment_reduce(x, reduce, lengths=lengths, initial=initial)
    assert y.reshape(-1).tolist() == pytest.approx([v for row in values for v in row])
    assert bolide.equal(y, bolide.segment_reduce(x, reduce, offsets=offsets, initial=initial))
    if slopes:
        y.sum().backward()
        assert x.grad[:, 0].tolist() == pytest.approx(slopes)


def test_segments_along_a_later_dim_and_wrong_ones():
    lengths = bolide.tensor([[1, 2], [3, 0]], **ON)
    y = bolide.segment_reduce(rows()[:2], "sum", lengths=lengths, axis=1)
    assert y.tolist() == [[1, 5], [15, 0]]
    empty = bolide.segment_reduce(rows(), "mean", lengths=bolide.tensor([0, 4], **ON))
    assert empty[0].isnan().all() and empty[1].tolist() == [3.25, 3.75, 5]
    with pytest.raises(RuntimeError, match="add up to 4"):
        bolide.segment_reduce(rows(), "sum", lengths=bolide.tensor([1, 2], **ON))
    with pytest.raises(RuntimeError, match="0 or more"):
        bolide.segment_reduce(rows(), "sum", lengths=bolide.tensor([-1, 5], **ON))
    with pytest.raises(RuntimeError, match="either lengths or offsets"):
        bolide.segment_reduce(rows(), "sum")
    with pytest.raises(RuntimeError, match="one of sum, mean"):
        bolide.segment_reduce(rows(), "median", lengths=bolide.tensor([4], **ON))
    with pytest.raises(NotImplementedError):
        bolide.segment_reduce(rows(), "sum", indices=lengths)
