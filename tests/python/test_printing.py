"""What repr, str and the print options give."""

import math

import bolide
import pytest


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: bolide.tensor([1.0, 2.5]), "tensor([1.0000, 2.5000])"),
        (lambda: bolide.tensor([1.0, 2.0]), "tensor([1., 2.])"),
        (lambda: bolide.tensor([1, -20]), "tensor([  1, -20])"),
        (lambda: bolide.tensor([True, False]), "tensor([ True, False])"),
        (lambda: bolide.tensor(1.5), "tensor(1.5000)"),
        (lambda: bolide.tensor(3), "tensor(3)"),
        (lambda: bolide.tensor([]), "tensor([])"),
        (lambda: bolide.empty(2, 0), "tensor([], size=(2, 0))"),
        (lambda: bolide.tensor([], dtype=bolide.int64), "tensor([], dtype=bolide.int64)"),
        (lambda: bolide.tensor([1e-8, 1.0]), "tensor([1.0000e-08, 1.0000e+00])"),
        (lambda: bolide.tensor([math.nan, math.inf, -math.inf, 1.0]), "tensor([nan, inf, -inf, 1.])"),
        (lambda: bolide.tensor([math.nan, 1.5]), "tensor([   nan, 1.5000])"),
        (lambda: bolide.tensor([0.0, 0.0]), "tensor([0., 0.])"),
        (lambda: bolide.tensor([1.0], dtype=bolide.float64), "tensor([1.], dtype=bolide.float64)"),
        (lambda: bolide.tensor([1], dtype=bolide.uint8), "tensor([1], dtype=bolide.uint8)"),
        (lambda: bolide.tensor([1.0], requires_grad=True), "tensor([1.], requires_grad=True)"),
        (lambda: bolide.tensor([1.0], requires_grad=True) * 2, "tensor([2.], grad_fn=<MulBackward0>)"),
        (lambda: bolide.tensor([[1, 2], [3, 4]]), "tensor([[1, 2],\n        [3, 4]])"),
        (lambda: bolide.tensor([[[1], [2]], [[3], [4]]]), "tensor([[[1],\n         [2]],\n\n        [[3],\n         [4]]])"),
        (lambda: bolide.tensor([1 + 2j, -1.5j]), "tensor([1.+2.0000j, -0.-1.5000j])"),
        (lambda: bolide.arange(1001), "tensor([   0,    1,    2,  ...,  998,  999, 1000])"),
    ],
)  # fmt: skip
def test_repr(make, text):
    assert repr(make()) == text


def test_repr_of_large_tensors():
    text = repr(bolide.zeros(100, 100))
    assert text.count("\n") == 6 and text.startswith(
        "tensor([[0., 0., 0.,  ..., 0., 0., 0.],\n        [0., 0., 0.,"
    )
    assert "        ...,\n" in text
    lines = repr(bolide.arange(100.0)).splitlines()
    assert (
        len(lines) > 1
        and all(len(line) <= 80 for line in lines)
        and lines[1].startswith("        ")
    )
    assert repr(bolide.zeros(10**6).expand(1000, 10**6)).count("...") > 2


def test_print_options():
    x = bolide.tensor([1.123456789, 2.0])
    try:
        bolide.set_printoptions(precision=2)
        assert repr(x) == "tensor([1.12, 2.00])"
        bolide.set_printoptions(sci_mode=True, precision=1)
        assert repr(x) == "tensor([1.1e+00, 2.0e+00])"
        bolide.set_printoptions(profile="default", threshold=1, edgeitems=1)
        assert repr(bolide.arange(5)) == "tensor([0,  ..., 4])"
    finally:
        bolide.set_printoptions(profile="default")
    assert repr(x) == "tensor([1.1235, 2.0000])"
    for bad in ({"precision": -1}, {"profile": "loud"}):
        with pytest.raises(ValueError):
            bolide.set_printoptions(**bad)


def test_repr_on_the_device(device):
    x = bolide.ones(2, device=device)
    assert repr(x) == (
        "tensor([1., 1.])" if device == "cpu" else "tensor([1., 1.], device='cuda:0')"
    )
